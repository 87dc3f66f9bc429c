"""Measures what `signs` judges, without waiting for anything: what may block is asked by a thread
of its own (`ask_stores`) and only its last answer is read here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.errors import Problem
from tracer.kit.redact import redact
from tracer.kit.signs import CLOCK_JUMP_S, Look, Probe
from tracer.storage.folder import damaged

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

#: A jump of the clock is shown for so long.
JUMP_SHOWN_S = 300.0
#: The speed at which the disk fills is measured over at least this, and at most twice that.
FILL_FROM_S = 600.0
#: Rates are means over this time.
RATE_S = 60.0
#: Sizes of the files are looked at so often; blobs are many files, and looked at more rarely.
SIZES_S = 30.0
BLOBS_S = 900.0


class Gauge:
    """The measuring of one running server; `look` is called by one thread at a time."""

    def __init__(self, tracer: Tracer, wall: Callable[[], float]) -> None:
        now = time.monotonic()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.oldest_at: float | None = None
        self.duckdb_bytes = 0
        self.sizes: dict[str, int] = {}
        self._sizes_at = self._blobs_at = float("-inf")
        self._tracer = tracer
        self._wall = wall
        self._offset = wall() - now
        self._jumped_s = 0.0
        self._jumped_at = 0.0
        self._position = -1
        self._moved_at = now
        self._beat_at = now
        self._beat_asked_at: float | None = None
        self._answered_at = dict.fromkeys(("meta", "events", "spool"), now)
        self._errors = dict.fromkeys(("meta", "events", "spool"), "")
        self._disk: deque[tuple[float, int]] = deque()
        self._flow: deque[tuple[float, int, int]] = deque()

    def look(self) -> Look:
        """Measure now."""
        tracer, now = self._tracer, time.monotonic()
        waiting = max(tracer.spool.last_id - tracer.digest.position, 0)
        self._note_position(now, waiting)
        self._flow.append((now, tracer.spool.last_id, tracer.digest.position))
        while now - self._flow[0][0] > RATE_S:
            self._flow.popleft()
        free, floor = free_bytes(tracer), tracer.spool.floor_bytes
        running, low = tracer.worker.running, tracer.spool.low
        if low is not None:  # it may be another file system than the spool's
            free, floor = None if low.reason else low.free_bytes, low.floor_bytes
        return Look(
            waiting_frames=waiting,
            unmoved_s=now - self._moved_at,
            oldest_s=self.oldest_age_s() if waiting else 0.0,
            digest_runs=tracer.digest.is_running or tracer.closing,
            worker_runs=tracer.worker.is_running or tracer.closing,
            task=running[0] if running else "",
            task_s=now - running[1] if running else 0.0,
            loop_lag_s=self._loop_lag_s(now),
            clock_jump_s=self._clock_jump_s(now),
            write_held_s=tracer.meta.write_held_s,
            free_bytes=free,
            floor_bytes=floor,
            low=low is not None,
            level=tracer.spool.level,
            full_in_s=self._full_in_s(now, free),
            balances=not tracer.digest.imbalance,
            set_aside=tuple(damaged(tracer.settings.data)),
            stores={
                name: Probe(now - at, self._errors[name]) for name, at in self._answered_at.items()
            },
        )

    def oldest_age_s(self) -> float:
        """Seconds since the oldest waiting frame was received, as of the last probe."""
        oldest_at = self.oldest_at
        return 0.0 if oldest_at is None else max(self._wall() - oldest_at, 0.0)

    def rates(self) -> tuple[float, float]:
        """Frames a second that came in and that were digested, over the last minute."""
        flow = list(self._flow)
        if len(flow) < 2 or flow[-1][0] <= flow[0][0]:
            return 0.0, 0.0
        seconds = flow[-1][0] - flow[0][0]
        return (flow[-1][1] - flow[0][1]) / seconds, (flow[-1][2] - flow[0][2]) / seconds

    def ask_stores(self) -> None:
        """Ask each store something small. May block; in a thread of its own."""
        tracer = self._tracer
        self._ask("meta", lambda: tracer.meta.read().value("SELECT frame FROM digest_position"))
        self._ask("events", self._ask_events)
        self._ask("spool", self._ask_spool)
        self._measure_sizes(time.monotonic())

    def _ask_events(self) -> None:
        self.duckdb_bytes = self._tracer.events.memory_bytes()

    def _measure_sizes(self, now: float) -> None:
        if now - self._sizes_at < SIZES_S:
            return
        self._sizes_at = now
        blobs = self.sizes.get("blobs", 0)
        if now - self._blobs_at >= BLOBS_S:
            self._blobs_at = now
            blobs = folder_bytes(self._tracer.settings.data / "blobs")
        self.sizes = {**file_bytes(self._tracer.settings.data), "blobs": blobs}

    def _ask_spool(self) -> None:
        self.oldest_at = self._tracer.spool.oldest_at(self._tracer.digest.position)

    def _ask(self, name: str, ask: Callable[[], object]) -> None:
        try:
            ask()
        except Problem as error:
            self._errors[name] = redact(error.detail)
        except Exception as error:
            self._errors[name] = redact(f"{type(error).__name__}: {error}")
        else:
            self._errors[name] = ""
        self._answered_at[name] = time.monotonic()

    def _note_position(self, now: float, waiting: int) -> None:
        position = self._tracer.digest.position
        if position != self._position or not waiting:
            self._position, self._moved_at = position, now

    def _loop_lag_s(self, now: float) -> float:
        """Seconds that the loop has not come round to a call that was asked for."""
        loop, asked_at = self.loop, self._beat_asked_at
        if loop is None or loop.is_closed():
            return 0.0
        if asked_at is not None and self._beat_at < asked_at:
            return now - asked_at
        self._beat_asked_at = now
        try:
            loop.call_soon_threadsafe(self._beat)
        except RuntimeError:  # it ended just now
            self._beat_asked_at = None
        return 0.0

    def _beat(self) -> None:
        self._beat_at = time.monotonic()

    def _clock_jump_s(self, now: float) -> float:
        offset = self._wall() - now
        jump = offset - self._offset
        self._offset = offset
        if abs(jump) > CLOCK_JUMP_S:
            self._jumped_s, self._jumped_at = jump, now
        return self._jumped_s if self._jumped_s and now - self._jumped_at < JUMP_SHOWN_S else 0.0

    def _full_in_s(self, now: float, free: int | None) -> float | None:
        """Seconds until the floor is reached at the speed of the last minutes; None: not filling,
        or not watched for long enough."""
        if free is None:
            return None
        if not self._disk or now - self._disk[-1][0] >= RATE_S:
            self._disk.append((now, free))
        while now - self._disk[0][0] > 2 * FILL_FROM_S:
            self._disk.popleft()
        began, before = self._disk[0]
        if now - began < FILL_FROM_S or before <= free:
            return None
        floor = self._tracer.spool.floor_bytes
        return max(free - floor, 0) * (now - began) / (before - free)


def free_bytes(tracer: Tracer) -> int | None:
    """Free bytes of the data folder's disk for this process; None when it cannot be asked."""
    try:
        status = os.statvfs(tracer.settings.data)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def file_bytes(data: Path) -> dict[str, int]:
    """The size of each store that is a file, with the logs that belong to it."""
    return {
        name: sum(_size(path) for path in data.glob(f"{file}*"))
        for name, file in (("meta", "meta.db"), ("spool", "spool.db"), ("events", "events.duckdb"))
    }


def folder_bytes(path: Path) -> int:
    """The size of all files below a folder."""
    return sum(_size(Path(root, name)) for root, _, names in os.walk(path) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was removed just now
        return 0
