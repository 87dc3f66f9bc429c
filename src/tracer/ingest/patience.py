"""How long a request's body may take: bodies that hardly move are ended, so that none holds memory.

One look a second at all bodies under way, instead of a timer for each.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

TICK_S = 0.5
#: A second more for so many bytes that came, up to so many times the allowance in all.
RATE_BYTES = 16 << 10
AT_MOST = 10


class Growing(Protocol):
    """A body that is being received: how much of it came, which task waits for it, since when as
    far as it was looked at, and whether it was given up."""

    size: int
    task: asyncio.Task[Any] | None
    seen_at: float
    is_late: bool


class Patience:
    """Cancels the task that waits for a late body, and marks the body. For one event loop."""

    def __init__(self, allowance_s: float) -> None:
        self._allowance_s = allowance_s
        self._under_way: set[Growing] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_looking = False

    def begin(self, body: Growing) -> None:
        """The running task waits for this body from now on."""
        body.task = task = asyncio.current_task()
        if task is None:
            return
        self._under_way.add(body)
        if not self._is_looking or self._loop is not task.get_loop():
            self._loop = task.get_loop()
            self._is_looking = True
            self._loop.call_later(TICK_S, self._look, self._loop)

    def end(self, body: Growing) -> None:
        """It waits no longer."""
        self._under_way.discard(body)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        now = time.monotonic()
        for body in self._under_way:
            if not body.seen_at:
                # Seen for the first time: nearly all bodies are complete before they ever are.
                body.seen_at = now
            elif now - body.seen_at > self._allowed_s(body.size) and not body.is_late:
                body.is_late = True
                if body.task is not None:
                    body.task.cancel()
        self._is_looking = bool(self._under_way)
        if self._is_looking:
            loop.call_later(TICK_S, self._look, loop)

    def _allowed_s(self, size_bytes: int) -> float:
        return min(
            self._allowance_s + size_bytes / RATE_BYTES,
            self._allowance_s * AT_MOST,
        )
