"""`tracer backup`: make backups, list them, check them. `tracer restore` brings one back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, json_option, refusing

to_option = click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the backups.  [TRACER_BACKUP_FOLDER, else `backups` in the data folder]",
)
_PER_MILLE = 1000


@click.group("backup", invoke_without_command=True)
@to_option
@click.option(
    "--with-master-key",
    is_flag=True,
    help="Put the master key in: who has the backup can then read every stored secret.",
)
@json_option
@data_option
@click.pass_context
@refusing
def command(
    context: click.Context,
    to: Path | None,
    with_master_key: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Make a backup of everything, beside a running server or on a stopped one.

    \b
    tracer backup                            into the folder of the settings
    tracer backup --to /mnt/nas/tracer       into another folder
    tracer backup list
    tracer backup verify /mnt/nas/tracer     the newest one there

    It shows one moment of all stores. Files that the backup before it in the same folder has
    already are shared with it. Stored secrets stay encrypted: keep the master key elsewhere.
    """
    if context.invoked_subcommand is not None:
        return
    settings, _ = all_settings.load(given(data=data))
    from tracer.app import backups

    with telling() as tell:
        made = backups.make(settings, None if to is None else str(to), with_master_key, tell)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"{made['path']}: {_contents(made)}, {_size(made['bytes'])}")
    click.echo(f"{_size(made['new_bytes'])} of it are new.")
    click.echo(_about_keys(made))


@command.command("list")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@json_option
@data_option
@refusing
def list_(folder: Path | None, as_json: bool, data: Path | None) -> None:
    """The backups in a folder, newest first.

    \b
    tracer backup list
    tracer backup list /mnt/nas/tracer --json
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer.app import backups

    found = backups.listing(settings, folder)
    if as_json:
        click.echo(json.dumps({"backups": found}))
        return
    for made in found:
        at = datetime.fromtimestamp(made["made_at"] / 1000, UTC)
        click.echo(
            f"{at:%Y-%m-%d %H:%M:%S} UTC  {_size(made['bytes']):>10}  "
            f"{made['program']:<8} {made['path']}"
        )
    if not found:
        click.echo("There are no backups.")


@command.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@refusing
def verify(path: Path, as_json: bool) -> None:
    """Read every byte of a backup, open each store, count, and walk the audit log.

    PATH is a backup or a folder of backups: then the newest one is checked.

    \b
    tracer backup verify /mnt/nas/tracer/tracer-20260131T040000Z
    """
    from tracer.app import backups

    with telling() as tell:
        made = backups.verify(path, tell)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"{made['path']} is whole: {_contents(made)}, {_size(made['bytes'])}")
    click.echo(_about_keys(made))


@click.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@data_option
@refusing
def restore(path: Path, as_json: bool, data: Path | None) -> None:
    """Bring a backup back into an empty data folder. It is checked first.

    PATH is a backup or a folder of backups: then the newest one is taken. Start the server on the
    folder afterwards; what waited for digest is digested then.

    \b
    tracer restore /mnt/nas/tracer --data /var/lib/tracer
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer.app import backups

    with telling() as tell:
        made = backups.restore(settings, path, tell)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"{made['data']}: {_contents(made)}, of {made['path']}")
    click.echo(_about_keys(made))


@contextmanager
def telling() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for each step, where somebody looks on."""
    bars: dict[str, Any] = {}

    def tell(step: str, done: int, total: int) -> None:
        if not sys.stderr.isatty() or not step:
            return
        if step not in bars:
            for bar in bars.values():
                bar.finish()
                bar.render_finish()
            bars[step] = click.progressbar(length=_PER_MILLE, label=f"{step:<14}", file=sys.stderr)
        bar = bars[step]
        bar.update(done * _PER_MILLE // max(1, total) - bar.pos)

    try:
        yield tell
    finally:
        for bar in bars.values():
            bar.render_finish()


def _contents(made: dict[str, Any]) -> str:
    text = f"{made['events']:,} events, {made['issues']:,} issues, {made['blobs']:,} files"
    if made["waiting"]:
        text += f", {made['waiting']:,} requests that wait for digest"
    if made["dead_letters"]:
        text += f", {made['dead_letters']:,} dead letters"
    return text


def _about_keys(made: dict[str, Any]) -> str:
    if made["has_master_key"]:
        return "The master key is in it: who has this backup can read every stored secret."
    if not made["master_keys"]:
        return "No secrets are stored in it."
    keys = ", ".join(made["master_keys"])
    return (
        f"Stored secrets are sealed with the master key {keys}, which is not in it: a restored "
        "server starts only with that key (TRACER_MASTER_KEY, a key file, or master.key in the "
        "data folder)."
    )


def _size(size: int) -> str:
    number, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.0f} B" if units[0] == "B" else f"{number:.1f} {units[0]}"
