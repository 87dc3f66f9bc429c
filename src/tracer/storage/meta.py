"""The SQLite store of all that changes: issues, projects, users, rules, tasks, the digest position.

One writer behind a lock, a read-only connection for each thread. Knows no tables but `tasks` and
`audit_head`.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar

import apsw
import msgspec

from tracer import clock
from tracer.errors import Unavailable
from tracer.storage import counting, migrate, snapshots, sqlite, timing

T = TypeVar("T")

WRITER_CACHE_BYTES = 16 << 20
READER_CACHE_BYTES = 4 << 20


class Reader:
    """Statements on one connection. Parameters are named: `:name` in SQL, `name=` in the call."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, /, **params: Any) -> list[tuple[Any, ...]]:
        """All rows."""
        counting.note_query()
        began = perf_counter()
        found = self._connection.execute(sql, params).fetchall()
        timing.note("meta", sql, began)
        return found

    def row(self, sql: str, /, **params: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        counting.note_query()
        began = perf_counter()
        found = self._connection.execute(sql, params).fetchone()
        timing.note("meta", sql, began)
        return found

    def value(self, sql: str, /, **params: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, **params)
        return None if row is None else row[0]

    def load(self, cls: type[T], sql: str, /, **params: Any) -> list[T]:
        """`cls(*row)` for each row: select the columns in the order of the fields."""
        return [cls(*row) for row in self.rows(sql, **params)]

    def find(self, cls: type[T], sql: str, /, **params: Any) -> T | None:
        """`cls(*row)` for the first row, or None."""
        row = self.row(sql, **params)
        return None if row is None else cls(*row)


class Tx(Reader):
    """An open write transaction. It reads its own changes; nobody else does before it commits."""

    __slots__ = ("audit_key", "audited", "facts", "now_ms")

    def __init__(self, connection: apsw.Connection, audit_key: bytes = b"") -> None:
        super().__init__(connection)
        self.now_ms = clock.now_ms()
        self.facts: list[object] = []
        self.audited = False
        self.audit_key = audit_key

    def execute(self, sql: str, /, **params: Any) -> int:
        """Run one INSERT, UPDATE or DELETE; return how many rows it changed, cascades not counted.

        Raises Conflict (a unique value is taken) and Unavailable (full disk).
        """
        counting.note_query()
        began = perf_counter()
        try:
            self._connection.execute(sql, params)
        except apsw.Error as error:
            raise sqlite.problem(error) from error
        timing.note("meta", sql, began)
        return self._connection.changes()

    def insert(self, sql: str, /, **params: Any) -> int:
        """Insert one row; return its rowid. Raises Conflict, Unavailable."""
        counting.note_query()
        try:
            self._connection.execute(sql, params)
        except apsw.Error as error:
            raise sqlite.problem(error) from error
        return self._connection.last_insert_rowid()

    def many(self, sql: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> None:
        """Run one statement for each row: mappings for `:name`, sequences for `?`."""
        counting.note_query()
        try:
            self._connection.executemany(sql, rows)
        except apsw.Error as error:
            raise sqlite.problem(error) from error

    def enqueue(self, name: str, /, **arguments: Any) -> None:
        """Add a task, due now: it exists if and only if this transaction commits."""
        self.insert(
            "INSERT INTO tasks (name, arguments, due_at, created_at) "
            "VALUES (:name, :arguments, :now, :now)",
            name=name,
            arguments=msgspec.json.encode(arguments).decode(),
            now=self.now_ms,
        )

    def emit(self, fact: object) -> None:
        """Remember a fact, for `Meta.on_commit` once this transaction has committed."""
        self.facts.append(fact)


def sealed(key: bytes, audit_id: int, hash_: bytes) -> bytes:
    """What vouches for the newest audit entry: HMAC-SHA256 over its id and hash. The log of a new
    file is sealed too, so that an emptied one is not taken for new."""
    return hmac.digest(key, b"audit head %d " % audit_id + hash_, "sha256")


class Unaudited(Exception):
    """A transaction changed something that the audit log was not told of. It was rolled back."""


class Meta:
    """The open store. Safe to use from many threads; `close` it when they have stopped."""

    counted = staticmethod(counting.counted)

    def __init__(self, path: Path, *, audit_key: bytes = b"") -> None:
        """Open or create the file and bring it to this program's schema. Raises Invalid.

        `audit_key` seals the end of the audit log: `Folder.audit_key()`.
        """
        self.path = path
        self._audit_key = audit_key
        self.on_commit: Callable[[list[object]], None] | None = None
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._held_since: float | None = None
        self._closed = False
        self._readers = sqlite.Readers(path, cache_bytes=READER_CACHE_BYTES)
        self._writer = sqlite.open_writer(path, cache_bytes=WRITER_CACHE_BYTES)
        try:
            snapshots.take(self._writer, path, len(migrate.migrations()))
            with self._writer:
                self._migrate()
            self._writer.execute("PRAGMA foreign_keys = ON")
        except apsw.Error as error:
            self._writer.close()
            raise sqlite.opening_problem(error, path) from error
        except BaseException:
            self._writer.close()
            raise

    def _migrate(self) -> None:
        head = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'audit_head'"
        has_log = self._writer.execute(head).fetchone() != (0,)
        migrate.migrate(self._writer, self.path, migrate.migrations())
        if not has_log:
            seal = sealed(self._audit_key, 0, b"")
            self._writer.execute("UPDATE audit_head SET seal = ?", (seal,))

    def read(self) -> Reader:
        """This thread's read connection; each statement sees the latest commit."""
        return Reader(self._readers.here())

    def write(self, *, unaudited: str = "") -> AbstractContextManager[Tx]:
        """A transaction: commits when the block ends, rolls back when it raises.

        What it changes must be recorded in the audit log (kit.audit) in the same transaction, else
        Unaudited. `unaudited` says of which bookkeeping it is that nobody asked for in person.
        Waits for the other writers of this process. Raises Unavailable when the commit fails
        (full disk); nothing is stored then.
        """
        return self._transaction(unaudited)

    @contextmanager
    def _transaction(self, unaudited: str) -> Iterator[Tx]:
        if self._owner == threading.get_ident():
            raise RuntimeError("write() inside write(): pass the open tx down instead")
        with self._lock:
            if self._closed:
                raise Unavailable("The store is closed")
            self._owner = threading.get_ident()
            self._held_since = monotonic()
            try:
                self._run("BEGIN IMMEDIATE")
                changes = self._writer.total_changes()
                tx = Tx(self._writer, self._audit_key)
                yield tx
                changed = self._writer.total_changes() != changes
                if changed and not (unaudited or tx.audited):
                    raise Unaudited("rows were changed and nothing was recorded")
                self._run("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                self._owner = self._held_since = None
        if tx.facts and self.on_commit is not None:
            self.on_commit(tx.facts)

    @property
    def write_held_s(self) -> float:
        """How long the open write transaction has been open; 0 when there is none."""
        since = self._held_since
        return 0.0 if since is None else monotonic() - since

    def _run(self, sql: str) -> None:
        try:
            self._writer.execute(sql)
        except apsw.Error as error:
            raise sqlite.problem(error) from error

    def close(self) -> None:
        """Wait for the writer, then close every connection; reads under way are interrupted."""
        with self._lock:
            self._closed = True
            self._readers.close()
            self._writer.close()
