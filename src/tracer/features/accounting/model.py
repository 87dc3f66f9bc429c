"""One line of the accounts: a project's data category, in all of a period or in one hour of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tracer.ingest import outcomes

HOUR_MS: Final = outcomes.HOUR_MS
#: What a period is called -> its hours.
PERIODS: Final = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}

Reason = tuple[str, str]


@dataclass(slots=True)
class Account:
    """Items of one category: how many were accepted, and what became of them.

    `fates` counts by outcome and reason. `waiting` are accepted and not yet digested.
    `discarded` were dropped by the SDKs themselves, by reason, and never came here.
    """

    accepted: int = 0
    waiting: int = 0
    fates: dict[Reason, int] = field(default_factory=dict)
    discarded: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All that came, digested or not."""
        return self.accepted + self.waiting

    @property
    def missing(self) -> int:
        """Accepted less all fates: 0, or something is wrong."""
        return self.accepted - sum(self.fates.values())

    @property
    def discarded_total(self) -> int:
        return sum(self.discarded.values())

    def of(self, outcome: str) -> int:
        """How many items met a fate, for whatever reason."""
        return sum(count for (fate, _), count in self.fates.items() if fate == outcome)

    def add(self, outcome: str, reason: str, quantity: int) -> None:
        """Add a row of the counts."""
        if outcome == outcomes.CLIENT_DISCARD:
            self.discarded[reason] = self.discarded.get(reason, 0) + quantity
        elif outcome in outcomes.FATES:
            self.fates[outcome, reason] = self.fates.get((outcome, reason), 0) + quantity


@dataclass(slots=True)
class Line:
    """A project's category over the period, and hour by hour (the oldest first)."""

    project_id: int
    category: str
    account: Account = field(default_factory=Account)
    hours: dict[int, Account] = field(default_factory=dict)

    def at(self, hour_at: int) -> Account:
        """The account of an hour, begun when it is not there."""
        return self.hours.setdefault(hour_at, Account())


@dataclass(frozen=True, slots=True)
class Accounts:
    """All lines of some projects. `refused` are requests that were turned away whole, by reason."""

    since_ms: int
    until_ms: int
    lines: list[Line]
    refused: dict[str, int]

    @property
    def balances(self) -> bool:
        """Whether every hour of every line sums."""
        return not any(one.missing for line in self.lines for one in line.hours.values())

    def of(self, outcome: str) -> int:
        """How many items of all lines met a fate."""
        return sum(line.account.of(outcome) for line in self.lines)

    @property
    def total(self) -> int:
        """All items that came, of all lines."""
        return sum(line.account.total for line in self.lines)

    @property
    def waiting(self) -> int:
        """All items that wait for digest."""
        return sum(line.account.waiting for line in self.lines)

    @property
    def discarded(self) -> int:
        """All items that SDKs dropped themselves."""
        return sum(line.account.discarded_total for line in self.lines)

    def sums(self, hours: int) -> list[tuple[int, int]]:
        """(accepted, stored) of each of the last hours, the oldest first."""
        last = self.until_ms - self.until_ms % HOUR_MS
        totals = {last - step * HOUR_MS: [0, 0] for step in range(hours)}
        for line in self.lines:
            for hour_at, account in line.hours.items():
                if hour_at in totals:
                    totals[hour_at][0] += account.accepted
                    totals[hour_at][1] += account.of(outcomes.STORED)
        return [(accepted, stored) for _, (accepted, stored) in sorted(totals.items())]
