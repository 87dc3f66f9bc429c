"""The spool: appends wait for the fsync that holds them; reads; the dead letters beside it.

Never decodes a frame. Everything that is written goes through the one writer thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import apsw

from tracer.errors import Problem
from tracer.storage import migrate, snapshots, sqlite
from tracer.storage.disk import Floor, Low
from tracer.storage.spool.burial import Bounds, Letters
from tracer.storage.spool.frames import Frame, NewFrame
from tracer.storage.spool.letters import LetterReader, steps
from tracer.storage.spool.pressure import Capacity, Load
from tracer.storage.spool.salvage import DAMAGED, Damage, ask_for_check, check, salvage
from tracer.storage.spool.writer import Writer

PAGE_BYTES = 8192
CACHE_BYTES = 2 << 20
# Freed space beyond this is given back to the file system when the store is opened.
SLACK_BYTES = 64 << 20

_AFTER = """
    SELECT id, project_id, key, received_at, head, body
      FROM frames
     WHERE id > :position
     ORDER BY id
     LIMIT :limit
"""

log = logging.getLogger(__name__)


class Spool:
    """The open store. Safe to use from many threads and event loops."""

    def __init__(
        self,
        path: Path,
        *,
        capacity: Capacity,
        floor: Floor,
        letters: Bounds = Bounds(),  # noqa: B008
    ) -> None:
        """Open or create the file; frames that wait in it are still there.

        A damaged file is set aside and what can be read of it kept: `damage` names the loss.
        Raises Invalid (of a newer tracer) and Unavailable.
        """
        self._path, self._floor = path, floor
        self.damage: Damage | None = None
        try:
            self._writer = _open(path, capacity, floor)
        except Problem as problem:
            damaged = problem.__cause__
            if not isinstance(damaged, DAMAGED):
                raise
            self.damage = salvage(path, steps(), PAGE_BYTES, damaged)
            self._writer = _open(path, capacity, floor)
        self._readers = sqlite.Readers(path, cache_bytes=CACHE_BYTES)
        self._writer.start()
        self.letters = Letters(LetterReader(self._readers.here), self._writer, letters)

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
        `limit_bytes` of bodies unless the first one alone is larger.

        Frames on damaged pages are passed over and named in the log; the next start mends the file.
        """
        frames: list[Frame] = []
        size = 0
        try:
            cursor = self._readers.here().execute(_AFTER, {"position": position, "limit": limit})
            for row in cursor:
                size += len(row[5])
                if frames and size > limit_bytes:
                    cursor.close()
                    break
                frames.append(Frame(*row))
        except DAMAGED as error:
            if not frames:
                return [self._next_readable(position, error)]
        return frames

    def _next_readable(self, position: int, error: apsw.Error) -> Frame:
        """The first frame behind a damaged place; the error again when there is none."""
        connection = self._readers.here()
        ask_for_check(self._path)
        for before in range(position + 1, self.last_id):
            try:
                row = connection.execute(_AFTER, {"position": before, "limit": 1}).fetchone()
            except DAMAGED:
                continue
            if row is not None:
                log.error(
                    "The spool is damaged (%s): the frames from %d to %d cannot be read and are "
                    "passed over. The next start sets the file aside",
                    *(error, position + 1, row[0] - 1),
                )
                return Frame(*row)
        raise error

    def waiting_items(self, position: int, limit: int) -> dict[tuple[int, str], int]:
        """By project and data category, the items of the frames after a position, as the endpoint
        counted them; of the first `limit` frames at most."""
        cursor = self._readers.here().execute(
            """
            SELECT f.project_id, j.key, sum(j.value)
              FROM (
                SELECT project_id, CAST(head AS TEXT) AS head
                  FROM frames
                 WHERE id > :position
                 ORDER BY id
                 LIMIT :limit
              ) f, json_each(f.head, '$.items') j
             GROUP BY f.project_id, j.key
            """,
            {"position": position, "limit": limit},
        )
        return {(project_id, category): count for project_id, category, count in cursor}

    def oldest_at(self, position: int) -> float | None:
        """When the frame after a position was received (unix seconds); None when there is none."""
        sql = "SELECT received_at FROM frames WHERE id > ? ORDER BY id LIMIT 1"
        row = self._readers.here().execute(sql, (position,)).fetchone()
        return None if row is None else float(row[0])

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
    def level(self) -> int:
        """How much must be refused: 0 nothing, 7 everything. See `pressure`; cheap to ask."""
        return self._writer.pressure.level

    def load(self) -> Load:
        """How full the spool is now, by each of its bounds."""
        return self._writer.load()

    @property
    def low(self) -> Low | None:
        """The file system that is below its floor: nothing is accepted meanwhile."""
        return self._writer.low

    @property
    def floor_bytes(self) -> int:
        """The free space that the spool's own file system must keep."""
        return self._floor.bytes_of(self._path)

    def tell_levels(self, tell: Callable[[Load], None]) -> None:
        """Have `tell` called with each new level, on the writer's thread; it must not block."""
        self._writer.on_level = tell

    def reserve(self, through: int) -> None:
        """No new frame gets an id up to this one, whatever the file says: digest is that far, and
        would never look at it. Call it before the first append."""
        self._writer.reserve(through)

    @property
    def last_id(self) -> int:
        """Id of the newest frame there ever was; 0 when there was none."""
        return self._writer.last_id

    def close(self) -> None:
        """Finish what was appended, then close. Later appends raise Unavailable."""
        self._readers.close()
        self._writer.close()


def _open(path: Path, capacity: Capacity, floor: Floor) -> Writer:
    connection = sqlite.open_writer(path, page_bytes=PAGE_BYTES, cache_bytes=CACHE_BYTES)
    try:
        check(connection, path)
        snapshots.take(connection, path, len(steps()))
        migrate.migrate(connection, path, steps())
        _give_back(connection)
        return Writer(connection, path, capacity, floor)
    except apsw.Error as error:
        connection.close()
        raise sqlite.opening_problem(error, path) from error
    except BaseException:
        connection.close()
        raise


def _give_back(connection: apsw.Connection) -> None:
    """Shrink a file that a long queue has blown up, if little is left in it."""
    total, free = connection.pragma("page_count"), connection.pragma("freelist_count")
    if free * PAGE_BYTES > SLACK_BYTES and free > total // 2:
        connection.execute("VACUUM")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
