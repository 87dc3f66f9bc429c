"""How every SQLite file is opened, and how SQLite's errors become Problems. Knows no schema."""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path

import apsw

from tracer.errors import Conflict, Invalid, Problem, Unavailable

BUSY_TIMEOUT_MS = 5000
RETRY_AFTER_S = 10
CLOSE_TRIES = 100

# The disk, a lock or the machine is at fault: the same call may work later.
PASSING = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.ReadOnlyError,
)
_TAKEN = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)


def open_writer(path: Path, *, cache_bytes: int, page_bytes: int = 0) -> apsw.Connection:
    """A connection that may write: WAL, an fsync at every commit, foreign keys still off.

    `page_bytes` counts when the file is made; 0 is SQLite's default.
    Raises Invalid when the file is damaged or no SQLite file, Unavailable when it cannot be opened.
    """
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if page_bytes:
            connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _tune(connection, cache_bytes)
    except apsw.Error as error:
        raise opening_problem(error, path) from error
    return connection


def open_reader(path: Path, *, cache_bytes: int) -> apsw.Connection:
    """A read-only connection to a file that a writer of this process has open."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _tune(connection, cache_bytes)
    except apsw.Error as error:
        raise opening_problem(error, path) from error
    return connection


class _Local(threading.local):
    connection: apsw.Connection | None = None


class Readers:
    """A read-only connection for each thread that asks; closed when its thread ends."""

    def __init__(self, path: Path, *, cache_bytes: int) -> None:
        self._path = path
        self._cache_bytes = cache_bytes
        self._local = _Local()
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._closed = False

    def here(self) -> apsw.Connection:
        """The calling thread's connection. Raises Unavailable once closed."""
        if self._closed:
            raise Unavailable("The store is closed")
        connection = self._local.connection
        if connection is None:
            connection = open_reader(self._path, cache_bytes=self._cache_bytes)
            with self._lock:
                self._open.add(connection)
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close all of them, interrupting what still reads: its thread gets an error."""
        with self._lock:
            self._closed = True
            for connection in list(self._open):
                _close(connection)


def _close(connection: apsw.Connection) -> None:
    """SQLite refuses to close a connection while another thread is inside a call of it."""
    for _ in range(CLOSE_TRIES):
        try:
            connection.close()
        except apsw.ThreadingViolationError:
            connection.interrupt()
            time.sleep(0.01)
        else:
            return


def opening_problem(error: apsw.Error, path: Path) -> Problem:
    """What to say when a store cannot be opened: the file's name and SQLite's reason."""
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return Invalid(f"{path} is damaged or not a SQLite file ({error}): restore a backup")
    return Unavailable(f"{path} cannot be opened: {error}", retry_after_s=RETRY_AFTER_S)


def damage(error: BaseException) -> Unavailable | None:
    """What to say when a store turns out to be damaged in use; None for other errors."""
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return Unavailable(f"A store is damaged ({error}): restore a backup", retry_after_s=60)
    return None


def problem(error: apsw.Error) -> Exception:
    """A Problem for what may pass (Unavailable) or clashes (Conflict); a bug's error unchanged."""
    if isinstance(error, PASSING):
        return Unavailable(f"The store cannot be written: {error}", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", 0) in _TAKEN:
        return Conflict(f"Already taken: {str(error).rpartition(': ')[2]}")
    return error


def _tune(connection: apsw.Connection, cache_bytes: int) -> None:
    connection.execute(f"PRAGMA cache_size = -{cache_bytes // 1024}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    # "text" in double quotes is then an unknown column, never silently a string.
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
