"""The shop's services and one scene in which something goes wrong: who, where, which release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tracer.cli.demo.people import BROWSERS, Browser, Person
from tracer.cli.demo.rhythm import DAY_S

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """A version and how many days ago it was deployed."""

    version: str
    days_ago: float


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the shop. `fields` are what its SDK adds to every event."""

    name: str
    platform: str
    releases: tuple[Release, ...]
    fields: Callable[[Scene], Fields]

    def release_at(self, days_ago: float) -> str:
        """The version that was in production that many days ago."""
        live = [release for release in self.releases if release.days_ago >= days_ago]
        return (live or self.releases[:1])[-1].version


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the shop."""

    random: Random
    moment: float
    environment: str
    release: str
    person: Person
    browser: Browser

    def hex(self, digits: int) -> str:
        """Random hexadecimal digits, such as a trace id."""
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"

    def crumb(self, before_s: float, category: str, message: str = "", **rest: Any) -> Fields:
        """A breadcrumb left `before_s` seconds earlier; `kind` is its type."""
        crumb = {"timestamp": self.moment - before_s, "category": category, **rest}
        crumb["type"] = crumb.pop("kind", "default")
        return {**crumb, "message": message} if message else crumb


Build = Callable[[Scene], Fields]


@dataclass(frozen=True, slots=True)
class Story:
    """One failure and how often it happens. Days count back from now.

    `returns`: it was fixed in a release, and is back in the newest one. `burst`: most of it
    happened in one outage. `staging`: the share of it outside production.
    """

    name: str
    service: Service
    weight: float
    build: Build
    since_days: float = 14.0
    until_days: float = 0.0
    staging: float = 0.08
    fixed_in: str = ""
    burst: bool = False
    browsers: tuple[str, ...] = ()
    files: Callable[[Scene, Fields], list[tuple[Fields, bytes]]] | None = None
    said: tuple[str, ...] = field(default=())


def scene(story: Story, random: Random, people: list[Person], moment: float, now: float) -> Scene:
    """Who meets a story at a moment; a few customers meet much more than most."""
    days_ago = (now - moment) / DAY_S
    environment = "staging" if random.random() < story.staging else "production"
    # Staging runs what production gets two days later.
    ahead = 2.0 if environment == "staging" else 0.0
    person = people[min(int(random.paretovariate(0.9)) - 1, 10**6) % len(people)]
    if random.random() < 0.6:
        person = random.choice(people)
    browser = person.browser
    if story.browsers and browser.name not in story.browsers:
        browser = random.choice([b for b in BROWSERS if b.name in story.browsers])
    return Scene(
        random, moment, environment, story.service.release_at(max(0.0, days_ago - ahead)),
        person, browser,
    )  # fmt: skip


def event_of(story: Story, at: Scene) -> Fields:
    """The event as the service's SDK sends it, without its id."""
    base = {
        "timestamp": at.moment,
        "platform": story.service.platform,
        "release": at.release,
        "environment": at.environment,
        "level": "error",
    }
    service, own = story.service.fields(at), story.build(at)
    merged = {**base, **service, **own}
    for name in ("tags", "contexts", "extra"):
        if name in service or name in own:
            merged[name] = {**service.get(name, {}), **own.get(name, {})}
    crumbs = own.get("breadcrumbs")
    if crumbs is not None:
        merged["breadcrumbs"] = {"values": sorted(crumbs, key=lambda crumb: crumb["timestamp"])}
    return merged


def exception(
    type_: str, value: str, frames: list[Fields], mechanism: Fields | None = None, **rest: Any
) -> Fields:
    """One exception; frames are the oldest first."""
    made: Fields = {"type": type_, "value": value, "stacktrace": {"frames": frames}, **rest}
    return {**made, "mechanism": mechanism} if mechanism else made
