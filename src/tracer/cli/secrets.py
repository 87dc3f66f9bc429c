"""`tracer secrets`: the master key and what it encrypts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tracer.cli.group import ask, data_option, json_option, refusing


@click.group("secrets")
def command() -> None:
    """Secrets at rest: which key encrypts them, and changing it."""


@command.command("status")
@json_option
@data_option
@refusing
def status(as_json: bool, data: Path | None) -> None:
    """Show the master keys, what they encrypt, and what is old, weak or too open.

    Exit code 0 also when something was found; --json has `findings` with `level` and `text`.

    \b
    tracer secrets status
    """
    found = ask(data, "secrets_status")
    if as_json:
        click.echo(json.dumps(found))
        return
    for key in found["keys"]:
        role = "seals" if key["seals"] else "old"
        click.echo(f"key     {key['id']}  {role:<6} secrets {key['secrets']:>5}  {key['place']}")
    for kind in found["kinds"]:
        old = f"  {kind['old']} with another key" if kind["old"] else ""
        click.echo(f"kind    {kind['kind']:<20} {kind['count']:>5}{old}")
    for finding in found["findings"]:
        click.echo(f"{finding['level']:<7} {finding['text']}")


@command.command("rotate")
@json_option
@data_option
@refusing
def rotate(as_json: bool, data: Path | None) -> None:
    """Encrypt every secret with a new master key, beside a running server or without one.

    May be interrupted at any moment and run again: the new key is on disk before it is used, and
    the old one stays until nothing needs it.

    \b
    tracer secrets rotate
    """
    result = ask(data, "secrets_rotate")
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(f"Sealed with the key {result['key']}: {result['secrets']}.")
    if result["unopenable"]:
        click.echo(
            f"{result['unopenable']} cannot be opened and stay as they are; the old keys are kept. "
            "See `tracer secrets status`.",
            err=True,
        )
    for place in result["old_keys_in"]:
        click.echo(f"The old key can now be taken out of the {place}.")


@command.command("forget-lost")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be lost.")
@json_option
@data_option
@refusing
def forget_lost(yes: bool, as_json: bool, data: Path | None) -> None:
    """Give up the secrets that no key here opens: the way on when a master key is lost for good.

    The mail password and mails that wait are forgotten, authenticator apps have to be added again
    (passkeys and recovery codes stay), access tokens go on working.

    \b
    tracer secrets forget-lost           say what would be lost
    tracer secrets forget-lost --yes
    """
    result = ask(data, "secrets_forget_lost", yes=yes)
    if as_json:
        click.echo(json.dumps(result))
        return
    for kind, count in result["forgotten"].items():
        click.echo(f"forgotten  {kind:<20} {count:>5}")
    if not result["forgotten"]:
        click.echo("Nothing is lost.")
    click.echo(f"New secrets are sealed with the key {result['key']}.")


@command.command("new-key")
@json_option
def new_key(as_json: bool) -> None:
    """Print a new master key, for TRACER_MASTER_KEY or a file.

    \b
    tracer secrets new-key > /etc/tracer/master.key
    """
    from tracer.storage import keyring

    key = keyring.new_key()
    click.echo(json.dumps({"key": key}) if as_json else key)
