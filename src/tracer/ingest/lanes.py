"""Where frames are prepared: in the digest thread itself, or in worker processes beside it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from tracer.ingest.prepare import (
    PreparedFrame,
    Workshop,
    failed,
    prepare_frame,
    prepare_in_worker,
    ready,
    start_worker,
)
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage.spool import Frame

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

    def __init__(self, workshop: Workshop, pause: Pause) -> None:
        self._workshop = workshop
        self._pause = pause

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        return _ThreadJob(frames, rules, self._workshop, self._pause)

    def idle(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""


class Pause(Protocol):
    """Called between two frames."""

    def __call__(self) -> None: ...


class _ThreadJob:
    def __init__(
        self, frames: Sequence[Frame], rules: Rules, workshop: Workshop, pause: Pause
    ) -> None:
        self._frames = frames
        self._rules = rules
        self._workshop = workshop
        self._pause = pause

    def result(self) -> list[PreparedFrame]:
        prepared = []
        for frame in self._frames:
            prepared.append(prepare_frame(frame, self._rules.get(frame.project_id), self._workshop))
            self._pause()
        return prepared


class ProcessLane:
    """Prepares in `processes` worker processes. A frame that kills its worker is found."""

    def __init__(
        self, workshop: Workshop, dictionaries: Mapping[int, bytes], processes: int
    ) -> None:
        self.depth = processes + 1
        self._workshop = workshop
        self._dictionaries = dictionaries
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._first: Future[bool] | None = None

    @property
    def is_up(self) -> bool:
        """Whether a worker is ready. Asking for the first time starts one."""
        if self._first is None:
            self._first = self._open().submit(ready)
        return self._first.done() and self._first.exception() is None

    def submit(self, frames: Sequence[Frame], rules: Rules) -> Job:
        return _ProcessJob(self, frames, rules)

    def close(self) -> None:
        """End the workers; they are started again when they are needed."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._first = None

    def start(self, frames: Sequence[Frame], rules: Rules) -> Future[list[PreparedFrame]]:
        """Hand a chunk to the pool, on a new pool if a worker died since the last call."""
        try:
            return self._open().submit(prepare_in_worker, frames, rules)
        except BrokenProcessPool:
            self.close()
            return self._open().submit(prepare_in_worker, frames, rules)

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(
                    self._workshop.handlers,
                    self._workshop.max_decoded_bytes,
                    self._dictionaries,
                ),
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
        if self._needed_at and time.monotonic() - self._needed_at > KEEP_WORKERS_S:
            self._needed_at = 0.0
            self._busy.close()

    def close(self) -> None:
        """End worker processes."""
        self._busy.close()


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
                prepared += future.result()
            except BrokenProcessPool:
                prepared += self._one_by_one(piece)
        return prepared

    def _one_by_one(self, frames: Sequence[Frame]) -> list[PreparedFrame]:
        # Some frame killed the worker: alone, the guilty one shows itself.
        prepared: list[PreparedFrame] = []
        for frame in frames:
            try:
                prepared += self._lane.start([frame], self._rules).result()
            except BrokenProcessPool:
                prepared.append(failed(frame, "WorkerDied", "A digest process died on this frame."))
        return prepared
