"""`tracer project-keys`: the keys of a project, which are in its DSNs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracer.cli.group import ask, data_option, json_option, look, moment, refusing, tell
from tracer.cli.projects import url
from tracer.cli.spans import SPAN


@click.group("project-keys")
def command() -> None:
    """The keys of a project, which are in its DSNs. KEY is an id or the public part.

    `tracer keys` is about others: those that sign access tokens.
    """


@command.command("list")
@click.argument("project")
@json_option
@data_option
@refusing
def listing(project: str, as_json: bool, data: Path | None) -> None:
    """List the keys of a project with their DSNs.

    \b
    tracer project-keys list acme/shop
    """
    from tracer.app import project_commands

    found = look(data, project_commands.keys, project=project, url=url(data))
    tell(found, as_json, map(_line, found["keys"]))


@command.command("create")
@click.argument("project")
@click.option("--label", default="", help="What it is for.")
@json_option
@data_option
@refusing
def create(project: str, label: str, as_json: bool, data: Path | None) -> None:
    """Make a key and print its DSN.

    \b
    tracer project-keys create shop --label "Mobile app"
    """
    made = ask(data, "key_create", project=project, label=label)
    tell(made, as_json, [made["dsn"]])


@command.command("rotate")
@click.argument("project")
@click.argument("key")
@click.option(
    "--overlap",
    type=SPAN,
    default="7d",
    show_default=True,
    help="How long the old key goes on working, such as 30d; 0 ends it at once.",
)
@json_option
@data_option
@refusing
def rotate(project: str, key: str, overlap: int, as_json: bool, data: Path | None) -> None:
    """Make a new key in place of an old one, which works on for a while. Prints the new DSN.

    \b
    tracer project-keys rotate shop 4
    tracer project-keys rotate shop 4 --overlap 0     after a leak
    """
    done = ask(data, "key_rotate", project=project, key=key, overlap_s=overlap)
    until = moment(done["old"]["expires_at"])
    tell(done, as_json, [done["new"]["dsn"], f"The old key works until {until}."])


@command.command("disable")
@click.argument("project")
@click.argument("key")
@json_option
@data_option
@refusing
def disable(project: str, key: str, as_json: bool, data: Path | None) -> None:
    """Refuse what comes under a key from now on.

    \b
    tracer project-keys disable shop 4
    """
    _switch(data, as_json, project=project, key=key, is_active=False)


@command.command("enable")
@click.argument("project")
@click.argument("key")
@json_option
@data_option
@refusing
def enable(project: str, key: str, as_json: bool, data: Path | None) -> None:
    """Accept a key again; an end that a rotation set is taken back.

    \b
    tracer project-keys enable shop 4
    """
    _switch(data, as_json, project=project, key=key, is_active=True)


def _switch(data: Path | None, as_json: bool, **arguments: Any) -> None:
    done = ask(data, "key_switch", **arguments)
    tell(done, as_json, [_line(done)])


def _line(key: dict[str, Any]) -> str:
    state = "works" if key["works"] else "disabled" if not key["is_active"] else "ended"
    if key["works"] and key["expires_at"]:
        state = f"until {moment(key['expires_at'])}"
    return f"{key['id']:>6}  {state:<28}{key['label']:<24}{key['dsn']}"
