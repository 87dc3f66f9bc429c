"""`tracer token`: API tokens."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tracer.cli.group import ask, data_option, json_option, refusing
from tracer.cli.spans import SPAN

LIFETIMES = ("30d", "90d", "365d", "never")

email_option = click.option("--email", default="", help="E-mail address of the account.")
org_option = click.option("--org", default="", help="Slug of the organization.")


@click.group("token")
def command() -> None:
    """API tokens of accounts and of organizations."""


@command.command("create")
@email_option
@org_option
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="Such as event:read; may be repeated."
)
@click.option("--name", default="", help="What it is for.")
@click.option(
    "--project", "projects", multiple=True, help="Slug of the only project; may be repeated."
)
@click.option(
    "--expires",
    "lifetime",
    type=click.Choice(LIFETIMES),
    default="365d",
    show_default=True,
    help="How long it lives.",
)
@json_option
@data_option
@refusing
def create(
    email: str,
    org: str,
    scopes: tuple[str, ...],
    name: str,
    projects: tuple[str, ...],
    lifetime: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Make a token and print it. It cannot be shown again.

    With --email it is that account's and never does more than the account may do; with --org
    alone it is the organization's own, for builds and other machines. A scope that its owner
    lacks is refused.

    \b
    tracer token create --email me@example.com --scope event:read --scope project:read
    tracer token create --org acme --scope org:ci --expires 90d
    """
    result = ask(
        data,
        "token",
        email=email,
        org=org,
        scopes=list(scopes),
        name=name,
        projects=list(projects),
        lifetime=lifetime,
    )
    click.echo(json.dumps(result) if as_json else result["token"])


@command.command("list")
@email_option
@org_option
@json_option
@data_option
@refusing
def listing(email: str, org: str, as_json: bool, data: Path | None) -> None:
    """List the tokens of an account (--email) or of an organization (--org).

    \b
    tracer token list --email ada@example.com
    """
    result = ask(data, "token_list", email=email, org=org)
    if as_json:
        click.echo(json.dumps(result))
        return
    for token in result["tokens"]:
        state = "works" if token["works"] else "ended"
        if token["works"] and token["is_cut_short"]:
            state = "rotate"
        title = token["name"] or "-"
        click.echo(f"{token['id']:<6}{state:<8}{title:<24}{' '.join(token['scopes'])}")


@command.command("revoke")
@click.argument("token_id", type=int)
@json_option
@data_option
@refusing
def revoke(token_id: int, as_json: bool, data: Path | None) -> None:
    """Refuse a token from now on. TOKEN_ID is in `tracer token list`.

    \b
    tracer token revoke 12
    """
    done = ask(data, "token_revoke", token_id=token_id)
    click.echo(json.dumps(done) if as_json else f"Token {token_id} is revoked.")


@command.command("rotate")
@click.argument("token_id", type=int)
@click.option(
    "--overlap",
    type=SPAN,
    default="1d",
    show_default=True,
    help="How long the old one goes on working, such as 12h or 7d.",
)
@json_option
@data_option
@refusing
def rotate(token_id: int, overlap: int, as_json: bool, data: Path | None) -> None:
    """Make a token like an old one and print it; the old one goes on working for a while.

    \b
    tracer token rotate 12 --overlap 7d
    """
    result = ask(data, "token_rotate", token_id=token_id, overlap_s=overlap)
    click.echo(json.dumps(result) if as_json else result["token"])
