"""`tracer access`: address lists and policies, and the way back in when they shut people out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tracer.cli.group import ask, data_option, json_option, refusing

org_option = click.option("--org", default="", help="Slug of the organization.")


@click.group("access")
def command() -> None:
    """Address lists and policies: see them, ask why, and open the way back in."""


@command.command("show")
@org_option
@json_option
@data_option
@refusing
def show(org: str, as_json: bool, data: Path | None) -> None:
    """Show what can keep people out: address lists, second factor, policies.

    \b
    tracer access show --org acme
    """
    result = ask(data, "access_show", org=org)
    if as_json:
        click.echo(json.dumps(result))
        return
    for found in result["organizations"]:
        click.echo(found["slug"])
        for title, name in (("addresses", "ip_ranges"), ("administration", "admin_ip_ranges")):
            click.echo(f"  {title:<16}{' '.join(found[name]) or 'every address'}")
        click.echo(f"  {'second factor':<16}{found['second_factor']}")
        for policy in found["policies"]:
            state = "" if policy["is_active"] else "  (off)"
            click.echo(f"  {'policy ' + str(policy['id']):<16}{policy['name']}{state}")
            click.echo(f"  {'':<16}{policy['sentence']}")


@command.command("unlock")
@org_option
@click.option("--addresses", "addresses", is_flag=True, help="Only empty the address lists.")
@click.option("--policies", "policies", is_flag=True, help="Only switch the policies off.")
@json_option
@data_option
@refusing
def unlock(org: str, addresses: bool, policies: bool, as_json: bool, data: Path | None) -> None:
    """Let everybody in again: empty the address lists and switch all policies off.

    It takes effect at once, beside a running server or without one. Policies are kept and can be
    switched on again one by one. Without --org in all organizations.

    \b
    tracer access unlock --org acme
    tracer access unlock --addresses
    """
    both = addresses == policies
    result = ask(
        data, "access_unlock", org=org, addresses=addresses or both, policies=policies or both
    )
    if as_json:
        click.echo(json.dumps(result))
        return
    for slug, done in result["organizations"].items():
        entries = "1 address" if done["addresses"] == 1 else f"{done['addresses']} addresses"
        off = "1 policy" if done["policies"] == 1 else f"{done['policies']} policies"
        click.echo(f"{slug}: {entries} removed, {off} switched off.")


@command.command("explain")
@click.argument("actor")
@click.argument("permission")
@org_option
@click.option("--project", default="", help="Slug of the project.")
@click.option("--environment", default="", help="Environment of the project's events.")
@click.option("--address", default="", help="From which address; this machine unless given.")
@click.option("--at", default="", help="When, such as 2026-11-24T09:30 (UTC); now unless given.")
@click.option("--second-factor", type=click.Choice(("with", "without")), default=None)
@json_option
@data_option
@refusing
def explain(
    actor: str,
    permission: str,
    second_factor: str | None,
    as_json: bool,
    data: Path | None,
    **asked: str,
) -> None:
    """Say whether ACTOR may use PERMISSION, and which rule decides.

    ACTOR is the e-mail address of a member, or token:12.

    \b
    tracer access explain me@example.com event:write --project shop
    tracer access explain token:12 project:releases --address 192.0.2.7
    """
    result = ask(
        data,
        "access_explain",
        actor=actor,
        permission=permission,
        second_factor=second_factor or "",
        **asked,
    )
    if as_json:
        click.echo(json.dumps(result))
        return
    for step in result["steps"]:
        click.echo(f"{'ok' if step['passed'] else 'NO':<4}{step['rule']:<24}{step['text']}")
    may = "may" if result["allowed"] else "may not"
    click.echo(f"{result['actor']} {may} use {permission}: {result['text']}")
