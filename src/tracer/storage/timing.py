"""Tells who listens of each statement that took long, on any store.

Costs two readings of the clock a statement; what is told never holds a value, only the SQL text.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from tracer import clock

#: A statement that takes longer is worth a look.
SLOW_S = 0.1


class SlowQuery(NamedTuple):
    """One statement: the store it was on (`meta` or `events`), its text, its seconds, and when it
    ended (unix seconds)."""

    store: str
    sql: str
    seconds: float
    at: float = 0.0


Listener = Callable[[SlowQuery], None]

_listeners: tuple[Listener, ...] = ()


def listen(listener: Listener) -> Callable[[], None]:
    """Be told of slow statements, in the thread that made them; call the result to end it."""
    global _listeners
    _listeners = (*_listeners, listener)

    def end() -> None:
        global _listeners
        _listeners = tuple(other for other in _listeners if other is not listener)

    return end


def note(store: str, sql: str, began: float) -> None:
    """A statement that began at `began` (perf_counter) has ended."""
    seconds = perf_counter() - began
    if seconds >= SLOW_S:
        for listener in _listeners:
            listener(SlowQuery(store, " ".join(sql.split()), seconds, clock.now_s()))
