"""Reads of the accounts. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracer.features.accounting.model import HOUR_MS, Accounts, Line
from tracer.ingest import outcomes

if TYPE_CHECKING:
    from tracer.storage.meta import Reader
    from tracer.storage.spool import Spool

#: Two of meta, one of the spool.
BUDGET = 3
#: Of a longer queue the rest is not looked through: the page must not take as long as digest does.
MOST_WAITING = 100_000


def accounts(
    reader: Reader, spool: Spool, project_ids: Sequence[int], *, hours: int, now_ms: int
) -> Accounts:
    """The accounts of some projects over the last `hours`, the present one included."""
    since = now_ms - now_ms % HOUR_MS - (hours - 1) * HOUR_MS
    place = {"projects": str(list(project_ids)), "since": since}
    lines: dict[tuple[int, str], Line] = {}
    refused: dict[str, int] = {}
    rows = reader.rows(
        """
        SELECT project_id, category, hour_at, outcome, reason, quantity
        FROM outcomes
        WHERE project_id IN (SELECT value FROM json_each(:projects)) AND hour_at >= :since
        """,
        **place,
    )
    for project_id, category, hour_at, outcome, reason, quantity in rows:
        if outcome == outcomes.REFUSED:
            refused[reason] = refused.get(reason, 0) + quantity
            continue
        line = _line(lines, project_id, category)
        line.account.add(outcome, reason, quantity)
        line.at(hour_at).add(outcome, reason, quantity)
    rows = reader.rows(
        """
        SELECT project_id, category, hour_at, quantity
        FROM accepted
        WHERE project_id IN (SELECT value FROM json_each(:projects)) AND hour_at >= :since
        """,
        **place,
    )
    for project_id, category, hour_at, quantity in rows:
        line = _line(lines, project_id, category)
        line.account.accepted += quantity
        line.at(hour_at).accepted += quantity
    wanted = set(project_ids)
    position = reader.value("SELECT frame FROM digest_position")
    for (project_id, category), quantity in spool.waiting_items(position, MOST_WAITING).items():
        if project_id in wanted:
            _line(lines, project_id, category).account.waiting += quantity
    return Accounts(since, now_ms, [lines[key] for key in sorted(lines)], refused)


def _line(lines: dict[tuple[int, str], Line], project_id: int, category: str) -> Line:
    return lines.setdefault((project_id, category), Line(project_id, category))
