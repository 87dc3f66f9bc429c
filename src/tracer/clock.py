"""Time and new ids. A test may replace `now` with `set_clock`; nothing else reads the clock."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

_now: Callable[[], float] = time.time


def set_clock(now: Callable[[], float] | None) -> None:
    """Replace the clock (unix seconds) for tests; `None` restores the system clock."""
    global _now
    _now = now or time.time


def now_s() -> float:
    """Unix seconds."""
    return _now()


def now_ms() -> int:
    """Unix milliseconds: the unit of every `_at` column in SQLite."""
    return int(_now() * 1000)


def now() -> datetime:
    """The current moment, aware, UTC."""
    return datetime.fromtimestamp(_now(), UTC)


def from_ms(ms: int) -> datetime:
    """Unix milliseconds to an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """An aware datetime to unix milliseconds."""
    return int(moment.timestamp() * 1000)


def new_id() -> str:
    """32 random hexadecimal digits: event ids, project keys."""
    return secrets.token_hex(16)


def new_secret() -> str:
    """A URL-safe secret with 256 bits of entropy: login cookies, tokens, set-up links."""
    return secrets.token_urlsafe(32)
