"""Whether the accounts balance: what was accepted, against the fates of its items.

A batch that does not is noted, so that people see it; the check of the whole store is for those who
ask. Accepted = stored + filtered + sampled + rate limited + invalid + … (see `outcomes.FATES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from tracer.ingest.outcomes import FATES, Share

if TYPE_CHECKING:
    from tracer.storage.meta import Reader, Tx

_FACT: Final = "accounts_imbalance"


@dataclass(frozen=True, slots=True)
class Imbalance:
    """An hour of a project's category in which accepted and fates differ. Times in unix ms."""

    project_id: int
    hour_at: int
    category: str
    accepted: int
    decided: int


def note(tx: Tx, missing: Mapping[Share, int]) -> None:
    """Remember that a batch did not balance, until somebody settles it."""
    first = [[*share, quantity] for share, quantity in list(missing.items())[:20]]
    tx.execute(
        "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
        name=_FACT,
        value=msgspec.json.encode({"at": tx.now_ms, "missing": first}).decode(),
    )


def is_noted(reader: Reader) -> bool:
    """Whether a batch did not balance and nobody has settled it."""
    return reader.value("SELECT 1 FROM facts WHERE name = :name", name=_FACT) is not None


def settle(tx: Tx) -> None:
    """Forget the note: somebody has looked into it."""
    tx.execute("DELETE FROM facts WHERE name = :name", name=_FACT)


def check(reader: Reader, *, limit: int = 100) -> list[Imbalance]:
    """Every hour of the whole store that does not balance, the latest first."""
    marks = ", ".join(f"'{fate}'" for fate in FATES)
    return reader.load(
        Imbalance,
        f"""
        SELECT project_id, hour_at, category, sum(accepted), sum(decided)
        FROM (
            SELECT project_id, hour_at, category, quantity AS accepted, 0 AS decided
            FROM accepted
            UNION ALL
            SELECT project_id, hour_at, category, 0, quantity
            FROM outcomes
            WHERE outcome IN ({marks})
        )
        GROUP BY project_id, hour_at, category
        HAVING sum(accepted) <> sum(decided)
        ORDER BY hour_at DESC
        LIMIT :limit
        """,  # noqa: S608
        limit=limit,
    )
