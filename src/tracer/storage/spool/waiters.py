"""Tells those who wait for a group of frames what became of it: one wake-up an event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from tracer.errors import Unavailable
from tracer.storage import sqlite
from tracer.storage.spool.frames import NewFrame

Loop = asyncio.AbstractEventLoop | None
Waiter = asyncio.Future[int] | Future[int]
Append = tuple[NewFrame, Loop, Waiter]
Told = tuple[Waiter, int]

log = logging.getLogger(__name__)


def accept(appends: Sequence[Append], first: int) -> None:
    """The group is on disk; its frames have the ids from `first` on."""
    _tell(appends, first, _accept)


def refuse(appends: Sequence[Append], first: int, detail: str) -> None:
    """Nothing of the group is stored."""
    _tell(appends, first, partial(_refuse, detail=detail))


def _tell(appends: Sequence[Append], first: int, tell: Callable[[list[Told]], None]) -> None:
    waiting: dict[Loop, list[Told]] = {}
    for number, (_, loop, waiter) in enumerate(appends, first):
        waiting.setdefault(loop, []).append((waiter, number))
    for loop, told in waiting.items():
        if loop is None:
            tell(told)
            continue
        try:
            loop.call_soon_threadsafe(tell, told)
        except RuntimeError:
            log.warning("An event loop ended before its frames were written")


def _accept(told: list[Told]) -> None:
    for waiter, number in told:
        if not waiter.done():
            waiter.set_result(number)


def _refuse(told: list[Told], detail: str) -> None:
    for waiter, _ in told:
        if not waiter.done():
            waiter.set_exception(Unavailable(detail, retry_after_s=sqlite.RETRY_AFTER_S))
