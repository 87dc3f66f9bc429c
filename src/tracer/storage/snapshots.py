"""Snapshots of a SQLite file from before it was migrated, beside it, and the way back to one.

Knows no schema but `user_version` and the marks of the spool.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from tracer import clock
from tracer.errors import Unavailable
from tracer.storage import sqlite
from tracer.storage.backup.copying import count, sync

KEEP = 3
_MARK = ".schema-"
_CACHE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was with an older schema; `made_at` is unix milliseconds."""

    path: Path
    schema: int
    made_at: int
    size_bytes: int


def take(connection: apsw.Connection, path: Path, newest: int) -> Path | None:
    """Keep the file as it is when it has an older schema than `newest`; None when it has not.

    Call it outside a transaction. The newest KEEP snapshots stay. Raises Unavailable (disk full).
    """
    schema = int(connection.pragma("user_version"))
    if not 0 < schema < newest:
        return None
    moment = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    to = path.with_name(f"{path.name}{_MARK}{schema}.{moment:%Y%m%dT%H%M%S}Z")
    part = to.with_name(f"{to.name}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(connection, part)
        part.replace(to)
        sync(path.parent)
    except (apsw.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise Unavailable(
            f"{path} is not migrated: no snapshot of it could be made ({error})"
        ) from error
    for old in snapshots(path)[KEEP:]:
        old.path.unlink(missing_ok=True)
    return to


def snapshots(path: Path) -> list[Snapshot]:
    """The snapshots of a file, newest first."""
    found = []
    for file in path.parent.glob(f"{path.name}{_MARK}*"):
        schema, _, moment = file.name.removeprefix(f"{path.name}{_MARK}").partition(".")
        try:
            at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            found.append(
                Snapshot(file, int(schema), int(at.timestamp() * 1000), file.stat().st_size)
            )
        except (ValueError, OSError):
            continue
    return sorted(found, key=lambda one: (one.made_at, one.schema), reverse=True)


def rows(path: Path) -> dict[str, int]:
    """Rows by table, and `position` of digest or `newest` frame where the file knows it."""
    connection = sqlite.open_reader(path, cache_bytes=_CACHE_BYTES)
    try:
        found = count(connection)
        for table, column in (("digest_position", "frame"), ("marks", "newest")):
            if table in found:
                value = connection.execute(f"SELECT {column} FROM {table}").fetchone()  # noqa: S608
                found[column] = int(value[0]) if value else 0
        return found
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    finally:
        connection.close()


def roll_back(path: Path, snapshot: Snapshot, *, position: int | None = None) -> Path:
    """Put a snapshot in the file's place; where the file of now was set aside. Folder locked.

    `position`, for the spool, is how far digest got: frames to come are numbered after it.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    source = sqlite.open_reader(snapshot.path, cache_bytes=_CACHE_BYTES)
    try:
        _copy(source, part)
    finally:
        source.close()
    if position is not None:
        connection = apsw.Connection(str(part))
        connection.execute("UPDATE marks SET newest = max(newest, ?)", (position,))
        connection.close()
    # All of the present file in one: its log goes back into it.
    writer = sqlite.open_writer(path, cache_bytes=_CACHE_BYTES)
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.close()
    stamp = f"{datetime.fromtimestamp(clock.now_ms() / 1000, UTC):%Y%m%dT%H%M%S}Z"
    aside = path.with_name(f"{path.name}.rolled-back.{stamp}")
    aside.unlink(missing_ok=True)
    # The file never lacks: the present one gets a second name before the other takes its place.
    os.link(path, aside)
    part.replace(path)
    sync(path.parent)
    return aside


def _copy(source: apsw.Connection, to: Path) -> None:
    target = apsw.Connection(str(to))
    try:
        with target.backup("main", source, "main") as copying:
            copying.step(-1)
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
    to.chmod(0o600)
    sync(to)
