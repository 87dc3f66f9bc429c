"""When things happen in a shop: more by day than by night, less at the weekend."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from random import Random

DAY_S = 86_400.0
HOUR_S = 3_600.0

_WEEKEND = 0.55
_NIGHT = 0.12


def moments(random: Random, count: int, begin: float, end: float) -> list[float]:
    """`count` moments (unix seconds) between two, dense where customers are awake."""
    found: list[float] = []
    while len(found) < count:
        moment = random.uniform(begin, end)
        if random.random() < busyness(moment):
            found.append(moment)
    return found


def burst(random: Random, count: int, begin: float, length_s: float) -> list[float]:
    """`count` moments of an outage: it sets in at once and fades away."""
    return [begin + length_s * random.betavariate(1.1, 3.0) for _ in range(count)]


def busyness(moment: float) -> float:
    """Between 0 and 1: how much goes on, with peaks at 11 and 20 o'clock UTC."""
    at = datetime.fromtimestamp(moment, UTC)
    hour = at.hour + at.minute / 60
    day = _peak(hour, 11.0, 3.2) * 0.75 + _peak(hour, 20.0, 2.4)
    return (_NIGHT + (1 - _NIGHT) * min(1.0, day)) * (_WEEKEND if at.weekday() >= 5 else 1.0)


def _peak(hour: float, at: float, width: float) -> float:
    away = min(abs(hour - at), 24 - abs(hour - at))
    return math.exp(-((away / width) ** 2) / 2)
