"""`tracer setup`: what the set-up link does, for scripts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing
from tracer.errors import Invalid

ROLES = ("owner", "manager", "admin", "member", "viewer")


@click.command("setup")
@click.option("--email", required=True, help="E-mail address of the account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--name", default="", help="Shown name of the account.")
@click.option("--org", help="Slug of the organization.  [default: the first one]")
@click.option("--project", help="Slug of the project.  [default: the first one]")
@click.option("--platform", help="Platform of a new project, such as python-django.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="owner",
    show_default=True,
    help="Role of a new member.",
)
@click.option("--reset-password", is_flag=True, help="Replace the password of an account.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def command(
    email: str,
    password_stdin: bool,
    name: str,
    org: str | None,
    project: str | None,
    platform: str | None,
    role: str,
    reset_password: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Make an account, an organization and a project without a browser.

    Works on an empty folder and beside a running server; what exists already is kept, so it may
    be run again. Prints the URL, the DSN and the slugs.

    \b
    echo "$PASSWORD" | tracer setup --email me@example.com --password-stdin
    echo "$PASSWORD" | tracer setup --email me@example.com --password-stdin \\
        --org acme --project shop --platform python-django --json
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer import app

    result = app.run(
        settings,
        "setup",
        email=email,
        password=_password(password_stdin),
        name=name,
        org=org,
        project=project,
        platform=platform,
        role=role,
        reset_password=reset_password,
    )
    if as_json:
        click.echo(json.dumps(result))
        return
    for key, value in result.items():
        click.echo(f"{key:<14}{value}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise Invalid("Say --password-stdin to read the password from standard input.")
    if not password:
        raise Invalid("The password is empty.")
    return password
