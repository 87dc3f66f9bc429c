"""`tracer mail`: the mail server that invitations and notices go out through."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tracer.cli.group import ask, data_option, json_option, refusing


@click.group("mail")
def command() -> None:
    """The mail server."""


@command.command("set")
@click.option("--host", required=True, help="Name of the mail server.")
@click.option("--port", default=587, show_default=True, help="Its port.")
@click.option(
    "--security",
    type=click.Choice(("starttls", "tls", "none")),
    default="starttls",
    show_default=True,
    help="How the connection is encrypted.",
)
@click.option("--username", default="", help="User to log in as.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--sender", required=True, help="What mails come from.")
@json_option
@data_option
@refusing
def set_server(
    host: str,
    port: int,
    security: str,
    username: str,
    password_stdin: bool,
    sender: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Set or change the mail server. Without --password-stdin a stored password stays.

    \b
    echo "$PASSWORD" | tracer mail set --host smtp.example.com --username tracer \\
        --password-stdin --sender "tracer <tracer@example.com>"
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    values = {"host": host, "port": port, "security": security, "username": username}
    _show(ask(data, "mail_set", **values, sender=sender, password=password), as_json)


@command.command("show")
@json_option
@data_option
@refusing
def show(as_json: bool, data: Path | None) -> None:
    """Show the mail server; never its password.

    \b
    tracer mail show
    """
    _show(ask(data, "mail_show"), as_json)


@command.command("test")
@click.argument("to")
@json_option
@data_option
@refusing
def send_test(to: str, as_json: bool, data: Path | None) -> None:
    """Send a test mail now.

    \b
    tracer mail test ada@example.com
    """
    _show(ask(data, "mail_test", to=to), as_json)


@command.command("remove")
@json_option
@data_option
@refusing
def remove(as_json: bool, data: Path | None) -> None:
    """Forget the mail server and its password.

    \b
    tracer mail remove
    """
    _show(ask(data, "mail_remove"), as_json)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    for key, value in result.items():
        click.echo(f"{key:<14}{value}")
