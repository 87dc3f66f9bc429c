"""The thread that writes the spool: takes all that is pending, commits once, wakes those who wait.

SQLite releases the GIL for each step, and taking it back beside a busy digest may cost a whole
switch interval. So a group of frames is one statement with one step, whatever its size.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import apsw
import msgspec

from tracer.errors import Unavailable
from tracer.storage import sqlite
from tracer.storage.disk import Floor, Low
from tracer.storage.spool import waiters
from tracer.storage.spool.checkpoint import Checkpointer
from tracer.storage.spool.frames import NewFrame
from tracer.storage.spool.pressure import Ages, Capacity, Load, Pressure
from tracer.storage.spool.waiters import Append, Loop, Waiter

T = TypeVar("T")

GROUP_BYTES = 8 << 20
FORGET_EVERY_S = 0.25
FORGET_AT_ONCE = 1000
DISK_CHECK_EVERY_S = 1.0
LOG_BYTES = 64 << 20

log = logging.getLogger(__name__)

# ?1: JSON rows (id, project, key, received, offset, length of head, length of body); ?2: all bytes.
_INSERT = """
INSERT INTO frames (id, project_id, key, received_at, head, body)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
       coalesce(substr(?2, value ->> 4, value ->> 5), x''),
       coalesce(substr(?2, (value ->> 4) + (value ->> 5), value ->> 6), x'')
  FROM json_each(?1)
"""


class _Job:
    """Something else to write, in a transaction of its own, between two groups."""

    def __init__(
        self, work: Callable[[apsw.Connection], Any], committed: Callable[[Any], None] | None
    ) -> None:
        self.work = work
        self.committed = committed
        self.future: Future[Any] = Future()


class Writer:
    """Owns the only connection that writes. Counters may be read from any thread."""

    def __init__(
        self, connection: apsw.Connection, path: Path, capacity: Capacity, floor: Floor
    ) -> None:
        self._connection = connection
        self._capacity = capacity
        self._floor = floor
        self.pressure = Pressure(capacity)
        #: Told of a new level, on the writer's thread.
        self.on_level: Callable[[Load], None] | None = None
        self._queue: SimpleQueue[Append | _Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._arrival = threading.Condition()
        self._nudges = 0
        self._closed = False
        self.low: Low | None = None
        self._disk_check_at = 0.0
        self._failing = False
        self._forget_at = 0.0
        connection.wal_autocheckpoint(0)
        # A log that keeps its length is overwritten in place: an fsync then takes half the time.
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        self.last_id: int
        self.depth: int
        self.waiting_frames: int
        self.waiting_bytes: int
        newest, self._forgotten = _one(connection, "SELECT newest, forgotten FROM marks")
        last, self.depth, self.waiting_bytes = _one(
            connection,
            """
            SELECT coalesce(max(id), 0), count(*), coalesce(sum(length(head) + length(body)), 0)
              FROM frames
            """,
        )
        self.last_id = max(newest, last)
        self._forget_through = self._forgotten
        self.waiting_frames = self.depth
        self._ages = Ages(self.last_id, time.monotonic())
        self._checkpointer = Checkpointer(path)
        self._check_disk(time.monotonic())
        self._thread = threading.Thread(target=self._loop, name="spool-writer", daemon=True)

    def start(self) -> None:
        self._checkpointer.start()
        self._thread.start()

    def append(self, frame: NewFrame, loop: Loop, waiter: Waiter) -> None:
        """Hand a frame to the writer. Raises Unavailable at once when there is no room for it."""
        size = len(frame.head) + len(frame.body)
        with self._lock:
            if self._closed:
                raise Unavailable("tracer is stopping", retry_after_s=sqlite.RETRY_AFTER_S)
            if self.low is not None:
                raise Unavailable("The disk is nearly full", retry_after_s=60)
            if (
                self.waiting_bytes + size > self._capacity.max_bytes
                or self.waiting_frames >= self._capacity.max_frames
            ):
                raise Unavailable("Too much is waiting to be digested", retry_after_s=30)
            self.waiting_bytes += size
            self.waiting_frames += 1
            self._queue.put((frame, loop, waiter))

    def run(
        self,
        work: Callable[[apsw.Connection], T],
        committed: Callable[[T], None] | None = None,
    ) -> T:
        """Run `work` in a transaction on the writer thread; durable on return."""
        job = _Job(work, committed)
        with self._lock:
            if self._closed:
                raise Unavailable("tracer is stopping", retry_after_s=sqlite.RETRY_AFTER_S)
            self._queue.put(job)
        return cast(T, job.future.result())

    def exhume(self, frame_id: int, head: bytes) -> int | None:
        """Move a dead letter back among the frames, whatever room there is; its new id."""
        added = self.run(lambda connection: self._exhume(connection, frame_id, head), self._exhumed)
        return None if added is None else added[0]

    def forget(self, through: int) -> None:
        """Delete the frames up to this id some time soon."""
        with self._lock:
            through = min(through, self.last_id)
            if through <= self._forget_through or self._closed:
                return
            wake = self._forget_through <= self._forgotten
            self._forget_through = through
            if wake:
                self._queue.put(None)

    def reserve(self, through: int) -> None:
        """Number the next frame after this one at least."""
        with self._lock:
            if through > self.last_id:
                log.error("The spool ends at frame %d, digest is at %d", self.last_id, through)
                self.last_id = through

    def wait(self, position: int, timeout_s: float) -> bool:
        """True once a frame after `position` is on disk; False after `timeout_s`, or nudged."""
        with self._arrival:
            nudges = self._nudges
            self._arrival.wait_for(
                lambda: self.last_id > position or self._nudges != nudges, timeout_s
            )
            return self.last_id > position

    def nudge(self) -> None:
        """End the waiting of all who wait now."""
        with self._arrival:
            self._nudges += 1
            self._arrival.notify_all()

    def load(self) -> Load:
        """What waits now."""
        age_s = self._age_s(time.monotonic())
        return self.pressure.weigh(self.waiting_bytes, self.waiting_frames, age_s)

    def _age_s(self, now: float) -> float:
        oldest = self._forget_through + 1
        return self._ages.age_s(oldest, now) if oldest <= self.last_id else 0.0

    def close(self) -> None:
        """Write what is pending, stop both threads, close the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._checkpointer.close()
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            log.warning("The spool's log could not be written back: %s", error)
        self._connection.close()

    # On the writer thread from here on ----------------------------------------------------------

    def _loop(self) -> None:
        while not (self._closed and self._queue.empty()):
            appends, jobs = self._take()
            now = time.monotonic()
            if now >= self._disk_check_at:
                self._check_disk(now)
            if appends:
                self._commit(appends)
            for job in jobs:
                self._do(job)
            if self._forget_through > self._forgotten and now >= self._forget_at:
                self._delete(now)
            if self._checkpointer.is_behind:
                self._checkpointer.catch_up(self._connection)
            self._weigh()
        while self._forget_through > self._forgotten:
            forgotten = self._forgotten
            self._delete(time.monotonic())
            if self._forgotten == forgotten:
                break

    def _take(self) -> tuple[list[Append], list[_Job]]:
        """All that is pending, up to a group's size. Waits for something to do."""
        appends: list[Append] = []
        jobs: list[_Job] = []
        size = 0
        queue = self._queue
        try:
            item = queue.get(timeout=self._patience())
            while True:
                if type(item) is tuple:
                    appends.append(item)
                    size += len(item[0].body)
                elif item is not None:
                    jobs.append(cast(_Job, item))
                if size >= GROUP_BYTES or queue.empty():
                    break
                item = queue.get_nowait()
        except Empty:
            pass
        return appends, jobs

    def _patience(self) -> float | None:
        """How long to sleep when nothing arrives."""
        if self._forget_through > self._forgotten:
            return max(0.0, self._forget_at - time.monotonic())
        return DISK_CHECK_EVERY_S if self.low is not None else None

    def _weigh(self) -> None:
        """Measure how full it is, and tell of a new level."""
        now = time.monotonic()
        self._ages.note(self.last_id, now)
        self._ages.forget(self._forget_through + 1)
        age_s = self._age_s(now)
        if self.pressure.update(self.waiting_bytes, self.waiting_frames, age_s):
            tell = self.on_level
            if tell is not None:
                tell(self.load())

    def _commit(self, appends: list[Append]) -> None:
        first = self.last_id + 1
        rows = []
        parts = []
        offset = 1
        for number, (frame, _, _) in enumerate(appends, first):
            head, body = frame.head, frame.body
            key, received_at = frame.key, frame.received_at
            rows.append((number, frame.project_id, key, received_at, offset, len(head), len(body)))
            parts.append(head)
            parts.append(body)
            offset += len(head) + len(body)
        try:
            self._connection.execute(_INSERT, (msgspec.json.encode(rows).decode(), b"".join(parts)))
        except Exception as error:
            self._failed(error)
            with self._lock:
                self.waiting_bytes -= offset - 1
                self.waiting_frames -= len(appends)
            waiters.refuse(appends, first, f"The event cannot be stored: {error}")
            return
        self._failing = False
        self._count(len(appends))
        waiters.accept(appends, first)
        self._wake_readers()
        self._checkpointer.wrote(offset)

    def _count(self, count: int) -> None:
        """Before anyone is told: who was told of a frame finds it counted."""
        with self._arrival:
            self.last_id += count
            self.depth += count

    def _wake_readers(self) -> None:
        """After the senders were told: digest would take the GIL first."""
        with self._arrival:
            self._arrival.notify_all()

    def _failed(self, error: Exception) -> None:
        """Say it once. Written-back log can be overwritten, so the next commit may find room."""
        if not self._failing:
            log.error("The spool cannot be written: %s: %s", type(error).__name__, error)
        self._failing = True
        self._checkpointer.ask()

    def _do(self, job: _Job) -> None:
        try:
            with self._connection:
                result = job.work(self._connection)
        except apsw.Error as error:
            job.future.set_exception(sqlite.problem(error))
        except Exception as error:
            job.future.set_exception(error)
        else:
            if job.committed is not None:
                job.committed(result)
            job.future.set_result(result)

    def _exhume(
        self, connection: apsw.Connection, frame_id: int, head: bytes
    ) -> tuple[int, int] | None:
        parameters = {"id": frame_id, "new": self.last_id + 1, "head": head}
        connection.execute(
            """
            INSERT INTO frames (id, project_id, key, received_at, head, body)
            SELECT :new, project_id, key, received_at, :head, body
              FROM dead_letters
             WHERE id = :id
            """,
            parameters,
        )
        if not connection.changes():
            return None
        connection.execute("DELETE FROM dead_letters WHERE id = :id", {"id": frame_id})
        sql = "SELECT id, length(head) + length(body) FROM frames WHERE id = ?"
        return cast(tuple[int, int], _one(connection, sql, self.last_id + 1))

    def _exhumed(self, added: tuple[int, int] | None) -> None:
        if added is not None:
            with self._lock:
                self.waiting_bytes += added[1]
                self.waiting_frames += 1
            self._count(1)
            self._wake_readers()

    def _delete(self, now: float) -> None:
        """Delete some forgotten frames. Not synced: a crash only brings them back, and the next
        group's fsync covers it."""
        self._forget_at = now + FORGET_EVERY_S
        through = min(self._forget_through, self._forgotten + FORGET_AT_ONCE)
        connection = self._connection
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            with connection:
                count, size = _one(
                    connection,
                    """
                    SELECT count(*), coalesce(sum(length(head) + length(body)), 0)
                      FROM frames
                     WHERE id <= ?
                    """,
                    through,
                )
                connection.execute("DELETE FROM frames WHERE id <= ?", (through,))
                connection.execute(
                    "UPDATE marks SET newest = ?, forgotten = ?", (self.last_id, through)
                )
        except apsw.Error as error:
            self._failed(error)
            return
        finally:
            connection.execute("PRAGMA synchronous = FULL")
        self._forgotten = through
        if through < self._forget_through:
            self._forget_at = now
        self.depth -= count
        with self._lock:
            self.waiting_bytes -= size
            self.waiting_frames -= count

    def _check_disk(self, now: float) -> None:
        self._disk_check_at = now + DISK_CHECK_EVERY_S
        before, self.low = self.low, self._floor.look()
        if self.low is not None and before is None:
            log.error("The disk is nearly full, nothing is accepted: %s", self.low.text)
        elif self.low is None and before is not None:
            log.warning("There is room on the disk again")


def _one(connection: apsw.Connection, sql: str, *params: int) -> tuple[Any, ...]:
    row = connection.execute(sql, params).fetchone()
    return cast(tuple[Any, ...], row)
