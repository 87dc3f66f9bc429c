"""`tracer quota`: how much an organization, a project or a key may send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, json_option, refusing

org_option = click.option("--org", default="", help="Slug of the organization.")


@click.group("quota")
def command() -> None:
    """Quotas: how much an organization, a project or a key may send."""


@command.command("list")
@org_option
@click.option("--project", default="", help="Only those of this project and its keys, by slug.")
@json_option
@data_option
@refusing
def listing(org: str, project: str, as_json: bool, data: Path | None) -> None:
    """List quotas with what is used of them.

    \b
    tracer quota list
    tracer quota list --project shop --json
    """
    found = _run(data, "quota_list", org=org, project=project)
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found["quotas"]:
        place = "/".join(part for part in (one["organization"], one["project"]) if part)
        key = f" key {one['key_id']}" if one["key_id"] else ""
        over = "  EXCEEDED" if one["is_exceeded"] else ""
        click.echo(
            f"{one['id']:>6}  {place + key:<28} {one['kind']:<5} {one['text']:<32} "
            f"used {one['used']:,}{over}"
        )
    if not found["quotas"]:
        click.echo("There is no quota: everything is taken.")


@command.command("set")
@click.argument("amount", type=click.IntRange(0, 1_000_000_000))
@click.option(
    "--per", default="month", show_default=True, help="second, minute, hour, day, month or seconds."
)
@click.option(
    "--category", default="all", show_default=True, help="What to count: error, attachment, …"
)
@click.option("--soft", is_flag=True, help="Only warn; without it, what is more is refused.")
@click.option("--project", default="", help="Slug of a project; else it is the organization's.")
@click.option("--key", default="", help="Public part of a key of the project.")
@org_option
@json_option
@data_option
@refusing
def set_quota(amount: int, as_json: bool, data: Path | None, **wanted: Any) -> None:
    """Take at most AMOUNT in each window. One of the same place, window and kind is replaced.

    \b
    tracer quota set 100000 --category error
    tracer quota set 600 --per minute --category error --project shop
    tracer quota set 80000 --category error --soft --json
    """
    made = _run(data, "quota_set", amount=amount, **wanted)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"The {made['kind']} quota {made['id']} of {made['text']} holds.")


@command.command("remove")
@click.argument("quota_id", type=click.IntRange(1))
@json_option
@data_option
@refusing
def remove(quota_id: int, as_json: bool, data: Path | None) -> None:
    """Remove a quota by its id, as `tracer quota list` shows it.

    \b
    tracer quota remove 3
    """
    gone = _run(data, "quota_remove", quota_id=quota_id)
    click.echo(json.dumps(gone) if as_json else f"The quota of {gone['text']} is removed.")


def _run(data: Path | None, name: str, **arguments: Any) -> Any:
    settings, _ = all_settings.load(given(data=data))
    from tracer import app

    return app.run(settings, name, **arguments)
