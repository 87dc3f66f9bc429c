"""`tracer organizations`: the organizations of this server."""

from __future__ import annotations

from pathlib import Path

import click

from tracer.cli.group import ask, data_option, details, json_option, look, refusing, tell


@click.group("organizations")
def command() -> None:
    """Organizations: list, show and make them."""


@command.command("list")
@json_option
@data_option
@refusing
def listing(as_json: bool, data: Path | None) -> None:
    """List all organizations with their members and projects.

    \b
    tracer organizations list
    """
    from tracer.app import organization_commands

    found = look(data, organization_commands.listing)
    tell(
        found,
        as_json,
        (
            f"{one['slug']:<28}{one['members']:>6,} members {one['teams']:>6,} teams"
            f" {one['projects']:>6,} projects  {one['name']}"
            for one in found["organizations"]
        ),
    )


@command.command("show")
@click.argument("org")
@json_option
@data_option
@refusing
def show(org: str, as_json: bool, data: Path | None) -> None:
    """Show one organization: its members and what its owners decided.

    \b
    tracer organizations show acme
    """
    from tracer.app import organization_commands

    found = look(data, organization_commands.show, org=org)
    tell(found, as_json, details(found))


@command.command("create")
@click.argument("name")
@click.option("--slug", help="Its name in addresses.  [default: made from the name]")
@click.option("--owner", help="E-mail address of an account that is to own it.")
@json_option
@data_option
@refusing
def create(
    name: str, slug: str | None, owner: str | None, as_json: bool, data: Path | None
) -> None:
    """Make an organization. Without --owner nobody belongs to it yet: see `tracer account`.

    \b
    tracer organizations create "Acme Corp" --slug acme --owner ada@example.com
    """
    made = ask(data, "organization_create", name=name, slug=slug, owner=owner)
    owned = f", owned by {made['owner']}" if made["owner"] else ""
    tell(made, as_json, [f"{made['slug']} is made{owned}."])
