"""`tracer spool`: what waits to be digested."""

from __future__ import annotations

from pathlib import Path

import click

from tracer.cli.group import ask, data_option, json_option, refusing, tell


@click.command("spool")
@json_option
@data_option
@refusing
def command(as_json: bool, data: Path | None) -> None:
    """Show what waits to be digested: frames, bytes, age, and how far digest got.

    \b
    tracer spool
    tracer spool --json | jq .frames
    """
    found = ask(data, "spool_show")
    from tracer.kit.filters import size

    refused = f", refusing at level {found['level']} of 7" if found["level"] else ""
    lines = [
        f"waiting       {found['frames']:,} frames, {size(found['bytes'])}",
        f"oldest        {found['oldest_s']:,.0f} s" if found["frames"] else "oldest        –",
        f"full          {found['share']:.0%} of its {found['measure']}{refused}",
        f"last frame    {found['last_id']:,}",
        f"position      {found['position']:,}",
        f"dead letters  {found['dead_letters']:,}",
    ]
    if found["disk_low"]:
        lines.append(f"disk          {found['disk_low']}: nothing is accepted")
    tell(found, as_json, lines)
