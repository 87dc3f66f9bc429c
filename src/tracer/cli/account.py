"""`tracer account`: the accounts of this server, and the ways back into one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tracer.cli.group import (
    ask,
    data_option,
    details,
    json_option,
    look,
    refusing,
    tell,
)
from tracer.cli.setup import ROLES

email_option = click.option("--email", required=True, help="E-mail address of the account.")


@click.group("account")
def command() -> None:
    """Accounts: list, make and end them, their roles, lost passwords, logging out everywhere."""


@command.command("list")
@json_option
@data_option
@refusing
def listing(as_json: bool, data: Path | None) -> None:
    """List all accounts with their organizations and roles.

    \b
    tracer account list
    tracer account list --json | jq -r '.accounts[].email'
    """
    from tracer.app import account_commands

    result = look(data, account_commands.listing)
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

    \b
    tracer account reset-link --email ada@example.com
    """
    result = ask(data, "account_reset_link", email=email)
    click.echo(json.dumps(result) if as_json else result["link"])


@command.command("end-logins")
@email_option
@json_option
@data_option
@refusing
def end_logins(email: str, as_json: bool, data: Path | None) -> None:
    """Log the account out of all browsers and forget its remembered devices.

    \b
    tracer account end-logins --email ada@example.com
    """
    result = ask(data, "account_end_logins", email=email)
    text = f"{result['logins']} logins and {result['devices']} remembered devices ended."
    tell(result, as_json, [text])


@command.command("reset-second-factor")
@email_option
@json_option
@data_option
@refusing
def reset_second_factor(email: str, as_json: bool, data: Path | None) -> None:
    """Remove all second factors of an account and end its logins.

    For somebody who lost the phone and the recovery codes: make sure that it is them who ask.

    \b
    tracer account reset-second-factor --email ada@example.com
    """
    result = ask(data, "reset_second_factor", email=email)
    removed = "1 second factor is" if result["removed"] == 1 else f"{result['removed']} are"
    click.echo(json.dumps(result) if as_json else f"{result['email']}: {removed} removed.")


@command.command("server-admin")
@email_option
@click.option("--remove", is_flag=True, help="Take it away.")
@json_option
@data_option
@refusing
def server_admin(email: str, remove: bool, as_json: bool, data: Path | None) -> None:
    """Let an account administer this server: mail, keys, secrets and other accounts' passwords.

    \b
    tracer account server-admin --email ada@example.com
    """
    result = ask(data, "account_server_admin", email=email, remove=remove)
    does = "administers" if result["is_server_admin"] else "does not administer"
    tell(result, as_json, [f"{result['email']} {does} this server."])


@command.command("create")
@email_option
@click.option("--org", help="Slug of its organization.  [default: the only one]")
@click.option("--role", type=click.Choice(ROLES), default="member", show_default=True, help="Role.")
@click.option("--name", default="", help="Shown name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
@data_option
@refusing
def create(password_stdin: bool, as_json: bool, data: Path | None, **fields: Any) -> None:
    """Make an account in an organization.

    Without --password-stdin it prints a link with which its owner chooses a password, once and
    within 24 hours.

    \b
    tracer account create --email ada@example.com --org acme --role member
    echo "$PASSWORD" | tracer account create --email ada@example.com --password-stdin
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    made = ask(data, "account_create", password=password, **fields)
    lines = [f"{made['email']} is {made['role']} of {made['organization']}."]
    tell(made, as_json, lines + ([made["link"]] if "link" in made else []))


@command.command("show")
@email_option
@json_option
@data_option
@refusing
def show(email: str, as_json: bool, data: Path | None) -> None:
    """Show one account: where it belongs, how it logs in, its logins and tokens.

    \b
    tracer account show --email ada@example.com
    """
    from tracer.app import account_commands

    found = look(data, account_commands.show, email=email)
    tell(found, as_json, details(found))


@command.command("role")
@email_option
@click.option("--org", help="Slug of the organization.  [default: the only one]")
@click.option("--role", type=click.Choice(ROLES), help="The role from now on.")
@click.option("--remove", is_flag=True, help="End the membership.")
@json_option
@data_option
@refusing
def role(
    email: str, org: str | None, role: str | None, remove: bool, as_json: bool, data: Path | None
) -> None:
    """Give an account a role in an organization, or end its membership there.

    \b
    tracer account role --email ada@example.com --org acme --role manager
    tracer account role --email ada@example.com --org acme --remove
    """
    if (role is None) is not remove:
        raise click.UsageError("Say either --role or --remove.")
    done = ask(data, "account_role", email=email, org=org, role=role)
    now = f"is {done['role']}" if done["role"] else "is no member any more"
    tell(done, as_json, [f"{done['email']} {now} of {done['organization']}."])


@command.command("disable")
@email_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_option
@refusing
def disable(email: str, yes: bool, as_json: bool, data: Path | None) -> None:
    """End an account: its memberships, logins, tokens, second factors and password.

    What it wrote and did stays, under its name. `tracer account role` and `reset-link` bring it
    back.

    \b
    tracer account disable --email ada@example.com --yes
    """
    if not yes:
        click.confirm(f"End all access of {email}?", abort=True, err=True)
    done = ask(data, "account_disable", email=email)
    ended = ", ".join(
        f"{n} {kind.replace('_', ' ')}" for kind, n in done.items() if kind != "email"
    )
    tell(done, as_json, [f"{done['email']} is disabled: {ended} ended."])
