"""What quotas cost a request: the check of one envelope, in this process."""

from __future__ import annotations

import statistics
import time
from typing import Any

from tracer.ingest.quotas import Counter, Quotas, _plan
from tracer.projects.keys import ProjectKey
from tracer.projects.quotas.model import MONTH, Quota, Use
from tracer.protocol.envelope import Item

ROUNDS = 50
CHECKS = 2000
KEY = ProjectKey(1, 1, 1, True, None, ("*",))
ITEMS = [Item("event", {"type": "event"}, b"{}")]


def quotas() -> dict[str, Any]:
    """Microseconds of one check of an envelope with an event: without a quota, and with six."""
    return {"without_us": _check(Quotas()), "with_six_us": _check(_six())}


def _six() -> Quotas:
    """A quota of a month and one of a minute, of organization, project and key each; none full."""
    found = Quotas()
    places = ((None, None), (1, None), (1, 1))
    counters = [
        Counter(Quota(number, 1, *place, "error", window_s, 10**9, True, 0), Use())
        for number, (place, window_s) in enumerate(
            (place, window_s) for place in places for window_s in (MONTH, 60)
        )
    ]
    found._plans = {KEY.key_id: _plan(counters)}
    return found


def _check(found: Quotas) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CHECKS):
            found.check(KEY, ITEMS)
        times.append((time.perf_counter() - began) / CHECKS * 1e6)
    return round(statistics.median(times), 2)
