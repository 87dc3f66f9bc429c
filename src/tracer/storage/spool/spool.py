"""The spool: appends wait for the fsync that holds them; reads and dead letters.

Never decodes a frame. Everything that is written goes through the one writer thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from importlib import resources
from pathlib import Path

import apsw

from tracer import clock
from tracer.storage import migrate, sqlite
from tracer.storage.spool.frames import DeadLetter, Frame, NewFrame
from tracer.storage.spool.writer import Writer

PAGE_BYTES = 8192
CACHE_BYTES = 2 << 20
# Freed space beyond this is given back to the file system when the store is opened.
SLACK_BYTES = 64 << 20

_LETTER = """
    SELECT id, project_id, key, received_at, head, reason, detail, tries, buried_at, size_bytes
      FROM dead_letters
"""


class Spool:
    """The open store. Safe to use from many threads and event loops."""

    def __init__(self, path: Path, *, max_bytes: int, free_floor_bytes: int) -> None:
        """Open or create the file; frames that wait in it are still there.

        `max_bytes` bounds what may wait, `free_floor_bytes` is the space the disk must keep.
        Raises Invalid (damaged, or of a newer tracer) and Unavailable.
        """
        connection = sqlite.open_writer(path, page_bytes=PAGE_BYTES, cache_bytes=CACHE_BYTES)
        try:
            steps = migrate.migrations(resources.files("tracer.storage") / "migrations" / "spool")
            migrate.migrate(connection, path, steps)
            _give_back(connection)
            self._writer = Writer(
                connection, path, max_bytes=max_bytes, free_floor_bytes=free_floor_bytes
            )
        except apsw.Error as error:
            connection.close()
            raise sqlite.opening_problem(error, path) from error
        except BaseException:
            connection.close()
            raise
        self._readers = sqlite.Readers(path, cache_bytes=CACHE_BYTES)
        self._writer.start()

    async def append(self, frame: NewFrame) -> int:
        """Store a frame; return its id once it is on disk (fsync).

        Raises Unavailable, with `retry_after_s`, when the spool or the disk is full or tracer is
        stopping: the frame is not stored then.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._writer.append(frame, loop, future)
        return await future

    def append_sync(self, frame: NewFrame) -> int:
        """`append` for threads without an event loop."""
        future: Future[int] = Future()
        self._writer.append(frame, None, future)
        return future.result()

    def after(self, position: int, limit: int, limit_bytes: int) -> list[Frame]:
        """The frames that follow a position, oldest first: at most `limit`, and no more than
        `limit_bytes` of bodies unless the first one alone is larger."""
        frames: list[Frame] = []
        size = 0
        cursor = self._readers.here().execute(
            """
            SELECT id, project_id, key, received_at, head, body
              FROM frames
             WHERE id > :position
             ORDER BY id
             LIMIT :limit
            """,
            {"position": position, "limit": limit},
        )
        for row in cursor:
            size += len(row[5])
            if frames and size > limit_bytes:
                cursor.close()
                break
            frames.append(Frame(*row))
        return frames

    def wait(self, position: int, timeout_s: float) -> bool:
        """Block until a frame later than `position` is on disk; False when the time is over or
        somebody nudged."""
        return self._writer.wait(position, timeout_s)

    def nudge(self) -> None:
        """End every `wait` now: there is something else to look at."""
        self._writer.nudge()

    def forget(self, through: int) -> None:
        """Digest is done with all frames up to this id. They are deleted soon, not now."""
        self._writer.forget(through)

    @property
    def depth(self) -> int:
        """How many frames wait."""
        return self._writer.depth

    @property
    def waiting_bytes(self) -> int:
        """Size of what waits, frames that are not yet on disk included."""
        return self._writer.waiting_bytes

    @property
    def last_id(self) -> int:
        """Id of the newest frame there ever was; 0 when there was none."""
        return self._writer.last_id

    def bury(self, frame: Frame, *, reason: str, detail: str, tries: int) -> None:
        """Put a frame to the dead letters; durable on return. Burying it again replaces it.

        The frame itself goes with `forget`, like any other.
        """
        row = {
            "id": frame.id,
            "project_id": frame.project_id,
            "key": frame.key,
            "received_at": frame.received_at,
            "head": frame.head,
            "reason": reason,
            "detail": detail,
            "tries": tries,
            "buried_at": clock.now_ms(),
            "size_bytes": len(frame.body),
            "body": frame.body,
        }
        self._writer.run(lambda connection: _bury(connection, row))

    def dead_letters(self, limit: int, before: int | None = None) -> list[DeadLetter]:
        """Dead letters, newest frame first; `before` is the id at which the last page ended."""
        rows = self._readers.here().execute(
            f"{_LETTER} WHERE id < coalesce(:before, 1 << 62) ORDER BY id DESC LIMIT :limit",
            {"before": before, "limit": limit},
        )
        return [DeadLetter(*row) for row in rows]

    def dead_letter(self, frame_id: int) -> DeadLetter | None:
        """One dead letter."""
        cursor = self._readers.here().execute(f"{_LETTER} WHERE id = :id", {"id": frame_id})
        row = cursor.fetchone()
        return None if row is None else DeadLetter(*row)

    def buried_frame(self, frame_id: int) -> Frame | None:
        """A dead letter's frame, with its body."""
        row = (
            self._readers.here()
            .execute(
                """
            SELECT id, project_id, key, received_at, head, body
              FROM dead_letters
             WHERE id = :id
            """,
                {"id": frame_id},
            )
            .fetchone()
        )
        return None if row is None else Frame(*row)

    def dead_letter_count(self) -> int:
        """How many there are."""
        return self._dead_letter_total("count(*)")

    def dead_letter_bytes(self) -> int:
        """Size of their bodies."""
        return self._dead_letter_total("coalesce(sum(size_bytes), 0)")

    def discard(self, frame_id: int) -> bool:
        """Delete a dead letter for good; False when there is none."""
        return self._writer.run(lambda connection: _discard(connection, frame_id))

    def exhume(self, frame_id: int) -> int | None:
        """Let a dead letter be digested again, as a new frame; its id, or None if there is none."""
        return self._writer.exhume(frame_id)

    def close(self) -> None:
        """Finish what was appended, then close. Later appends raise Unavailable."""
        self._readers.close()
        self._writer.close()

    def _dead_letter_total(self, expression: str) -> int:
        cursor = self._readers.here().execute(f"SELECT {expression} FROM dead_letters")  # noqa: S608
        row = cursor.fetchone()
        return int(row[0]) if row else 0


def _bury(connection: apsw.Connection, row: dict[str, object]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(
        f"INSERT OR REPLACE INTO dead_letters ({names}) VALUES ({values})",  # noqa: S608
        row,
    )


def _discard(connection: apsw.Connection, frame_id: int) -> bool:
    connection.execute("DELETE FROM dead_letters WHERE id = :id", {"id": frame_id})
    return connection.changes() > 0


def _give_back(connection: apsw.Connection) -> None:
    """Shrink a file that a long queue has blown up, if little is left in it."""
    total, free = connection.pragma("page_count"), connection.pragma("freelist_count")
    if free * PAGE_BYTES > SLACK_BYTES and free > total // 2:
        connection.execute("VACUUM")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
