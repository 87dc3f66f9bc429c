"""`tracer settings`: what is set, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@data_option
@refusing
def command(as_json: bool, data: Path | None) -> None:
    """List every setting: its value, where the value came from, and what it does.

    A setting is given as TRACER_<NAME> in the environment, or as a key of tracer.toml in the data
    folder; `tracer serve` has flags for the most used. Sizes may be written 40MiB or 8GiB.

    \b
    tracer settings
    tracer settings --json | jq -r ".[].name"
    """
    _, sources = all_settings.load(given(data=data))
    if as_json:
        rows = [
            {"name": s.name, "value": _plain(s.value), "source": s.source, "help": s.help}
            for s in sources
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(all_settings.shown(s.value)) for s in sources)
    origin = max(len(s.source) for s in sources)
    for s in sources:
        value = all_settings.shown(s.value) or "-"
        click.echo(f"{s.name:<18} {value:<{width}}  {s.source:<{origin}}  {s.help}")


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
