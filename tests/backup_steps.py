"""What tests of backups share: something to back up, and what is in a server, counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Running
from letter_steps import bury, ids
from serving import cli, read_json
from tracer.storage.events.store import Sql

ATTACHMENT = b"all that was on the screen " * 50
TABLES = ("issues", "users", "projects", "organizations", "outcomes", "attachments")


def fill(tracer: Running, events: int = 5) -> list[str]:
    """Events, one with an attachment, a dead letter and a user; the ids of the events."""
    sent = [tracer.send(message=f"number {number}") for number in range(events)]
    file = ({"type": "attachment", "filename": "screen.txt"}, ATTACHMENT)
    sent.append(tracer.send({"message": "with a file"}, items=[file]))
    bury(tracer)
    tracer.add_user()
    return sent


def counts(tracer: Running) -> dict[str, Any]:
    """Rows of what matters, by store."""
    reader = tracer.meta.read()
    found = {name: reader.value(f"SELECT count(*) FROM {name}") for name in TABLES}
    found["letters"] = len(ids(tracer))
    for table in ("events", "payloads"):
        found[table] = tracer.tracer.events.select(Sql(f"SELECT count(*) FROM {table}"))[0][0]
    return found


def payloads(tracer: Running) -> list[Any]:
    """Every payload, byte for byte, with its event."""
    sql = Sql("SELECT event_id, dictionary, body FROM payloads ORDER BY event_id, frame")
    return tracer.tracer.events.select(sql)


def backup(data: Path, *words: str) -> Any:
    """`tracer backup --json`, that must succeed."""
    return read_json(cli("backup", *words, "--json", "--data", str(data)))


def restore(path: str | Path, data: Path) -> Any:
    """`tracer restore --json`, that must succeed."""
    return read_json(cli("restore", str(path), "--json", "--data", str(data)))
