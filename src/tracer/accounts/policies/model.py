"""A stored policy, and how people write one: by slugs, weekdays and times of day. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from tracer.accounts.model import one_line
from tracer.errors import Invalid
from tracer.kit.policy import ActorKind, Conditions, Effect, Hours, Policy, Requirements, check

NAME_MAX = 100
POLICIES_MAX = 200
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy of an organization, active or not. Times are unix ms."""

    id: int
    organization_id: int
    name: str
    effect: Effect
    conditions: Conditions
    requirements: Requirements
    is_active: bool
    created_at: int
    changed_at: int

    @property
    def draft(self) -> Draft:
        """What of it somebody has written."""
        return Draft(self.name, self.effect, self.conditions, self.requirements, self.is_active)


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy that is not stored yet, or as it is to be."""

    name: str
    effect: Effect
    conditions: Conditions
    requirements: Requirements
    is_active: bool = True

    def as_rule(self, policy_id: int) -> Policy:
        """As the guard knows it."""
        return Policy(policy_id, self.name, self.effect, self.conditions, self.requirements)


@dataclass(frozen=True, slots=True)
class Names:
    """The teams and projects of an organization: slug and shown name by id."""

    teams: Mapping[int, tuple[str, str]]
    projects: Mapping[int, tuple[str, str]]


class HoursText(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Times of the week. An end before the start means the next morning."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = msgspec.field(
        default_factory=lambda: list(DAYS)  # type: ignore[arg-type]
    )
    start: str = "00:00"
    end: str = "24:00"
    zone: str = "UTC"


class ConditionsText(
    msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """Whom and what a policy is about: all that are given must match, any value of a list does.

    Teams and projects are slugs.
    """

    actor_kinds: list[ActorKind] = msgspec.field(default_factory=list)
    roles: list[str] = msgspec.field(default_factory=list)
    teams: list[str] = msgspec.field(default_factory=list)
    permissions: list[str] = msgspec.field(default_factory=list)
    projects: list[str] = msgspec.field(default_factory=list)
    environments: list[str] = msgspec.field(default_factory=list)
    addresses: list[str] = msgspec.field(default_factory=list)
    second_factor: bool | None = None
    hours: HoursText | None = None


class RequirementsText(
    msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """What must hold where a policy that requires matches."""

    addresses: list[str] = msgspec.field(default_factory=list)
    second_factor: bool = False
    hours: HoursText | None = None
    actor_kinds: list[ActorKind] = msgspec.field(default_factory=list)


class PolicyText(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """A policy as people and programs write it."""

    name: str
    effect: Literal["deny", "require"]
    conditions: ConditionsText = msgspec.field(default_factory=ConditionsText)
    requirements: RequirementsText = msgspec.field(default_factory=RequirementsText)
    is_active: bool = True


def read(text: PolicyText, names: Names) -> Draft:
    """The policy that a text means. Invalid, with the reason, if it is none."""
    name = one_line(text.name)
    if not 0 < len(name) <= NAME_MAX:
        raise Invalid(f"Give the policy a name of at most {NAME_MAX} characters.")
    c, r = text.conditions, text.requirements
    conditions = Conditions(
        actor_kinds=_set(c.actor_kinds),
        roles=_set(c.roles),
        team_ids=_ids(c.teams, names.teams, "team"),
        permissions=_set(c.permissions),
        project_ids=_ids(c.projects, names.projects, "project"),
        environments=_set(c.environments),
        addresses=_set(c.addresses),
        second_factor=c.second_factor,
        hours=_hours(c.hours),
    )
    requirements = Requirements(
        addresses=_set(r.addresses),
        second_factor=r.second_factor,
        hours=_hours(r.hours),
        actor_kinds=_set(r.actor_kinds),
    )
    check(conditions, requirements, text.effect)
    return Draft(name, text.effect, conditions, requirements, text.is_active)


def write(draft: Draft, names: Names) -> PolicyText:
    """The text of a policy. What is gone since appears as `#7`, which cannot be saved again."""
    c, r = draft.conditions, draft.requirements
    return PolicyText(
        name=draft.name,
        effect=draft.effect,
        conditions=ConditionsText(
            actor_kinds=list(c.actor_kinds),
            roles=list(c.roles),
            teams=_slugs(c.team_ids, names.teams),
            permissions=list(c.permissions),
            projects=_slugs(c.project_ids, names.projects),
            environments=list(c.environments),
            addresses=list(c.addresses),
            second_factor=c.second_factor,
            hours=_hours_text(c.hours),
        ),
        requirements=RequirementsText(
            addresses=list(r.addresses),
            second_factor=r.second_factor,
            hours=_hours_text(r.hours),
            actor_kinds=list(r.actor_kinds),
        ),
        is_active=draft.is_active,
    )


def clock_time(minute: int) -> str:
    """ "17:30" from minutes of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _set(values: Iterable[Any]) -> tuple[Any, ...]:
    """Without repeats and, of texts, without blanks around them and empty ones."""
    texts = (value.strip() if isinstance(value, str) else value for value in values)
    return tuple(dict.fromkeys(value for value in texts if value != ""))


def _ids(slugs: Iterable[str], known: Mapping[int, tuple[str, str]], kind: str) -> tuple[int, ...]:
    by_slug = {slug: id_ for id_, (slug, _) in known.items()}
    found = []
    for slug in _set(slugs):
        if slug not in by_slug:
            raise Invalid(f"There is no {kind} called {slug[:60]}.")
        found.append(by_slug[slug])
    return tuple(found)


def _slugs(ids: Iterable[int], known: Mapping[int, tuple[str, str]]) -> list[str]:
    return [known[id_][0] if id_ in known else f"#{id_}" for id_ in ids]


def _hours(text: HoursText | None) -> Hours | None:
    if text is None:
        return None
    days = tuple(sorted({DAYS.index(day) for day in text.days}))
    return Hours(days, _minute(text.start), _minute(text.end), text.zone.strip() or "UTC")


def _hours_text(hours: Hours | None) -> HoursText | None:
    if hours is None:
        return None
    days: list[Any] = [DAYS[day] for day in hours.days]
    return HoursText(days, clock_time(hours.start_minute), clock_time(hours.end_minute), hours.zone)


def _minute(text: str) -> int:
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 1440:
        raise Invalid("Write a time of day as 09:00; the day ends at 24:00.")
    return int(match[1]) * 60 + int(match[2])
