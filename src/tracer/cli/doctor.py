"""`tracer doctor`: what is wrong with a data folder, what it means, and what mends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, json_option, plain
from tracer.errors import Problem

if TYPE_CHECKING:
    from tracer.app.doctor import Report

FAILED = 3


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely.")
@json_option
@data_option
def command(fix: bool, as_json: bool, data: Path | None) -> None:
    """Check everything that a data folder holds, and repair it.

    Counters against events, accounts, attachments and their files, the audit log, how far digest
    got, SQLite files, permissions, clock, disk, open files, background work. Works beside a running
    server, in small steps, and on a stopped one. Each finding says what it means and what to do;
    what --fix does is recorded in the audit log.

    Exit codes: 0 nothing is wrong, 1 warnings, 2 errors (or wrong usage), 3 not checked.

    \b
    tracer doctor
    tracer doctor --fix
    tracer doctor --json | jq '.findings[] | select(.severity == "error")'
    """
    try:
        settings = all_settings.load(given(data=data))[0]
        report = _examine(settings, fix)
    except Problem as problem:
        click.echo(f"tracer: {problem.detail}", err=True)
        sys.exit(FAILED)
    errors, warnings = report.open("error"), report.open("warning")
    if as_json:
        counts = {"running": report.is_running, "errors": errors, "warnings": warnings}
        click.echo(json.dumps({**counts, "findings": report.shown()}))
    else:
        for line in _lines(report):
            click.echo(plain(line))
    sys.exit(2 if errors else 1 if warnings else 0)


def _examine(settings: all_settings.Settings, fix: bool) -> Report:
    """A bar shows which check is under way, where somebody looks on."""
    from tracer.app.doctor import CHECKS, examine

    if not sys.stderr.isatty():
        return examine(settings, fix=fix)
    names = list(CHECKS)
    with click.progressbar(
        length=len(names), file=sys.stderr, item_show_func=lambda name: name or ""
    ) as bar:

        def tell(name: str) -> None:
            done = names.index(name) if name in names else len(names)
            bar.update(done - bar.pos, name)

        return examine(settings, fix=fix, tell=tell)


def _lines(report: Report) -> Iterator[str]:
    for one in report.shown():
        state = "fixed" if one["fixed"] else one["severity"]
        yield f"{state:<9}{one['text']}"
        yield f"{'':<9}{one['means']}"
        if one["refused"]:
            yield f"{'':<9}Not repaired: {one['refused']}"
        elif not one["fixed"]:
            yield f"{'':<9}→ {one['fix']}"
    fixed = f", {len(report.fixed)} fixed" if report.fixed else ""
    yield f"{report.open('error')} errors, {report.open('warning')} warnings{fixed}."
