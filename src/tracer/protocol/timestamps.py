"""Moments as SDKs write them, and the correction of client clocks."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_LATEST_S = 253402300799.0  # 9999-12-31T23:59:59Z
_NUMERIC = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE]\+?[0-9]{1,2})?", re.ASCII)

MAX_DRIFT_S = 60.0
MAX_FUTURE_S = 60.0
MAX_AGE_S = 30 * 86400.0


def parse_timestamp(value: object) -> float | None:
    """Unix seconds of a number (seconds, or ms, us, ns by its size), its text, or ISO 8601.

    Without a zone it is UTC. None when unreadable or outside 1970–9999.
    """
    if isinstance(value, str):
        # Without dashes fromisoformat would take milliseconds for a date.
        seconds = _parse_iso(value) if value[4:5] == "-" else None
        return _parse_odd_text(value.strip()) if seconds is None else seconds
    if not isinstance(value, (int, float)) or value is True or not 0 <= value < 1e20:
        return None
    seconds = float(value)
    while seconds > 1e11:  # the year 5138 in seconds, 1973 in milliseconds
        seconds /= 1000
    return seconds


def _parse_iso(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if 0 <= seconds <= _LATEST_S else None


def _parse_odd_text(value: str) -> float | None:
    if len(value) > 64:
        return None
    if _NUMERIC.fullmatch(value):
        return parse_timestamp(float(value))
    if value.endswith((" UTC", " GMT")):
        value = value[:-4]
    return _parse_iso(value) if value[4:5] == "-" else None


def clock_drift(sent_at: float | None, received_at: float) -> float:
    """Seconds by which the client's clock is behind the server's; 0 within a minute.

    The SDK stamps `sent_at` when it sends, so a larger difference is not the network's (as Relay).
    """
    if sent_at is None or abs(received_at - sent_at) <= MAX_DRIFT_S:
        return 0.0
    return received_at - sent_at
