"""What is remembered in memory of this server's own requests and queries: one request of a hundred,
every slow one, and the slowest statements. Bounded, and lost when the server stops.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tracer.storage.timing import SlowQuery

#: One request of so many is kept.
EVERY = 100
#: A request that takes longer is always kept, and reported.
SLOW_S = 2.0
KEPT = 500
STATEMENTS = 200
SQL_MAX = 2000


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request; `at` (unix seconds) is when it began. `why`: sampled, slow, failed."""

    at: float
    seconds: float
    method: str
    route: str
    status: int
    request_id: str
    why: str
    trace_id: str = ""
    parent_id: str = ""
    queries: tuple[SlowQuery, ...] = ()


@dataclass(slots=True)
class Statement:
    """How often a statement was slow, in all and at worst."""

    store: str
    sql: str
    count: int = 0
    seconds: float = 0.0
    worst_s: float = 0.0


class Samples:
    """Safe to use from many threads. `hear` are told of each kept request, and must be quick."""

    def __init__(self) -> None:
        self._requests: deque[Sample] = deque(maxlen=KEPT)
        self._statements: dict[tuple[str, str], Statement] = {}
        self._lock = threading.Lock()
        self.hear: list[Callable[[Sample], None]] = []

    def keep(self, sample: Sample) -> None:
        """Remember one request."""
        self._requests.append(sample)
        for hear in self.hear:
            hear(sample)

    def note_query(self, query: SlowQuery) -> None:
        """A statement was slow."""
        sql = query.sql[:SQL_MAX]
        with self._lock:
            found = self._statements.get((query.store, sql))
            if found is None:
                if len(self._statements) >= STATEMENTS:
                    least = min(self._statements, key=lambda key: self._statements[key].worst_s)
                    del self._statements[least]
                found = self._statements[query.store, sql] = Statement(query.store, sql)
            found.count += 1
            found.seconds += query.seconds
            found.worst_s = max(found.worst_s, query.seconds)

    def slowest_requests(self, limit: int) -> list[Sample]:
        """Of those that are remembered, the slowest first."""
        return sorted(self._requests, key=lambda one: -one.seconds)[:limit]

    def slowest_statements(self, limit: int) -> list[Statement]:
        """By their worst time."""
        with self._lock:
            found = list(self._statements.values())
        return sorted(found, key=lambda one: -one.worst_s)[:limit]
