"""Quotas while requests come in: every counter in memory, no database on the request path.

Read anew after each commit that emitted `KeysChanged`. Digest writes the counters down, so that
a start goes on where they were; after a crash at most the last seconds of them are missing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracer import clock
from tracer.ingest.outcomes import RATE_LIMITED, Refusals
from tracer.ingest.prepare import quantity_of
from tracer.projects.quotas import actions, queries
from tracer.projects.quotas.model import (
    KEY,
    ORGANIZATION,
    PROJECT,
    month_began,
    month_ends,
    window_name,
)
from tracer.protocol.categories import QUOTA_CATEGORIES, category_of

if TYPE_CHECKING:
    from tracer.projects.keys import ProjectKey
    from tracer.projects.quotas.model import Quota, Use
    from tracer.protocol.envelope import Item
    from tracer.storage.meta import Reader, Tx

#: SDKs are not told to be silent for longer: the quota may be raised meanwhile.
WAIT_MAX_S: Final = 3600
#: Reports of what SDKs dropped cost nothing and keep the counts honest.
_FREE: Final = "internal"
_EVENTS: Final = frozenset(QUOTA_CATEGORIES["error"])
_ATTACHMENT: Final = "attachment"


class Counter:
    """How full one quota is. A month's counts up; that of a short window is a bucket, which leaks
    `amount` in each window."""

    __slots__ = ("at_ms", "ends_ms", "is_dirty", "level", "over_ms", "quota")

    def __init__(self, quota: Quota, use: Use) -> None:
        self.quota = quota
        self.level = use.level
        self.at_ms = use.at
        self.over_ms = use.over_at
        self.ends_ms = month_ends(use.at) if quota.is_month else 0
        self.is_dirty = False

    def room(self, now_ms: int) -> float:
        """How many items still fit at a moment."""
        quota = self.quota
        if quota.window_s:
            passed = now_ms - self.at_ms
            if passed:
                # A clock that was set back leaks nothing.
                leaked = max(passed, 0) * quota.amount / (quota.window_s * 1000)
                self.level = max(0.0, self.level - leaked)
                self.at_ms = now_ms
        elif now_ms >= self.ends_ms:
            self.level = 0.0
            self.at_ms = month_began(now_ms)
            self.ends_ms = month_ends(now_ms)
        return quota.amount - self.level

    def add(self, quantity: int, now_ms: int) -> None:
        """Counts what was taken; call `room` first."""
        self.level += quantity
        amount = self.quota.amount
        if self.level > amount:
            self.over_ms = now_ms
            if self.quota.window_s:
                # A soft bucket takes all: it must not stay over for long after a burst.
                self.level = min(self.level, 2.0 * amount + 1)
        self.is_dirty = True

    def refuse(self, now_ms: int) -> None:
        """Notes that something was refused."""
        self.over_ms = now_ms
        self.is_dirty = True

    def wait_s(self, quantity: int, now_ms: int) -> int:
        """After how many seconds so many items are taken, as far as it is known: 1 to 3600."""
        quota = self.quota
        if not quota.window_s:
            wait = (self.ends_ms - now_ms) / 1000
        elif quota.amount:
            missing = self.level + min(quantity, quota.amount) - quota.amount
            wait = missing * quota.window_s / quota.amount
        else:
            wait = WAIT_MAX_S
        return max(1, min(WAIT_MAX_S, math.ceil(wait)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What quotas say of one envelope. `lost` maps the item types that are not taken to the reason;
    `limits` and `warnings` are the values of X-Sentry-Rate-Limits and X-Tracer-Quota, or ""."""

    lost: dict[str, str]
    limits: str
    warnings: str
    wait_s: int
    detail: str
    keeps_some: bool


Plan = dict[str, tuple[Counter, ...]]


class Quotas:
    """Every counter, and which of them hold for a key. `check` is called from the event loop only,
    the others from any thread. Empty until the first `refresh`."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}
        self._counters: dict[int, Counter] = {}
        self._refreshing = threading.Lock()

    def refresh(self, reader: Reader) -> None:
        """Reads all quotas anew; what was counted in memory stays."""
        with self._refreshing:
            counters: dict[int, Counter] = {}
            for quota, use in queries.every_quota(reader):
                known = self._counters.get(quota.id)
                if known is None or known.quota.is_month != quota.is_month:
                    known = Counter(quota, use)
                elif known.quota != quota:
                    known.quota = quota
                    known.over_ms = None
                counters[quota.id] = known
            self._counters = counters
            self._plans = _plans(counters.values(), queries.every_key_place(reader))

    def check(self, key: ProjectKey, items: Sequence[Item]) -> Verdict | None:
        """Counts one envelope. None when all of it is taken and no soft quota is exceeded.

        A category is taken whole or not at all, and what is not taken is counted nowhere.
        """
        plan = self._plans.get(key.key_id)
        if plan is None:
            return None
        wanted: dict[str, int] = {}
        for item in items:
            category = category_of(item.type)
            if category != _FREE:
                wanted[category] = wanted.get(category, 0) + quantity_of(item)
        return _judge(plan, wanted, items, clock.now_ms())

    def flush(self, tx: Tx) -> None:
        """Stores the counters that moved. Call `unsaved` when the transaction failed."""
        rows = []
        for counter in self._counters.values():
            if counter.is_dirty:
                counter.is_dirty = False
                rows.append((counter.quota.id, counter.level, counter.at_ms, counter.over_ms))
        if rows:
            actions.save_use(tx, rows)

    def unsaved(self) -> None:
        """Nothing of the last flush was stored."""
        for counter in self._counters.values():
            counter.is_dirty = True


def count_lost(
    refusals: Refusals, project_id: int, items: Iterable[Item], lost: dict[str, str]
) -> None:
    """Counts the items of an envelope of which nothing is taken."""
    for item in items:
        refusals.count(
            project_id,
            lost[item.type],
            quantity_of(item),
            category=category_of(item.type),
            outcome=RATE_LIMITED,
        )


def _plans(counters: Iterable[Counter], places: Iterable[tuple[int, int, int]]) -> dict[int, Plan]:
    by_owner: dict[tuple[str, int], list[Counter]] = {}
    for counter in counters:
        quota = counter.quota
        owner_id = quota.key_id or quota.project_id or quota.organization_id
        by_owner.setdefault((quota.scope, owner_id), []).append(counter)
    found: dict[int, Plan] = {}
    for key_id, project_id, organization_id in places:
        mine = [
            *by_owner.get((KEY, key_id), ()),
            *by_owner.get((PROJECT, project_id), ()),
            *by_owner.get((ORGANIZATION, organization_id), ()),
        ]
        if mine:
            found[key_id] = _plan(mine)
    return found


def _plan(counters: list[Counter]) -> Plan:
    named = {name for counter in counters for name in counter.quota.categories}
    return {
        name: tuple(c for c in counters if not c.quota.categories or name in c.quota.categories)
        for name in (*named, "")
    }


def _judge(
    plan: Plan, wanted: dict[str, int], items: Sequence[Item], now_ms: int
) -> Verdict | None:
    lost_categories: dict[str, str] = {}
    full: dict[int, tuple[Counter, int]] = {}
    soft: dict[int, Counter] = {}
    if _ATTACHMENT in wanted:
        # After the events: what belongs to one that is not taken goes with it.
        wanted[_ATTACHMENT] = wanted.pop(_ATTACHMENT)
    for category in wanted:
        if category == _ATTACHMENT and not _EVENTS.isdisjoint(lost_categories):
            event = next(name for name in lost_categories if name in _EVENTS)
            lost_categories[category] = lost_categories[event]
            continue
        counters = plan.get(category)
        if counters is None:
            counters = plan[""]
        quantity = wanted[category]
        worst: tuple[int, Counter] | None = None
        for counter in counters:
            if counter.room(now_ms) < quantity and counter.quota.is_hard:
                counter.refuse(now_ms)
                wait_s = counter.wait_s(quantity, now_ms)
                full[counter.quota.id] = (counter, wait_s)
                if worst is None or wait_s > worst[0]:
                    worst = (wait_s, counter)
        if worst is not None:
            lost_categories[category] = worst[1].quota.reason
            continue
        for counter in counters:
            counter.add(quantity, now_ms)
            if counter.level > counter.quota.amount:
                soft[counter.quota.id] = counter
    if not full and not soft:
        return None
    return _verdict(lost_categories, list(full.values()), list(soft.values()), items)


def _verdict(
    lost_categories: dict[str, str],
    full: list[tuple[Counter, int]],
    soft: list[Counter],
    items: Sequence[Item],
) -> Verdict:
    lost = {
        item.type: lost_categories[category]
        for item in items
        if (category := category_of(item.type)) in lost_categories
    }
    full.sort(key=lambda one: -one[1])
    limits = [
        f"{wait_s}:{';'.join(counter.quota.categories)}:{counter.quota.scope}:{counter.quota.reason}"
        for counter, wait_s in full
    ]
    return Verdict(
        lost,
        ", ".join(limits),
        ", ".join(_warning(counter) for counter in soft),
        full[0][1] if full else 0,
        f"quota of this {full[0][0].quota.scope} reached: {full[0][0].quota.text}" if full else "",
        any(item.type not in lost for item in items),
    )


def _warning(counter: Counter) -> str:
    """`error:project:1204/1000:month`: categories, whose it is, used of allowed, window."""
    quota = counter.quota
    categories = ";".join(quota.categories)
    used = math.ceil(counter.level)
    return f"{categories}:{quota.scope}:{used}/{quota.amount}:{window_name(quota.window_s)}"
