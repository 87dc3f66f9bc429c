"""Shared memory in which each worker process notes the frame it is at, for the server to see."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from contextlib import suppress
from typing import Any

from tracer.ingest.allowance import Allowance

log = logging.getLogger("tracer.digest")


class Post:
    """One worker's place. Written by the worker alone."""

    def __init__(self, frames: Any, place: int) -> None:
        self._frames = frames
        self._place = place

    def at(self, frame: int) -> None:
        """It is at this frame now; 0: at none."""
        self._frames[self._place] = frame


class Posts:
    """The places of `count` workers. Handed to each when it starts."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._frames = context.RawArray("q", count)
        self._pids = context.RawArray("q", count)
        self._taken = context.Value("i", 0)
        self._seen: dict[int, tuple[int, Allowance]] = {}

    def take(self) -> Post:
        """In a worker: its own place."""
        with self._taken.get_lock():
            place = self._taken.value
            self._taken.value += 1
        self._pids[place] = os.getpid()
        return Post(self._frames, place)

    def kill_stuck(self, limit_s: float) -> None:
        """Kill the workers that have been at one frame for longer; call it several times in that
        time, from one thread."""
        for place, frame in enumerate(self._frames):
            known, allowance = self._seen.get(place, (0, None))
            if frame != known or allowance is None:
                allowance = Allowance(self._pids[place])
                self._seen[place] = frame, allowance
            if frame and self._pids[place] and allowance.is_over(limit_s):
                log.warning("digest: a process takes too long for frame %d and is ended", frame)
                with suppress(ProcessLookupError):
                    os.kill(self._pids[place], signal.SIGKILL)

    def __getstate__(self) -> tuple[Any, Any, Any]:
        return self._frames, self._pids, self._taken

    def __setstate__(self, state: tuple[Any, Any, Any]) -> None:
        self._frames, self._pids, self._taken = state
        self._seen = {}
