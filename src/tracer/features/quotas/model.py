"""What quotas come to: forecast, what one would have dropped, what is shown of each. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracer.projects.quotas.model import (
    NAMES,
    Quota,
    Use,
    check,
    month_began,
    month_ends,
    window,
)
from tracer.protocol.categories import QUOTA_CATEGORIES

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
OTHER = "other"

_CATEGORY = {wire: name for name, wires in QUOTA_CATEGORIES.items() for wire in wires}


@dataclass(frozen=True, slots=True)
class Seen:
    """Items of one data category of one project: of this month, and of the last seven days."""

    project_id: int
    category: str
    month: int
    week: int


@dataclass(frozen=True, slots=True)
class CategoryUse:
    """What came of one category that quotas are set for, and what the month will come to."""

    category: str
    name: str
    month: int
    forecast: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A quota as people see it. `used` and `share` (0 to 100) are of now; `forecast` is what its
    month will come to, None for a short window."""

    quota: Quota
    used: int
    share: int
    forecast: int | None
    is_over: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a quota would have let go of what came in the last seven days."""

    offered: int
    dropped: int
    hours: int
    share: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A quota that is about to be set."""

    category: str
    window_s: int
    amount: int
    is_hard: bool
    key_id: int | None = None

    @classmethod
    def read(
        cls, category: str, per: str, amount: int, *, is_hard: bool, key_id: int | None = None
    ) -> Draft:
        """From what was typed. Invalid when it makes no quota."""
        draft = cls("" if category == "all" else category, window(per), amount, is_hard, key_id)
        check(draft.category, draft.window_s, draft.amount, is_hard=is_hard)
        return draft

    @property
    def tried(self) -> str:
        """What the form carries once its effect was shown."""
        return f"{self.category}|{self.window_s}|{self.amount}|{self.is_hard:d}|{self.key_id or 0}"

    def quota(self, organization_id: int, project_id: int | None, now_ms: int) -> Quota:
        """As a quota that is not stored."""
        return Quota(
            0,
            organization_id,
            project_id,
            self.key_id,
            self.category,
            self.window_s,
            self.amount,
            self.is_hard,
            now_ms,
        )


def category_of(wire: str) -> str:
    """The category of quotas that a data category counts for; `other` has no quota of its own."""
    return _CATEGORY.get(wire, OTHER)


def forecast(month: int, week: int, *, since_ms: int, now_ms: int) -> int:
    """What this month comes to if it goes on as in the last seven days, or since `since_ms` where
    that is later. The first day of all is reckoned as a whole one."""
    span = max(DAY_MS, min(WEEK_MS, now_ms - since_ms))
    return month + round(week / span * (month_ends(now_ms) - now_ms))


def by_category(seen: Iterable[Seen], *, since_ms: int, now_ms: int) -> list[CategoryUse]:
    """Use by category, in the order of their names' table; those of which nothing came left out."""
    sums: dict[str, tuple[int, int]] = {}
    for one in seen:
        name = category_of(one.category)
        month, week = sums.get(name, (0, 0))
        sums[name] = (month + one.month, week + one.week)
    order = [*NAMES, OTHER]
    return [
        CategoryUse(
            name,
            NAMES.get(name, OTHER),
            month,
            forecast(month, week, since_ms=since_ms, now_ms=now_ms),
        )
        for name, (month, week) in sorted(sums.items(), key=lambda item: order.index(item[0]))
    ]


def errors_by_project(
    seen: Iterable[Seen], *, since_ms: int, now_ms: int
) -> list[tuple[int, int, int]]:
    """(project id, errors of this month, forecast), those with the most first."""
    sums: dict[int, tuple[int, int]] = {}
    for one in seen:
        if category_of(one.category) == "error":
            month, week = sums.get(one.project_id, (0, 0))
            sums[one.project_id] = (month + one.month, week + one.week)
    rows = [
        (id_, month, forecast(month, week, since_ms=since_ms, now_ms=now_ms))
        for id_, (month, week) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


def show(
    quota: Quota, use: Use, seen: Sequence[Seen], *, since_ms: int, now_ms: int, where: str = ""
) -> Shown:
    """A quota with its use; `seen` is what came of all projects in reach."""
    used = use.now(quota, now_ms)
    comes: int | None = None
    if quota.is_month and quota.key_id is None:
        mine = [one for one in seen if _counts(quota, one)]
        week = sum(one.week for one in mine)
        comes = forecast(used, week, since_ms=since_ms, now_ms=now_ms)
    elif quota.is_month:
        passed = max(HOUR_MS, now_ms - max(month_began(now_ms), quota.created_at))
        comes = used + round(used / passed * (month_ends(now_ms) - now_ms))
    share = 100 if quota.amount == 0 else min(100, round(100 * used / quota.amount))
    return Shown(quota, used, share, comes, use.is_over(quota, now_ms), where)


def would_drop(quota: Quota, hours: Sequence[tuple[int, int]], now_ms: int) -> Effect:
    """What a quota would have dropped in the last seven days. `hours` are (beginning, items), the
    oldest first, and reach back to the beginning of the month that the seven days began in.

    Items are taken as spread evenly over their hour, so bursts make it more.
    """
    week_began = now_ms - WEEK_MS
    level, month, last_at = 0.0, 0, 0
    leak = 0.0 if quota.is_month else quota.amount * HOUR_MS / (quota.window_s * 1000)
    offered = hit = 0
    dropped = 0.0
    for hour_at, items in hours:
        if quota.is_month:
            began = month_began(hour_at)
            level = level if began == month else 0.0
            month = began
        else:
            level = max(0.0, level - leak * (hour_at - last_at) / HOUR_MS)
        last_at = hour_at + HOUR_MS
        level = max(0.0, level + items - leak)
        lost = min(float(items), max(0.0, level - quota.amount))
        level = min(level, float(quota.amount))
        if hour_at + HOUR_MS > week_began:
            offered += items
            dropped += lost
            hit += lost >= 0.5
    return Effect(offered, round(dropped), hit, 100 * dropped / offered if offered else 0.0)


def _counts(quota: Quota, seen: Seen) -> bool:
    if quota.project_id is not None and seen.project_id != quota.project_id:
        return False
    return not quota.categories or seen.category in quota.categories
