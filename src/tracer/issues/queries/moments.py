"""Lengths of time as they stand in an address: `24h`, `14d`."""

from __future__ import annotations

import re

from tracer.errors import Invalid

UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
MAX_PERIOD_MS = 3650 * 86_400_000

_PERIOD = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhdw])\Z", re.ASCII)


def parse_period(text: str) -> int:
    """A length of time such as `24h` or `14d`, in ms, ten years at most. Raises Invalid."""
    match = _PERIOD.match(text)
    if match is None:
        raise Invalid(f"{text[:40]!r} is not a length of time. Write 24h or 14d, for example.")
    return min(int(match["count"]) * UNITS_MS[match["unit"]], MAX_PERIOD_MS)
