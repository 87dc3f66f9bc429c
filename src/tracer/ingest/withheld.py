"""Events that are not stored, so that what belongs to them is not kept without them.

Those of the batch are in `Batch.held`; filtered ones are remembered for what comes later, such as
the report of a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tracer.ingest.items import Ended
from tracer.ingest.outcomes import FILTERED

if TYPE_CHECKING:
    from tracer.ingest.items import Batch
    from tracer.ingest.prepare import PreparedItem

Pair = tuple[int, str]


def note(batch: Batch, project_id: int, item: PreparedItem) -> None:
    """Notes an item that ended while it was prepared, if it is a filtered event."""
    if item.outcome == FILTERED and item.value is not None:
        batch.held[project_id, item.value] = Ended(FILTERED, item.reason)


def fates(batch: Batch, pairs: Sequence[Pair]) -> dict[Pair, Ended]:
    """What became of those of the events, by (project id, event id), that were not stored."""
    found = {pair: batch.held[pair] for pair in pairs if pair in batch.held}
    others = [pair for pair in dict.fromkeys(pairs) if pair not in found]
    if not others or not batch.tx.value("SELECT EXISTS (SELECT 1 FROM filtered_events)"):
        return found
    rows = batch.tx.rows(
        """
        SELECT j.key, f.reason
        FROM json_each(:pairs) j
        CROSS JOIN filtered_events f
            ON f.project_id = j.value ->> 0 AND f.event_id = unhex(j.value ->> 1)
        """,
        pairs=msgspec.json.encode(others).decode(),
    )
    return found | {others[place]: Ended(FILTERED, reason) for place, reason in rows}


def remember(batch: Batch) -> None:
    """Keeps the ids of the batch's filtered events; `issues.tasks` forgets them with the others."""
    batch.tx.many(
        """
        INSERT OR REPLACE INTO filtered_events (project_id, event_id, reason, received_at)
        SELECT ?1, unhex(?2), ?3, ?4
        WHERE EXISTS (SELECT 1 FROM projects WHERE id = ?1)
        """,
        [
            (project_id, event_id, fate.reason, batch.tx.now_ms)
            for (project_id, event_id), fate in batch.held.items()
            if fate.outcome == FILTERED
        ],
    )
