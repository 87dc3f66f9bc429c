"""One opening of a DuckDB file: its settings, its cursors, its errors as Problems."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path

import duckdb

from tracer import priority
from tracer.errors import Conflict, Invalid, Problem, Unavailable

RETRY_AFTER_S = 10
_NICENESS = 10
CLOSE_TRIES = 300

Value = str | bool | int

_SETTINGS: Mapping[str, Value] = {
    # Readable by DuckDB 1.5, should 2.x have to be left.
    "storage_compatibility_version": "v1.5.0",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "preserve_insertion_order": False,
    # A checkpoint holds up a commit, for about 8 ms a MB.
    "checkpoint_threshold": "16MB",
    # Merging row groups would rewrite hundreds of MB of payloads inside a commit.
    "max_vacuum_tasks": 0,
    # Row groups are small then; queries on tags are 30 times slower unless shredded all the same.
    "variant_minimum_shredding_size": 1,
}

# After these DuckDB refuses all work until the file is opened anew; a commit may have succeeded.
BROKEN = (duckdb.FatalException, duckdb.InternalException)
_PASSING = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    # Another thread closed the file, after an error of the kind above.
    duckdb.ConnectionException,
)


_NEWER = ("newer version", "version number")


class Damaged(Invalid):
    """The file is no DuckDB file, or its content does not fit its checksums."""


class Instance:
    """An open file. `writer` is for whoever holds the store's write lock."""

    def __init__(self, path: Path | None, settings: Mapping[str, Value]) -> None:
        """Open or create the file (None: in memory). Raises Invalid, Conflict."""
        name = ":memory:" if path is None else str(path)
        try:
            # DuckDB starts its threads here: beside a commit they would keep requests waiting.
            self._root = priority.call_lowered(
                _NICENESS, lambda: duckdb.connect(name, config={**_SETTINGS, **settings})
            )
            self._lock_down(path)
        except duckdb.Error as error:
            raise _opening_problem(error, name) from error
        self._lock = threading.Lock()
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self.writer = self.cursor()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection for one thread."""
        with self._lock:
            cursor = self._root.cursor()
            self._cursors.add(cursor)
            return cursor

    def close(self) -> None:
        """Close every cursor, interrupting the queries of other threads, and the file."""
        with self._lock:
            for cursor in list(self._cursors):
                _close(cursor)
            self._root.close()

    def _lock_down(self, path: Path | None) -> None:
        """No SQL can reach another file, the network, or these settings."""
        self._root.execute("SET GLOBAL TimeZone = 'UTC'")
        if path is not None:
            folder = str(path.parent).replace("'", "''")
            self._root.execute(f"SET allowed_directories = ['{folder}']")
        self._root.execute("SET enable_external_access = false")
        self._root.execute("SET lock_configuration = true")


def _close(cursor: duckdb.DuckDBPyConnection) -> None:
    """DuckDB refuses to close a cursor while another thread is inside a call of it."""
    for _ in range(CLOSE_TRIES):
        try:
            cursor.close()
        except duckdb.ResourceInUseException:
            cursor.interrupt()
            time.sleep(0.01)
        else:
            return


def problem(error: duckdb.Error) -> Exception:
    """Unavailable for what may pass; a bug's error unchanged."""
    if isinstance(error, duckdb.InterruptException):
        return Unavailable("The query took too long: ask for less, or for a shorter time")
    if isinstance(error, (*BROKEN, *_PASSING)):
        text = _first_line(error)
        return Unavailable(f"The event store cannot be used: {text}", retry_after_s=RETRY_AFTER_S)
    return error


def _opening_problem(error: duckdb.Error, name: str) -> Problem:
    text = _first_line(error)
    if "lock on file" in text:
        return Conflict(f"{name} is in use by another process")
    if "No space left" in text:
        return Unavailable(f"{name} cannot be opened: {text}", retry_after_s=RETRY_AFTER_S)
    kind = Invalid if any(word in text for word in _NEWER) else Damaged
    return kind(f"{name} or its .wal file cannot be read ({text}): restore a backup.")


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]
