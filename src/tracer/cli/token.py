"""`tracer token`: API tokens."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing


@click.group("token")
def command() -> None:
    """API tokens."""


@command.command("create")
@click.option("--email", required=True, help="E-mail address of the account it belongs to.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="Such as event:read; may be repeated."
)
@click.option("--name", default="", help="What it is for.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def create(
    email: str, scopes: tuple[str, ...], name: str, as_json: bool, data: Path | None
) -> None:
    """Make a token and print it. It cannot be shown again.

    \b
    tracer token create --email me@example.com --scope event:read --scope project:read
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer import app

    result = app.run(settings, "token", email=email, scopes=list(scopes), name=name)
    click.echo(json.dumps(result) if as_json else result["token"])
