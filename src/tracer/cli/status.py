"""`tracer status`: how the server does, or what the folder holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing

_LABEL = 12


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
@refusing
def command(as_json: bool, data: Path | None) -> None:
    """Show how the running server does: what waits, memory, disk, last backup, what is wrong.

    Without a running server it says what the data folder holds. Nothing is changed either way.

    \b
    tracer status                          for people
    tracer status --json | jq .warnings    for machines

    Exit codes: 0 ready, 1 refused or no answer, 3 running and not ready, 4 not running.
    """
    settings, _ = all_settings.load(given(data=data))
    from tracer.app.status import find

    found = find(settings)
    if as_json:
        click.echo(json.dumps(found))
    else:
        for label, text in _lines(found):
            click.echo(f"{label:<{_LABEL}}{text}")
    if found["state"] == "stopped":
        sys.exit(4)
    sys.exit(0 if found["ready"] else 3)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    waiting, disk = found["waiting"], found["disk"]
    state = "ready" if found["ready"] else "NOT READY"
    lines = [
        ("tracer", f"{found['version']}, {'not running' if found['state'] == 'stopped' else state}")
    ]
    lines.append(("data", found["data"]))
    for warning in found.get("warnings", ()):
        lines += [(warning["code"], warning["text"]), ("", warning["advice"])]
    oldest = f", the oldest for {waiting['oldest_s']:.0f} s" if waiting.get("oldest_s") else ""
    lines.append(("waiting", f"{waiting['frames']:,} frames, {_size(waiting['bytes'])}{oldest}"))
    if "throughput" in found:
        flow, memory = found["throughput"], found["memory"]
        received, digested = flow["received_per_s"], flow["digested_per_s"]
        lines.append(("frames", f"{received:.1f} /s received, {digested:.1f} /s digested"))
        rss, duckdb = _size(memory["rss_bytes"]), _size(memory["duckdb_bytes"])
        lines.append(("memory", f"{rss}, of it the event store {duckdb}"))
    if "holds" in found:
        counts = (f"{number:,} {name}" for name, number in found["holds"].items())
        lines.append(("holds", ", ".join(counts)))
    stores = (f"{name} {_size(size)}" for name, size in found["stores"].items())
    lines.append(("stores", ", ".join(stores)))
    lines.append(("disk", _disk(disk)))
    lines.append(("backup", _backup(found["last_backup"])))
    tasks = found["tasks"]
    lines.append(("tasks", f"{tasks['waiting'] + tasks['running']} open, {tasks['failed']} failed"))
    lines.append(("versions", ", ".join(f"{k} {v}" for k, v in found["versions"].items())))
    return lines


def _disk(disk: dict[str, Any]) -> str:
    if disk["free_bytes"] is None:
        return "free space unknown"
    days = disk["full_in_days"]
    forecast = "not filling" if days is None else f"full in {days:g} days"
    return f"{_size(disk['free_bytes'])} free, {forecast}"


def _backup(last: dict[str, Any] | None) -> str:
    if last is None:
        return "none was made"
    from tracer.kit.filters import stamp

    if not last["ok"]:
        good = f"the last good one {stamp(last['good_at'])}" if last["good_at"] else "none is good"
        return f"FAILED {stamp(last['at'])}: {last['error']}; {good}"
    size = f", {_size(last['bytes'])}" if last.get("bytes") else ""
    return f"{stamp(last['at'])}{size} {last['path']}".rstrip()


def _size(number: float) -> str:
    from tracer.kit.filters import size

    return size(int(number))
