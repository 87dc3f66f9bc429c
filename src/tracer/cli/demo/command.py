"""The command: finds the server, sends the plan's events, treats a few of the issues."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import click

from tracer import clock
from tracer import settings as all_settings
from tracer.cli.demo.people import Person, customers
from tracer.cli.demo.plan import Plan, Shot, plan
from tracer.cli.demo.sender import Sender
from tracer.cli.demo.stories import STORIES
from tracer.cli.demo.world import event_of, scene
from tracer.cli.group import data_option, given, refusing
from tracer.errors import Conflict, Unavailable
from tracer.kit import control
from tracer.protocol.dsn import parse_dsn
from tracer.storage.folder import Folder

_DIGEST_S = 60.0
#: What people did to issues, by story: (story, action, the rest of the step).
_TRIAGE: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("category loop", "resolve", {}),
    ("unsupported currency", "resolve", {"release": "payments@2.31.1"}),
    ("blocked analytics", "archive", {}),
    ("gateway timeout", "assign", {}),
    (
        "gateway timeout",
        "comment",
        {"text": "The acquirer had an outage. Shall we put the charge into a queue and retry?"},
    ),
    ("gallery without images", "assign", {}),
    ("duplicate order", "comment", {"text": "next_number() is not safe: use a sequence."}),
)


@click.command("demo")
@click.option(
    "--project", default="demo-shop", show_default=True, help="Project, made if not there."
)
@click.option(
    "--events",
    type=click.IntRange(60, 100_000),
    default=3000,
    show_default=True,
    help="How many events.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed tells the same stories.")
@click.option("--dsn", help="Send to this DSN instead; then no issue is resolved or assigned.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def command(
    project: str, events: int, seed: int, dsn: str | None, as_json: bool, data: Path | None
) -> None:
    """Fill a project with two weeks of events from a made-up web shop.

    Five services, several releases, production and staging, dozens of customers, an outage three
    days ago and a bug that comes back. The events go through the real endpoint of the running
    server; start it first.

    \b
    tracer serve &
    tracer demo
    """
    settings, _ = all_settings.load(given(data=data))
    socket = Folder(settings.data).control
    found: dict[str, Any] = {"dsn": dsn} if dsn else _open(socket, project)
    began = time.monotonic()
    run = _Run(seed)
    with Sender(parse_dsn(found["dsn"])) as sender:
        planned = plan(STORIES, run.random, events, run.now)
        total = len(planned.shots) + len(planned.comebacks)
        with click.progressbar(length=total, label="Sending", file=sys.stderr) as bar:
            for shot in planned.shots:
                run.send(sender, shot)
                bar.update(1)
            run.report(sender)
            if not dsn:
                _settle(socket, project, found["events"] + len(planned.shots))
                _triage(socket, found["project_id"], planned, run.firsts)
            for shot in planned.comebacks:
                run.send(sender, Shot(clock.now_s(), shot.story))
                bar.update(1)
    if not dsn:
        _settle(socket, project, found["events"] + total)
    _tell({**found, "events": total, "seconds": round(time.monotonic() - began, 1)}, as_json)


class _Run:
    """One telling of the stories. `firsts` has the first event id of each."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311
        self.now = clock.now_s()
        self.people: list[Person] = customers(self.random)
        self.firsts: dict[str, str] = {}
        self.lasts: dict[str, str] = {}

    def send(self, sender: Sender, shot: Shot) -> None:
        """The event of a shot, with its files."""
        at = scene(shot.story, self.random, self.people, shot.moment, self.now)
        event_id = clock.new_id()
        event = {"event_id": event_id, **event_of(shot.story, at)}
        items = [({"type": "event"}, json.dumps(event).encode())]
        if shot.story.files is not None:
            for headers, content in shot.story.files(at, event):
                items.append(({"type": "attachment", **headers}, content))
        sender.send(event_id, items)
        self.firsts.setdefault(shot.story.name, event_id)
        self.lasts[shot.story.name] = event_id

    def report(self, sender: Sender) -> None:
        """What customers wrote about the last event of a story."""
        for story in STORIES:
            for comments in story.said:
                person = self.random.choice(self.people)
                event_id = self.lasts[story.name]
                body = {"event_id": event_id, "name": person.name, "email": person.email}
                payload = json.dumps({**body, "comments": comments}).encode()
                sender.send(event_id, [({"type": "user_report"}, payload)])


def _open(socket: Path, project: str) -> dict[str, Any]:
    answer = control.call(socket, "demo_project", project=project)
    if answer is None:
        raise Conflict(
            f"No server runs on {socket.parent}. Start it with `tracer serve`, or give a --dsn."
        )
    found: dict[str, Any] = answer
    return found


def _settle(socket: Path, project: str, events: int) -> None:
    """Wait until that many events are digested, so that what follows finds their issues."""
    deadline = time.monotonic() + _DIGEST_S
    while _open(socket, project)["events"] < events:
        if time.monotonic() > deadline:
            raise Unavailable("The server took the events, but is slow to digest them.")
        time.sleep(0.1)


def _triage(socket: Path, project_id: int, planned: Plan, firsts: dict[str, str]) -> None:
    steps = [
        {"event_id": firsts[story], "action": action, **rest} for story, action, rest in _TRIAGE
    ]
    for story in {shot.story for shot in planned.comebacks}:
        event_id = firsts[story.name]
        steps.append({"event_id": event_id, "action": "resolve", "release": story.fixed_in})
    control.call(socket, "demo_triage", project_id=project_id, steps=steps)


def _tell(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{summary['events']:,} events sent in {summary['seconds']} s.")
    if "project_id" in summary:
        click.echo(f"{summary['url']}/issues/?project={summary['project']}")
