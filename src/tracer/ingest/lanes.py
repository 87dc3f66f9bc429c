"""Where frames are prepared: in the digest thread itself, or in worker processes beside it.

A frame that a process dies on, or that takes too long, is found, and judged in one of its own.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from tracer.ingest.careful import Careful
from tracer.ingest.posts import Posts
from tracer.ingest.prepare import PreparedFrame, prepare_in_worker, ready, start_worker
from tracer.ingest.solo import Equipment, Solo
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage.spool import Frame

log = logging.getLogger("tracer.digest")

Rules = Mapping[int, ProjectRules]

#: A chunk of so many frames is worth a worker: at a batch each quarter second, some 150 events/s.
BUSY_FRAMES = 40
KEEP_WORKERS_S = 60.0
PIECE_FRAMES = 20


class Job(Protocol):
    """A chunk of frames under preparation."""

    def result(self) -> list[PreparedFrame]:
        """The prepared frames, in order; waits for them. Never raises for a bad frame."""


class Lane(Protocol):
    """Prepares chunks of frames. `depth` chunks are worth having under way at once."""

    @property
    def depth(self) -> int: ...

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        """Begin a chunk."""

    def idle(self) -> None:
        """Called while nothing waits and no chunk is under way."""

    def close(self) -> None:
        """End worker processes."""


class ThreadLane:
    """Prepares in the calling thread, when the result is asked for.

    `pause` is called after each frame: it lets go of the interpreter while requests are waiting.
    """

    depth = 1

    def __init__(self, careful: Careful, pause: Pause) -> None:
        self._careful = careful
        self._pause = pause

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        return _ThreadJob(frames, rules, self._careful, self._pause)

    def idle(self) -> None:
        """End the process for single frames that nobody has needed for a while."""
        self._careful.rest()

    def close(self) -> None:
        """End what watches over this lane."""
        self._careful.close()


class Pause(Protocol):
    """Called between two frames."""

    def __call__(self) -> None: ...


class _ThreadJob:
    def __init__(
        self, frames: Sequence[Frame], rules: Rules, careful: Careful, pause: Pause
    ) -> None:
        self._frames = frames
        self._rules = rules
        self._careful = careful
        self._pause = pause

    def result(self) -> list[PreparedFrame]:
        prepared = []
        self._careful.begin()
        try:
            for frame in self._frames:
                prepared.append(self._careful.prepare(frame, self._rules.get(frame.project_id)))
                self._pause()
        finally:
            self._careful.end()
        return prepared


class ProcessLane:
    """Prepares in `processes` worker processes. Each notes the frame it is at where this process
    sees it: one that is at the same for too long is killed."""

    def __init__(self, equipment: Equipment, processes: int, solo: Solo) -> None:
        self.depth = processes + 1
        self._equipment = equipment
        self._processes = processes
        self._solo = solo
        self._pool: ProcessPoolExecutor | None = None
        self._first: Future[bool] | None = None
        self._posts = Posts(processes)

    @property
    def is_up(self) -> bool:
        """Whether a worker is ready. Asking for the first time starts one."""
        if self._first is None:
            self._first = self._open().submit(ready)
        if not self._first.done():
            return False
        if self._first.exception() is not None:
            log.warning("digest: a process died while it started; another one is started")
            self._end_pool()
            return False
        return True

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        return _ProcessJob(self, frames, rules)

    def close(self) -> None:
        """End the workers; they are started again when they are needed."""
        self._end_pool()
        self._solo.close()

    def start(self, frames: Sequence[Frame], rules: Rules) -> Future[list[PreparedFrame]]:
        """Hand a chunk to the pool, on a new pool if a worker died since the last call."""
        try:
            return self._open().submit(prepare_in_worker, frames, rules)
        except BrokenProcessPool:
            self._end_pool()
            return self._open().submit(prepare_in_worker, frames, rules)

    def wait(self, future: Future[list[PreparedFrame]]) -> list[PreparedFrame]:
        """What a chunk became. BrokenProcessPool: a worker died, or took too long for a frame."""
        while True:
            try:
                return future.result(self._solo.limit_s / 5)
            except TimeoutError:
                self._posts.kill_stuck(self._solo.limit_s)

    def apart(self, frames: Sequence[Frame], rules: Rules) -> list[PreparedFrame]:
        """The frames of a chunk that broke the pool, or was under way when another one did: each is
        judged alone, at ordinary priority, for digest waits for them."""
        log.warning("digest: a process ended; %d frames are judged one by one", len(frames))
        return [self._solo.prepare(frame, rules.get(frame.project_id)) for frame in frames]

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._first = None

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._posts = Posts(self._processes)
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(*self._equipment, self._posts),
            )
        return self._pool


class BusyLane:
    """In this thread as long as little comes in; in worker processes when they have enough to do.

    Workers end again after a while without need, so that a quiet server is one small process.
    """

    def __init__(self, quiet: ThreadLane, busy: ProcessLane) -> None:
        self._quiet = quiet
        self._busy = busy
        self._needed_at = 0.0

    @property
    def depth(self) -> int:
        """As many as the lane in use takes."""
        return self._busy.depth if self._needed_at else self._quiet.depth

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        if len(frames) >= BUSY_FRAMES:
            self._needed_at = time.monotonic()
        if self._needed_at and self._busy.is_up:
            return self._busy.submit(frames, rules)
        return self._quiet.submit(frames, rules)

    def idle(self) -> None:
        """End workers that nobody has needed for a while."""
        self._quiet.idle()
        if self._needed_at and time.monotonic() - self._needed_at > KEEP_WORKERS_S:
            self._needed_at = 0.0
            self._busy.close()

    def close(self) -> None:
        """End worker processes, and what watches over this thread."""
        self._busy.close()
        self._quiet.close()


class _ProcessJob:
    def __init__(self, lane: ProcessLane, frames: Sequence[Frame], rules: Rules) -> None:
        self._lane = lane
        self._rules = rules
        # A result is unpickled in one go that keeps the interpreter: requests wait for a long one.
        pieces = [frames[at : at + PIECE_FRAMES] for at in range(0, len(frames), PIECE_FRAMES)]
        self._pieces = [(piece, lane.start(piece, rules)) for piece in pieces]

    def result(self) -> list[PreparedFrame]:
        prepared: list[PreparedFrame] = []
        for piece, future in self._pieces:
            try:
                prepared += self._lane.wait(future)
            except BrokenProcessPool:
                prepared += self._lane.apart(piece, self._rules)
        return prepared
