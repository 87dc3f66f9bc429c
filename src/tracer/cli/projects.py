"""`tracer projects`: the projects of this server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import (
    ask,
    data_option,
    details,
    given,
    json_option,
    look,
    refusing,
    tell,
)


@click.group("projects")
def command() -> None:
    """Projects: list, show, make and delete them. PROJECT is a slug, acme/shop or an id."""


@command.command("list")
@click.option("--org", help="Slug of the organization.  [default: all]")
@json_option
@data_option
@refusing
def listing(org: str | None, as_json: bool, data: Path | None) -> None:
    """List projects with their issues and events.

    \b
    tracer projects list
    tracer projects list --org acme --json
    """
    from tracer.app import project_commands

    found = look(data, project_commands.listing, org=org)
    tell(
        found,
        as_json,
        (
            f"{one['id']:>6}  {one['organization'] + '/' + one['slug']:<40}{one['platform']:<20}"
            f"{one['issues']:>8,} issues {one['events']:>12,} events"
            for one in found["projects"]
        ),
    )


@command.command("show")
@click.argument("project")
@json_option
@data_option
@refusing
def show(project: str, as_json: bool, data: Path | None) -> None:
    """Show one project: its settings, its counts and its DSN.

    \b
    tracer projects show acme/shop
    """
    from tracer.app import project_commands

    found = look(data, project_commands.show, project=project, url=url(data))
    tell(found, as_json, details(found))


@command.command("create")
@click.argument("name")
@click.option("--slug", help="Its name in addresses.  [default: made from the name]")
@click.option("--org", help="Slug of its organization.  [default: the only one]")
@click.option("--platform", default="other", show_default=True, help="Such as python-django.")
@json_option
@data_option
@refusing
def create(as_json: bool, data: Path | None, **fields: Any) -> None:
    """Make a project and print the DSN of its first key.

    \b
    tracer projects create Shop --org acme --platform python-django
    DSN=$(tracer projects create Shop --json | jq -r .dsn)
    """
    made = ask(data, "project_create", **fields)
    lines = [f"{made['organization']}/{made['slug']} is made, id {made['id']}.", made["dsn"]]
    tell(made, as_json, lines)


@command.command("delete")
@click.argument("project")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_option
@refusing
def delete(project: str, yes: bool, as_json: bool, data: Path | None) -> None:
    """Delete a project with its issues and events. What it held is erased in the background.

    Without a running server it is erased after the next start.

    \b
    tracer projects delete acme/shop --yes
    """
    if not yes:
        click.confirm(f"Delete {project} and all that it holds?", abort=True, err=True)
    done = ask(data, "project_delete", project=project)
    tell(done, as_json, [f"{done['slug']} is deleted; its events are being erased."])


def url(data: Path | None) -> str:
    """Where the server that runs on the folder is found, for DSNs."""
    from tracer import app

    return app.known_url(all_settings.load(given(data=data))[0])
