"""`tracer retention`: what is kept for how long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import ask, data_option, given, json_option, look, moment, refusing, tell


@click.command("retention")
@click.option("--org", help="Slug of the organization whose audit log --audit-days is about.")
@click.option("--audit-days", type=int, help="Keep its audit log for so many days; 0 for ever.")
@json_option
@data_option
@refusing
def command(org: str | None, audit_days: int | None, as_json: bool, data: Path | None) -> None:
    """Show what is kept for how long, how much there is, and what changes it.

    \b
    tracer retention
    tracer retention --org acme --audit-days 730
    """
    if audit_days is not None:
        ask(data, "audit_retention", org=org, days=audit_days)
    elif org is not None:
        raise click.UsageError("--org goes with --audit-days.")
    settings = all_settings.load(given(data=data))[0]
    from tracer.app import retention

    found = look(data, retention.find, settings=settings)
    tell(found, as_json, _lines(found["kept"]))


def _lines(kept: list[dict[str, Any]]) -> Iterator[str]:
    for one in kept:
        days = "for ever" if one["days"] is None else f"{one['days']:,} days"
        oldest = f"since {moment(one['oldest_at'])}" if one["oldest_at"] else ""
        changed = f"  ({one['changed_by']})" if one["changed_by"] else ""
        yield f"{one['what']:<32}{days:<12}{one['rows']:>12,}  {oldest:<28}{changed}"
