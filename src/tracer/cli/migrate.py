"""`tracer migrate`: the schema of the stores, and the way back to before the last update."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("migrate")
def command() -> None:
    """The schema of the stores. They are brought up to date when the server starts.

    Before that each SQLite file is copied beside itself; the newest three copies are kept.
    """


@command.command("status")
@json_option
@data_option
@refusing
def status(as_json: bool, data: Path | None) -> None:
    """Show each store's schema, what this program knows, and the snapshots there are.

    \b
    tracer migrate status
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer.app import migrations

    found = migrations.status(settings)
    if as_json:
        click.echo(json.dumps({"stores": found}))
        return
    for store in found:
        what = "current"
        if store["schema"] < store["known"]:
            what = f"brought to {store['known']} at the next start"
        elif store["schema"] > store["known"]:
            what = f"of a newer tracer; this one knows {store['known']}"
        click.echo(f"{store['store']:<6} schema {store['schema']}  {what}")
        for one in store["snapshots"]:
            at = datetime.fromtimestamp(one["made_at"] / 1000, UTC)
            click.echo(f"       snapshot of schema {one['schema']}, {at:%Y-%m-%d %H:%M} UTC")


@command.command("rollback")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be lost.")
@json_option
@data_option
@refusing
def rollback(yes: bool, as_json: bool, data: Path | None) -> None:
    """Go back to the stores from before the last update, to run the tracer from before it.

    Only while no server runs. What came in since is lost: it is said first. The present files are
    set aside and not deleted. Starting this version again migrates again.

    \b
    tracer migrate rollback            what would be lost
    tracer migrate rollback --yes
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer.app import migrations

    found = migrations.rollback(settings, yes=yes)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, store in found["stores"].items():
        did = "is back at" if yes else "would go back to"
        click.echo(f"{name} {did} schema {store['schema']} ({store['snapshot']})")
        if yes:
            click.echo(f"  what it was is in {store['set_aside']}")
    for what, count in found["lost"].items():
        click.echo(f"{'lost' if yes else 'would be lost'}: {count:,} {what}")
    if not yes:
        click.echo("Nothing was changed. Say --yes to do it.")
