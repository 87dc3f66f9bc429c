"""A quota and its rules. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tracer import clock
from tracer.errors import Invalid
from tracer.protocol.categories import QUOTA_CATEGORIES

ORGANIZATION: Final = "organization"
PROJECT: Final = "project"
KEY: Final = "key"
SCOPES: Final = (ORGANIZATION, PROJECT, KEY)

#: The category of a quota on everything together.
ALL: Final = ""
#: The window of a quota on a calendar month.
MONTH: Final = 0
WINDOW_MAX_S: Final = 86_400
AMOUNT_MAX: Final = 1_000_000_000
QUOTAS_MAX: Final = 50
_LATELY_MS: Final = 15 * 60_000

WINDOWS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "month": MONTH}

#: What people call the categories.
NAMES: Final = {
    ALL: "everything",
    "error": "errors",
    "transaction": "transactions",
    "span": "spans",
    "session": "sessions",
    "attachment": "attachments",
    "feedback": "feedback",
    "replay": "replays",
    "profile": "profiles",
    "monitor": "check-ins",
    "log_item": "logs",
    "trace_metric": "metrics",
}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `amount` items of a category in a window. A hard one refuses what is more, a soft
    one warns. `window_s` 0 is the calendar month, UTC; `created_at` is unix milliseconds."""

    id: int
    organization_id: int
    project_id: int | None
    key_id: int | None
    category: str
    window_s: int
    amount: int
    is_hard: bool
    created_at: int

    @property
    def scope(self) -> str:
        """Whose it is: "organization", "project" or "key"."""
        if self.key_id is not None:
            return KEY
        return ORGANIZATION if self.project_id is None else PROJECT

    @property
    def is_month(self) -> bool:
        return self.window_s == MONTH

    @property
    def reason(self) -> str:
        """What outcomes and SDKs are told: `project_quota`, `key_rate_limit`, …"""
        return f"{self.scope}_{'quota' if self.is_month else 'rate_limit'}"

    @property
    def categories(self) -> tuple[str, ...]:
        """The data categories that it counts, as SDKs name them; none for all."""
        return QUOTA_CATEGORIES[self.category] if self.category else ()

    @property
    def text(self) -> str:
        """Such as "100 errors an hour"."""
        noun = NAMES[self.category] if self.category else "items"
        noun = noun.removesuffix("s") if self.amount == 1 else noun
        return f"{self.amount:,} {noun} {per(self.window_s)}"


@dataclass(frozen=True, slots=True)
class Use:
    """How full a quota is; `at`, `over_at` and `told_at` are unix milliseconds. See `Quota`."""

    level: float = 0.0
    at: int = 0
    over_at: int | None = None
    told_at: int | None = None

    def now(self, quota: Quota, now_ms: int) -> int:
        """Items counted by now: of this month, or still in the bucket."""
        if quota.is_month:
            return int(self.level) if self.at >= month_began(now_ms) else 0
        leaked = max(0, now_ms - self.at) / 1000 * quota.amount / quota.window_s
        return max(0, round(self.level - leaked))

    def is_over(self, quota: Quota, now_ms: int) -> bool:
        """Whether it was exceeded lately: in this month, or within its window, at least in the last
        quarter of an hour."""
        if self.over_at is None:
            return False
        since = now_ms - max(_LATELY_MS, quota.window_s * 1000)
        if quota.is_month:
            since = month_began(now_ms)
        return self.over_at >= since


def per(window_s: int) -> str:
    """A window in words: "an hour", "in 90 seconds"."""
    for name, seconds in WINDOWS.items():
        if seconds == window_s:
            return f"{'an' if name == 'hour' else 'a'} {name}"
    return f"in {window_s} seconds"


def month_began(now_ms: int) -> int:
    """When the month of a moment began, UTC. Unix milliseconds in and out."""
    moment = clock.from_ms(now_ms)
    return clock.to_ms(datetime(moment.year, moment.month, 1, tzinfo=UTC))


def month_ends(now_ms: int) -> int:
    """When the month of a moment ends, UTC."""
    moment = clock.from_ms(now_ms)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return clock.to_ms(datetime(year, month, 1, tzinfo=UTC))


def check(category: str, window_s: int, amount: int, *, is_hard: bool) -> None:
    """Invalid when these make no quota."""
    if category not in NAMES:
        raise Invalid(f"Choose a category: {', '.join(name for name in NAMES if name)}, or all.")
    if not 0 <= window_s <= WINDOW_MAX_S:
        raise Invalid("A window is a month, or from a second to a day.")
    if not 0 <= amount <= AMOUNT_MAX:
        raise Invalid(f"Enter a number from 0 to {AMOUNT_MAX:,}.")
    if amount == 0 and not is_hard:
        raise Invalid("A soft quota begins at 1: it warns of what is more.")


def window(text: str) -> int:
    """A window as it is written: "month", "hour", or seconds. Invalid when it is none."""
    if text in WINDOWS:
        return WINDOWS[text]
    if text.isascii() and text.isdigit() and len(text) < 7 and 1 <= int(text) <= WINDOW_MAX_S:
        return int(text)
    raise Invalid("A window is second, minute, hour, day, month, or a number of seconds.")


def window_name(window_s: int) -> str:
    """The window as `window` reads it."""
    return {seconds: name for name, seconds in WINDOWS.items()}.get(window_s, str(window_s))
