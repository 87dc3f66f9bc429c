"""Writes of dead letters: burying, letting one be digested again, discarding, keeping the bounds.

What the bounds remove is counted in the transaction that removes it. Never decodes a frame.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from tracer import clock
from tracer.storage.spool.frames import Frame
from tracer.storage.spool.letters import LetterReader
from tracer.storage.spool.writer import Writer

DETAIL_MAX = 16_000
TELL_EVERY_S = 60.0
DAY_MS = 86_400_000

log = logging.getLogger(__name__)

_REMOVED = """
    INSERT INTO removed_letters (project_id, reason, cause, count, size_bytes, last_at)
    SELECT project_id, reason, :cause, count(*), sum(size_bytes), :now
      FROM dead_letters
     WHERE id IN (SELECT value FROM json_each(:ids))
     GROUP BY project_id, reason
        ON CONFLICT (project_id, reason, cause)
        DO UPDATE SET count = count + excluded.count,
                      size_bytes = size_bytes + excluded.size_bytes,
                      last_at = excluded.last_at
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept of dead letters: so many bytes of bodies, for so many days (0: for ever)."""

    max_bytes: int = 512 << 20
    days: int = 30


@dataclass(frozen=True, slots=True)
class Burial:
    """Why a frame could not be digested. `counted` and `conditions` are JSON, see `DeadLetter`."""

    reason: str
    detail: str
    tries: int = 1
    first_try_at: int | None = None
    counted: str = "[]"
    conditions: str = "{}"


class Letters:
    """The dead letters of an open spool. Safe to use from many threads; `read` has all reads."""

    def __init__(self, read: LetterReader, writer: Writer, bounds: Bounds) -> None:
        self.read = read
        self.bounds = bounds
        self._writer = writer
        self._lock = threading.Lock()
        self._size_bytes = read.size_bytes()
        self._untold = 0
        self._tell_at = 0.0

    def bury(self, frame: Frame, burial: Burial) -> None:
        """Put a frame to the dead letters; durable on return. Burying it again replaces it.

        The frame itself goes with `forget`, like any other. The oldest letters make room.
        """
        now = clock.now_ms()
        row = {
            "id": frame.id,
            "project_id": frame.project_id,
            "key": frame.key,
            "received_at": frame.received_at,
            "reason": burial.reason,
            "tries": burial.tries,
            "first_try_at": now if burial.first_try_at is None else burial.first_try_at,
            "buried_at": now,
            "size_bytes": len(frame.body),
            "counted": burial.counted,
            "conditions": burial.conditions,
            "head": frame.head,
            "detail": burial.detail[:DETAIL_MAX],
            "body": frame.body,
        }
        self._writer.run(lambda connection: self._bury(connection, row), self._resized)

    def discard(self, ids: list[int]) -> int:
        """Delete dead letters for good; how many there were."""
        return self._writer.run(lambda connection: _delete(connection, ids), self._deleted)[0]

    def exhume(self, letter_id: int, head: bytes) -> int | None:
        """Let a dead letter be digested again, as a new frame with this head; its id, or None."""
        found = self.read.find(letter_id)
        added = self._writer.exhume(letter_id, head)
        if added is not None and found is not None:
            self._resized(-found.size_bytes)
        return added

    def expire(self) -> int:
        """Remove what was buried longer ago than the bounds allow; how many."""
        if not self.bounds.days:
            return 0
        oldest = clock.now_ms() - self.bounds.days * DAY_MS
        sql = "SELECT id FROM dead_letters WHERE buried_at < ? ORDER BY id LIMIT 1000"
        count = 0
        while ids := self._writer.run(lambda connection: _some(connection, sql, oldest)):
            removed = self._writer.run(
                lambda connection, ids=ids: _remove(connection, ids, "age"),  # type: ignore[misc]
                self._deleted,
            )
            count += removed[0]
        if count:
            log.warning("%d dead letters were older than %d days", count, self.bounds.days)
        return count

    # On the writer thread from here on ----------------------------------------------------------

    def _bury(self, connection: apsw.Connection, row: dict[str, Any]) -> int:
        before = _size(connection, [row["id"]])
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        connection.execute(
            f"INSERT OR REPLACE INTO dead_letters ({names}) VALUES ({values})",  # noqa: S608
            row,
        )
        grown = row["size_bytes"] - before
        over = self._size_bytes + grown - self.bounds.max_bytes
        return int(grown - (self._make_room(connection, row["id"], over) if over > 0 else 0))

    def _make_room(self, connection: apsw.Connection, newest: int, over: int) -> int:
        """Remove the oldest until so many bytes are freed, never the newest one."""
        ids, freed = [], 0
        sql = "SELECT id, size_bytes FROM dead_letters WHERE id <> ? ORDER BY id"
        for letter_id, size in connection.execute(sql, (newest,)):
            ids.append(letter_id)
            freed += size
            if freed >= over:
                break
        if not ids:
            return 0
        count, removed_bytes = _remove(connection, ids, "size")
        self._untold += count
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_EVERY_S
            log.warning(
                "%d of the oldest dead letters had to go: more than %d bytes of them",
                self._untold,
                self.bounds.max_bytes,
            )
            self._untold = 0
        return removed_bytes

    def _deleted(self, deleted: tuple[int, int]) -> None:
        self._resized(-deleted[1])

    def _resized(self, grown: int) -> None:
        with self._lock:
            self._size_bytes += grown


def _some(connection: apsw.Connection, sql: str, *params: Any) -> list[int]:
    return [row[0] for row in connection.execute(sql, params)]


def _remove(connection: apsw.Connection, ids: list[int], cause: str) -> tuple[int, int]:
    """Delete by the bounds and count it; how many, and their bytes."""
    connection.execute(_REMOVED, {"ids": _json(ids), "cause": cause, "now": clock.now_ms()})
    return _delete(connection, ids)


def _delete(connection: apsw.Connection, ids: list[int]) -> tuple[int, int]:
    size = _size(connection, ids)
    connection.execute(
        "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))", (_json(ids),)
    )
    return connection.changes(), size


def _size(connection: apsw.Connection, ids: list[int]) -> int:
    cursor = connection.execute(
        """
        SELECT coalesce(sum(size_bytes), 0)
          FROM dead_letters
         WHERE id IN (SELECT value FROM json_each(?))
        """,
        (_json(ids),),
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _json(ids: list[int]) -> str:
    return msgspec.json.encode(ids).decode()
