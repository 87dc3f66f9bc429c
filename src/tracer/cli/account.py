"""`tracer account`: the accounts of this server, and the ways back into one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing

email_option = click.option("--email", required=True, help="E-mail address of the account.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("account")
def command() -> None:
    """Accounts: list them, replace a lost password, log out everywhere."""


@command.command("list")
@json_option
@data_option
@refusing
def listing(as_json: bool, data: Path | None) -> None:
    """List all accounts with their organizations and roles."""
    result = _run(data, "account_list")
    if as_json:
        click.echo(json.dumps(result))
        return
    for account in result["accounts"]:
        homes = " ".join(f"{slug}:{role}" for slug, role in account["organizations"].items())
        admin = "server admin" if account["is_server_admin"] else ""
        click.echo(f"{account['email']:<36}{admin:<14}{homes}".rstrip())


@command.command("reset-link")
@email_option
@json_option
@data_option
@refusing
def reset_link(email: str, as_json: bool, data: Path | None) -> None:
    """Print a link with which the account's password is replaced.

    It works once and for 24 hours. All logins of the account end when it is used; its second
    factor stays.
    """
    result = _run(data, "account_reset_link", email=email)
    click.echo(json.dumps(result) if as_json else result["link"])


@command.command("end-logins")
@email_option
@data_option
@refusing
def end_logins(email: str, data: Path | None) -> None:
    """Log the account out of all browsers and forget its remembered devices."""
    result = _run(data, "account_end_logins", email=email)
    click.echo(f"{result['logins']} logins and {result['devices']} remembered devices ended.")


@command.command("reset-second-factor")
@email_option
@json_option
@data_option
@refusing
def reset_second_factor(email: str, as_json: bool, data: Path | None) -> None:
    """Remove all second factors of an account and end its logins.

    For somebody who lost the phone and the recovery codes: make sure that it is them who ask.
    """
    result = _run(data, "reset_second_factor", email=email)
    removed = "1 second factor is" if result["removed"] == 1 else f"{result['removed']} are"
    click.echo(json.dumps(result) if as_json else f"{result['email']}: {removed} removed.")


@command.command("server-admin")
@email_option
@click.option("--remove", is_flag=True, help="Take it away.")
@data_option
@refusing
def server_admin(email: str, remove: bool, data: Path | None) -> None:
    """Let an account administer this server: mail, keys, secrets and other accounts' passwords."""
    result = _run(data, "account_server_admin", email=email, remove=remove)
    does = "administers" if result["is_server_admin"] else "does not administer"
    click.echo(f"{result['email']} {does} this server.")


def _run(data: Path | None, name: str, **arguments: Any) -> Any:
    settings, _ = all_settings.load(given(data=data))
    from tracer import app

    return app.run(settings, name, **arguments)
