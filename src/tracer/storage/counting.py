"""Counts the queries a thread makes, for the query budget that each page keeps.

Off unless a test or a page opens `counted()`; then every statement on any store adds one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Counter:
    """How many queries this thread has made since the context was opened."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class _Active(threading.local):
    counter: Counter | None = None


_active = _Active()


@contextmanager
def counted() -> Iterator[Counter]:
    """Count this thread's queries while the context is open. An inner context counts alone."""
    outer = _active.counter
    _active.counter = counter = Counter()
    try:
        yield counter
    finally:
        _active.counter = outer
        if outer is not None:
            outer.count += counter.count


def note_query() -> None:
    """One more query was made by this thread."""
    counter = _active.counter
    if counter is not None:
        counter.count += 1
