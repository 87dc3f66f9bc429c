"""`tracer audit`: the audit log: list it, export it, check its chain, how long it is kept."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracer import clock
from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing
from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.settings import Settings

_FILTERS = (
    click.option("--org", help="Slug of the organization.  [default: all, and the server's own]"),
    click.option("--query", help="Only entries that hold all these words."),
    click.option("--actor", help="Only entries whose actor's name or e-mail contains this."),
    click.option("--action", help="Only this action, such as project.update."),
    click.option("--object", "object_", help="Only this type, or type:id, such as project:7."),
    click.option("--project", help="Only this project, by slug or id."),
    click.option("--since", help="Only entries from this date or moment on (ISO 8601, UTC)."),
    click.option("--until", help="Only entries before this moment; a date includes its day."),
)


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that choose entries."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@click.group("audit")
def command() -> None:
    """The audit log."""


@command.command("list")
@filters
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@data_option
@refusing
def list_entries(limit: int, as_json: bool, data: Path | None, **flags: str | None) -> None:
    """Print the newest entries, the newest first.

    \b
    tracer audit list --actor ada@example.com --since 2026-01-01
    tracer audit list --object project:7 --json
    """
    settings = _settings(data)
    from tracer.app import trail
    from tracer.features.audit.export import lines

    with trail.open_log(settings) as reader:
        found = trail.newest(reader, trail.search(reader, **_fields(flags)), limit)
    if as_json:
        click.echo(b"".join(lines([found], "jsonl")), nl=False)
        return
    for entry in found:
        at = clock.from_ms(entry.at).isoformat(" ", "seconds").removesuffix("+00:00")
        what = " ".join(part for part in (entry.object_type, entry.object_id, entry.object) if part)
        click.echo(
            f"{entry.id:>7}  {at}  {_line(entry.who):<24}  {entry.action:<22}  {_line(what)}"
        )


@command.command("export")
@filters
@click.option(
    "--format",
    "format_",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    help="JSON Lines, or CSV.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: standard output]",
)
@data_option
@refusing
def export(format_: str, output: Path | None, data: Path | None, **flags: str | None) -> None:
    """Write out all entries that fit, the oldest first. The export is recorded itself.

    In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.

    \b
    tracer audit export --format csv --org acme --since 2026-01-01 --output audit.csv
    """
    settings = _settings(data)
    from tracer import app
    from tracer.app import trail

    with trail.open_log(settings) as reader:
        asked = trail.search(reader, **_fields(flags))
    chosen = {name: value for name, value in dataclasses.asdict(asked.wanted).items() if value}
    app.run(settings, "audit_export", org=flags["org"], format=format_, **chosen)
    with trail.open_log(settings) as reader:
        pieces = trail.exported(reader, asked, format_)
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise Invalid(f"{output} cannot be written: {error.strerror}") from error


@command.command("verify")
@click.option("--expect", metavar="HEAD", help="A head that was printed earlier: it must be there.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An earlier export in JSON Lines: its entries must be there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def verify(expect: str | None, against: Path | None, as_json: bool, data: Path | None) -> None:
    """Walk the chain of entries and say where it breaks; exit code 1 if it does.

    Works beside a running server. The head that it prints vouches for everything before it: note
    it elsewhere, and give it back with --expect to see that nothing was cut off or rewritten since.

    \b
    tracer audit verify
    tracer audit verify --expect 1204:5d1c…
    """
    settings = _settings(data)
    from tracer.app import trail

    verdict = trail.verify(settings, expect, against)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(verdict)))
    elif verdict.broken:
        click.echo(f"tracer: the audit log is broken: {verdict.broken}", err=True)
    else:
        click.echo(f"{verdict.entries:,} entries from {verdict.first_id} on, nothing is broken")
        click.echo(f"head {verdict.head}")
    if verdict.broken:
        sys.exit(1)


@command.command("retention")
@click.option("--org", help="Slug of the organization.  [default: all]")
@click.option("--days", type=int, help="Keep entries for so many days; 0 for ever.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def retention(org: str | None, days: int | None, as_json: bool, data: Path | None) -> None:
    """Show or change how long entries are kept.

    \b
    tracer audit retention
    tracer audit retention --org acme --days 730
    """
    settings = _settings(data)
    from tracer import app

    found = app.run(settings, "audit_retention", org=org, days=days)
    if as_json:
        click.echo(json.dumps(found))
        return
    for slug, kept in found.items():
        click.echo(f"{slug:<24}{f'{kept:,} days' if kept else 'for ever'}")


def _settings(data: Path | None) -> Settings:
    return all_settings.load(given(data=data))[0]


def _fields(flags: dict[str, str | None]) -> dict[str, Any]:
    """Flags as the fields of a search."""
    type_, _, id_ = (flags["object_"] or "").partition(":")
    return {
        "org": flags["org"],
        "project": flags["project"],
        "query": flags["query"],
        "actor": flags["actor"],
        "action": flags["action"],
        "object_type": type_,
        "object_id": id_,
        "start": flags["since"],
        "end": flags["until"],
    }


def _line(text: str) -> str:
    """As one line that moves no cursor: entries hold what others typed."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:100]
