"""Events of discarded issues: ended before they can make or join an issue.

Runs inside the batch's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tracer.ingest.items import Ended
from tracer.ingest.outcomes import FILTERED
from tracer.protocol.filter_rules import DISCARDED

if TYPE_CHECKING:
    from tracer.ingest.items import Batch
    from tracer.issues.ingest.prepare import PreparedEvent
    from tracer.storage.meta import Tx

_DISCARDED = Ended(FILTERED, DISCARDED)
_Key = tuple[int, str]


def end(
    batch: Batch, events: Sequence[PreparedEvent], reasons: list[str | Ended | None]
) -> list[str | Ended | None]:
    """`reasons` with those of the events whose issue was discarded. The first hash that is known
    at all decides, as it does which issue an event joins."""
    tx = batch.tx
    if not tx.value("SELECT EXISTS (SELECT 1 FROM discarded_hashes)"):
        return reasons
    keys = list({(event.project_id, hash_): None for event in events for hash_ in event.hashes})
    discarded = _look_up(tx, "discard_id", "discarded_hashes", keys)
    if not discarded:
        return reasons
    kept = _look_up(tx, "issue_id", "issue_hashes", keys)
    counts: Counter[int] = Counter()
    result = list(reasons)
    for place, event in enumerate(events):
        own = [(event.project_id, hash_) for hash_ in event.hashes]
        first = next((key for key in own if key in discarded or key in kept), None)
        if reasons[place] is None and first in discarded and first is not None:
            result[place] = batch.held[event.project_id, event.event_id] = _DISCARDED
            counts[discarded[first]] += 1
    tx.many(
        "UPDATE discarded_issues SET event_count = event_count + ?, last_seen_at = ? WHERE id = ?",
        [(count, tx.now_ms, id_) for id_, count in counts.items()],
    )
    return result


def _look_up(tx: Tx, column: str, table: str, keys: Sequence[_Key]) -> dict[_Key, int]:
    rows = tx.rows(
        f"""
        SELECT j.key, h.{column}
        FROM json_each(:keys) j
        CROSS JOIN {table} h ON h.project_id = j.value ->> 0 AND h.hash = j.value ->> 1
        """,  # noqa: S608
        keys=msgspec.json.encode(keys).decode(),
    )
    return {keys[place]: found for place, found in rows}
