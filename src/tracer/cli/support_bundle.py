"""`tracer support-bundle`: what helps to find a fault, in one file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing
from tracer.errors import Invalid


@click.command("support-bundle")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the server's log; its last 500 lines are put in, scrubbed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def command(output: Path | None, log: Path | None, as_json: bool, data: Path | None) -> None:
    """Gather versions, settings, status numbers, schemas, row counts and log lines in one file.

    Never in it: events, keys, tokens, passwords, e-mail and network addresses. Look through it
    before you pass it on all the same, the log's lines above all.

    \b
    tracer support-bundle -o bundle.json
    journalctl -u tracer -n 500 > log.txt; tracer support-bundle --log log.txt -o bundle.json
    """
    settings, sources = all_settings.load(given(data=data))
    from tracer.app import support

    found = support.gather(settings, sources, log)
    text = json.dumps(found, indent=None if as_json else 1, default=str)
    if output is None:
        click.echo(text)
        return
    try:
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Invalid(f"{output} cannot be written: {error.strerror}") from error
    click.echo(json.dumps({"path": str(output)}) if as_json else f"{output} is written.")
