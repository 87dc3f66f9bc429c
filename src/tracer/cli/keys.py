"""`tracer keys`: the keys that sign access tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tracer import clock
from tracer.cli.group import ask, data_option, json_option, refusing
from tracer.cli.spans import SPAN


@click.group("keys")
def command() -> None:
    """The keys that sign access tokens."""


@command.command("list")
@json_option
@data_option
@refusing
def listing(as_json: bool, data: Path | None) -> None:
    """List the signing keys: which signs, and until when the others verify.

    \b
    tracer keys list
    """
    _tell(ask(data, "keys_list"), as_json)


@command.command("rotate")
@click.option(
    "--overlap",
    type=SPAN,
    default="30d",
    show_default=True,
    help="How long tokens signed before go on working, such as 7d; 0 ends them all at once.",
)
@json_option
@data_option
@refusing
def rotate(overlap: int, as_json: bool, data: Path | None) -> None:
    """Sign with a new key from now on. Rotate the tokens signed before within the overlap.

    \b
    tracer keys rotate
    tracer keys rotate --overlap 0      after a leak: every token ends at once
    """
    _tell(ask(data, "keys_rotate", overlap_s=overlap), as_json)


def _tell(result: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    for key in result["keys"]:
        until = "signs"
        if key["retires_at"] is not None:
            until = f"verifies until {clock.from_ms(key['retires_at']):%Y-%m-%d %H:%M} UTC"
        click.echo(f"{key['kid']}  {until:<38}{key['tokens']} tokens, {key['age_days']} days old")
