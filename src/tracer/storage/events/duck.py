"""The event store on DuckDB: one file, one process, no indexes, keys or constraints.

Indexes are where DuckDB has lost data, and append-only rows need none: the row groups' ranges of
`timestamp` and `frame` let queries skip what they do not need.
"""

# ruff: noqa: S608 - only the names of declared tables and columns are put into SQL

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import msgspec

from tracer.errors import Unavailable
from tracer.storage import counting, timing
from tracer.storage.events.deadline import Watch
from tracer.storage.events.freezing import Freezing
from tracer.storage.events.instance import BROKEN, Instance, Value, problem
from tracer.storage.events.store import Row, Sql
from tracer.storage.tables import Table

TIMEOUT_S = 10.0
APPEND_ROWS = 16
#: After so many rows the file is opened anew: see ADR 12.
RENEW_ROWS = 200_000


class _Local(threading.local):
    instance: Instance | None = None
    cursor: duckdb.DuckDBPyConnection | None = None


class DuckEvents:
    """The open store. In memory when `path` is None."""

    def __init__(
        self,
        path: Path | None,
        *,
        memory_limit: str,
        threads: int,
        temp: Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Open or create the file; `temp` is a folder beside it where large queries spill.

        Raises Invalid when the file or its log is damaged, Conflict when another process has it.
        """
        self._path = path
        self._settings: dict[str, Value] = {"memory_limit": memory_limit, "threads": threads}
        if temp is not None:
            self._settings["temp_directory"] = str(temp)
        self._timeout_s = timeout_s
        self._tables: dict[str, Table] = {}
        self._writing = threading.Lock()
        self._opening = threading.Lock()
        self._local = _Local()
        self._use = threading.Lock()
        self._users = 0
        self._appended = 0
        self._closed = False
        self._instance: Instance | None = Instance(path, self._settings)
        self._watch = Watch()

    def prepare(self, tables: Sequence[Table]) -> None:
        """See EventStore."""
        with self._write() as writer:
            for table in tables:
                columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
                writer.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({columns})")
                writer.execute(f"DROP TABLE IF EXISTS temp.{table.name}_staged")
                present = {row[0] for row in writer.execute(f"DESCRIBE {table.name}").fetchall()}
                for column in table.columns:
                    if column.name not in present:
                        writer.execute(
                            f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.type}"
                        )
        self._tables.update({table.name: table for table in tables})

    def append(self, batch: Mapping[Table, Sequence[Row]]) -> None:
        """See EventStore."""
        with self._write() as writer:
            for table, rows in batch.items():
                if rows:
                    _append(writer, table, rows)
                    self._appended += len(rows)

    def select(self, sql: Sql, /, **params: Any) -> list[Row]:
        """See EventStore. Times come back as naive UTC, a VARIANT as a dict."""
        counting.note_query()
        with self._using() as instance:
            local = self._local
            if local.instance is not instance or local.cursor is None:
                local.cursor = instance.cursor()
                local.instance = instance
            cursor = local.cursor
            began = perf_counter()
            with self._problems(instance), self._watch.limit(self._timeout_s, cursor.interrupt):
                rows: list[Row] = cursor.execute(sql.text, params).fetchall()
            timing.note("events", sql.text, began)
            return rows

    def renew_if_due(self) -> bool:
        """See EventStore."""
        with self._writing, self._use:
            instance = self._instance
            if self._appended < RENEW_ROWS or self._users or self._path is None or not instance:
                return False
            with self._opening:
                self._instance = None
                instance.close()
                self._instance = Instance(self._path, self._settings)
            self._appended = 0
            return True

    def memory_bytes(self) -> int:
        """See EventStore."""
        rows = self.select(Sql("SELECT coalesce(sum(memory_usage_bytes), 0) FROM duckdb_memory()"))
        return int(rows[0][0])

    def forget_from(self, frame: int) -> int:
        """See EventStore."""
        with self._write() as writer:
            return sum(
                _delete(writer, f"DELETE FROM {name} WHERE frame >= $frame", {"frame": frame})
                for name in self._tables
            )

    def erase(
        self,
        table: Table,
        project_id: int,
        *,
        group_hashes: Sequence[str] | None = None,
        event_ids: Sequence[str] | None = None,
    ) -> int:
        """See EventStore."""
        sql = f"DELETE FROM {table.name} WHERE project_id = $project_id"
        params: dict[str, Any] = {"project_id": project_id}
        if group_hashes is not None:
            sql += " AND group_hash IN $group_hashes"
            params["group_hashes"] = list(group_hashes)
        if event_ids is not None:
            sql += " AND event_id IN $event_ids"
            params["event_ids"] = list(event_ids)
        with self._write() as writer:
            return _delete(writer, sql, params)

    @contextmanager
    def freezing(self, copy: Path) -> Iterator[Freezing]:
        """A copy of one moment into a new file beside this one; appends go on meanwhile."""
        with self._using() as instance, self._problems(instance):
            freezing = Freezing(instance.cursor(), copy)
            try:
                yield freezing
            finally:
                freezing.close()

    def close(self) -> None:
        """See EventStore."""
        with self._writing, self._opening:
            self._closed = True
            if self._instance is not None:
                self._instance.close()
                self._instance = None
        self._watch.close()

    @contextmanager
    def _write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction on the writer's connection, one at a time."""
        with self._writing:
            instance = self._open()
            writer = instance.writer
            with self._problems(instance):
                writer.execute("BEGIN")
                try:
                    yield writer
                    writer.execute("COMMIT")
                except BaseException:
                    with suppress(duckdb.Error):
                        writer.execute("ROLLBACK")
                    raise

    @contextmanager
    def _using(self) -> Iterator[Instance]:
        """The open file, which is not closed meanwhile."""
        with self._use:
            self._users += 1
        try:
            yield self._open()
        finally:
            with self._use:
                self._users -= 1

    def _open(self) -> Instance:
        """The open file; opened anew after DuckDB has given up on it."""
        instance = self._instance
        if instance is None:
            with self._opening:
                if self._closed:
                    raise Unavailable("The event store is closed")
                if self._instance is None:
                    self._instance = Instance(self._path, self._settings)
                instance = self._instance
        return instance

    @contextmanager
    def _problems(self, instance: Instance) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if isinstance(error, BROKEN):
                with self._opening:
                    if self._instance is instance:
                        self._instance = None
                        instance.close()
            raise problem(error) from error


def _append(writer: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Row]) -> None:
    """Through the appender. A VARIANT goes in as JSON text by way of a temporary table, which
    costs a third of what the appender takes to turn a dict into one."""
    columns = table.columns
    names = [column.name for column in columns]
    at = next((i for i, column in enumerate(columns) if column.type == "VARIANT"), None)
    if at is None:
        with writer.appender(table.name, columns=names) as appender:
            _append_rows(appender, rows)
        return
    types = ["VARCHAR" if column.type == "VARIANT" else column.type for column in columns]
    staged = ", ".join(f"{name} {type_}" for name, type_ in zip(names, types, strict=True))
    writer.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table.name}_staged ({staged})")
    encode = msgspec.json.encode
    with writer.appender(f"{table.name}_staged") as appender:
        _append_rows(appender, [(*r[:at], encode(r[at]).decode(), *r[at + 1 :]) for r in rows])
    variant = names[at]
    writer.execute(
        f"""
        INSERT INTO {table.name} BY NAME
        SELECT * REPLACE ({variant}::JSON::VARIANT AS {variant})
          FROM {table.name}_staged
        """
    )
    writer.execute(f"TRUNCATE {table.name}_staged")


def _append_rows(appender: Any, rows: Sequence[Row]) -> None:
    # The appender keeps the interpreter for a whole call: requests would wait for a long one.
    for start in range(0, len(rows), APPEND_ROWS):
        appender.append_rows(rows[start : start + APPEND_ROWS])


def _delete(writer: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any]) -> int:
    row = writer.execute(sql, params).fetchone()
    return int(row[0]) if row else 0
