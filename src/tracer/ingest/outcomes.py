"""The one fate of every item, counted by project, hour, data category, outcome and reason; and
beside it what was accepted, counted by the endpoint, so that the two can be held together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from tracer.storage.meta import Tx

STORED: Final = "stored"
FILTERED: Final = "filtered"
SAMPLED: Final = "sampled"
RATE_LIMITED: Final = "rate_limited"
INVALID: Final = "invalid"
UNSUPPORTED: Final = "unsupported"
UNKNOWN_TYPE: Final = "unknown_type"
DEAD_LETTER: Final = "dead_letter"
#: Refused with a 4xx or 5xx before anything was accepted; counted in requests, not items.
REFUSED: Final = "refused"
#: What SDKs report that they dropped themselves; it never reached this server.
CLIENT_DISCARD: Final = "client_discard"

#: The fates whose sum is what was accepted.
FATES: Final = (
    STORED,
    FILTERED,
    SAMPLED,
    RATE_LIMITED,
    INVALID,
    UNSUPPORTED,
    UNKNOWN_TYPE,
    DEAD_LETTER,
)

HOUR_MS: Final = 3_600_000

#: (project id, data category, outcome, reason)
Key = tuple[int, str, str, str]
#: (project id, data category)
Share = tuple[int, str]


def record(tx: Tx, counts: Mapping[Key, int]) -> None:
    """Add `counts` to the current hour."""
    hour_at = tx.now_ms - tx.now_ms % HOUR_MS
    tx.many(
        """
        INSERT INTO outcomes (project_id, hour_at, category, outcome, reason, quantity)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (project_id, hour_at, category, outcome, reason)
        DO UPDATE SET quantity = quantity + excluded.quantity
        """,
        [(project, hour_at, *rest, quantity) for (project, *rest), quantity in counts.items()],
    )


def take_back(tx: Tx, key: Key, quantity: int, *, since_ms: int) -> None:
    """Subtract from the first hour since `since_ms` that counts as much under `key`, and from what
    was accepted in it. Nothing where that hour is forgotten already."""
    project_id, category, outcome, reason = key
    place = {"project": project_id, "category": category, "outcome": outcome, "reason": reason}
    hour_at = tx.value(
        """
        SELECT hour_at
        FROM outcomes
        WHERE project_id = :project AND category = :category AND outcome = :outcome
            AND reason = :reason AND hour_at >= :since AND quantity >= :quantity
        ORDER BY hour_at
        LIMIT 1
        """,
        **place,
        since=since_ms - since_ms % HOUR_MS,
        quantity=quantity,
    )
    tx.execute(
        """
        UPDATE outcomes
        SET quantity = quantity - :quantity
        WHERE project_id = :project AND hour_at = :hour AND category = :category
            AND outcome = :outcome AND reason = :reason
        """,
        **place,
        hour=hour_at,
        quantity=quantity,
    )
    tx.execute(
        """
        UPDATE accepted
        SET quantity = quantity - :quantity
        WHERE project_id = :project AND hour_at = :hour AND category = :category
        """,
        project=project_id,
        hour=hour_at,
        category=category,
        quantity=quantity,
    )


def record_accepted(tx: Tx, counts: Mapping[Share, int]) -> None:
    """Add what was accepted to the current hour."""
    hour_at = tx.now_ms - tx.now_ms % HOUR_MS
    tx.many(
        """
        INSERT INTO accepted (project_id, hour_at, category, quantity)
        VALUES (?, ?, ?, ?)
        ON CONFLICT (project_id, hour_at, category)
        DO UPDATE SET quantity = quantity + excluded.quantity
        """,
        [(project, hour_at, category, count) for (project, category), count in counts.items()],
    )


def record_refused(tx: Tx, counts: Mapping[Key, int]) -> None:
    """Add what requests decided themselves: items that a limit refused were accepted first."""
    record(tx, counts)
    record_accepted(tx, fates(counts))


def fates(counts: Mapping[Key, int]) -> dict[Share, int]:
    """How many items of each project and category have met a fate."""
    totals: dict[Share, int] = {}
    for (project, category, outcome, _), quantity in counts.items():
        if outcome in FATES:
            totals[project, category] = totals.get((project, category), 0) + quantity
    return totals


def differences(accepted: Mapping[Share, int], counts: Mapping[Key, int]) -> dict[Share, int]:
    """Accepted less the sum of fates, wherever that is not 0: items that nobody can account for."""
    decided = fates(counts)
    found = {
        share: accepted.get(share, 0) - decided.get(share, 0) for share in (*accepted, *decided)
    }
    return {share: missing for share, missing in found.items() if missing}


class Refusals:
    """Fates decided in the request itself, counted in memory because requests touch no database."""

    _MAX_KEYS = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, int] = {}

    def count(
        self,
        project_id: int,
        reason: str,
        quantity: int = 1,
        *,
        category: str = "request",
        outcome: str = REFUSED,
    ) -> None:
        """Add to a count; `project_id` is 0 where no project could be told."""
        key = (project_id, category, outcome, reason)
        with self._lock:
            if key in self._counts or len(self._counts) < self._MAX_KEYS:
                self._counts[key] = self._counts.get(key, 0) + quantity

    def take(self) -> dict[Key, int]:
        """All counts since the last call."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts

    def give_back(self, counts: Mapping[Key, int]) -> None:
        """Return counts that could not be written."""
        with self._lock:
            for key, quantity in counts.items():
                self._counts[key] = self._counts.get(key, 0) + quantity
