"""Interrupts queries that take too long. One thread watches all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TICK_S = 0.1


class Watch:
    """`limit` a piece of work: its `interrupt` is called, once, if it is not over in time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[object, tuple[float, Callable[[], None]]] = {}
        self._busy = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="events-deadline", daemon=True)
        self._thread.start()

    @contextmanager
    def limit(self, timeout_s: float, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` from the watching thread when the block takes longer than this."""
        token = object()
        with self._lock:
            self._running[token] = (time.monotonic() + timeout_s, interrupt)
        self._busy.set()
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(token, None)

    def close(self) -> None:
        self._closed.set()
        self._busy.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._closed.is_set():
            self._busy.wait()
            with self._lock:
                if not self._running:
                    self._busy.clear()
                now = time.monotonic()
                late = [token for token, (end, _) in self._running.items() if end <= now]
                # Under the lock: afterwards the connection may be at its next query.
                for token in late:
                    self._running.pop(token)[1]()
            self._closed.wait(TICK_S)
