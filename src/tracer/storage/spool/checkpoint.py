"""Writes the spool's log (WAL) back into its file, beside the commits and never in their way.

While requests pour in there is always a commit that a PASSIVE run has not seen, and only a log
that is written back completely starts anew. Past a bound the writer does the small rest itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from tracer.storage import sqlite

CACHE_BYTES = 1 << 20
RUN_AT_BYTES = 8 << 20
# The rest of a log longer than this is written back by the writer, between two groups.
BEHIND_AT_BYTES = 12 << 20
# What a commit writes besides the frames' own bytes, about.
COMMIT_BYTES = 24 << 10

log = logging.getLogger(__name__)


class Checkpointer:
    """A thread with a connection of its own. `wrote` and `catch_up` are the writer's to call."""

    def __init__(self, path: Path) -> None:
        self.is_behind = False
        self._path = path
        self._written_bytes = 0
        self._due = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="spool-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wrote(self, size_bytes: int) -> None:
        """A commit of about this size was made."""
        self._written_bytes += size_bytes + COMMIT_BYTES
        if self._written_bytes >= RUN_AT_BYTES:
            self.ask()

    def ask(self) -> None:
        """Write back now."""
        self._written_bytes = 0
        self._due.set()

    def catch_up(self, connection: apsw.Connection) -> None:
        """On the writer's thread: write back the rest, so that the next commit restarts the log."""
        self.is_behind = False
        with _tolerant():
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        self._closed = True
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        connection = sqlite.open_writer(self._path, cache_bytes=CACHE_BYTES)
        connection.wal_autocheckpoint(0)
        page_bytes = connection.pragma("page_size")
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                break
            with _tolerant():
                self.is_behind = _write_back(connection, page_bytes)
        connection.close()


@contextmanager
def _tolerant() -> Iterator[None]:
    """The next run will do what this one could not; nothing is lost meanwhile."""
    try:
        yield
    except apsw.BusyError:
        log.debug("The spool's log is being written back elsewhere")
    except apsw.Error as error:
        log.warning("The spool's log could not be written back: %s", error)


def _write_back(connection: apsw.Connection, page_bytes: int) -> bool:
    """Write back what can be without waiting; True when the log is long and may have a rest."""
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    # The second run leaves only what is committed in a millisecond or two.
    total, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return total * page_bytes >= BEHIND_AT_BYTES
