"""Opening the event store when its file is damaged: the file is set aside, never deleted, and a new
one takes its place, so that the server runs and says what is missing."""

from __future__ import annotations

import logging
from pathlib import Path

from tracer.storage.events.duck import DuckEvents
from tracer.storage.events.instance import Damaged
from tracer.storage.folder import set_aside

log = logging.getLogger(__name__)


def open_events(path: Path, *, memory_limit: str, threads: int, temp: Path) -> DuckEvents:
    """The event store. A damaged file lies beside it afterwards, as `events.duckdb.damaged-…`.

    Conflict when another process has it, Invalid when a newer version wrote it, Unavailable.
    """
    try:
        return DuckEvents(path, memory_limit=memory_limit, threads=threads, temp=temp)
    except Damaged as damage:
        moved = set_aside(path, path.with_name(path.name + ".wal"))
        log.error(
            "%s It was set aside as %s: its events are not shown until a backup is restored. "
            "Issues and counts are kept; new events are stored.",
            damage.detail,
            moved.name,
        )
    return DuckEvents(path, memory_limit=memory_limit, threads=threads, temp=temp)
