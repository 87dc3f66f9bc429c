"""Events over time, for the little charts of a list. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tracer.issues.model import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tracer.storage.meta import Reader


_CHOSEN = "AND h.environment IN (SELECT value FROM json_each(:environments))"


def sparklines_24h(
    reader: Reader, issue_ids: Sequence[int], *, now_ms: int, environments: Sequence[str] = ()
) -> dict[int, list[int]]:
    """Events an hour for each issue, 24 numbers, the hour of `now_ms` last."""
    return _buckets(reader, issue_ids, now_ms, environments, HOUR_MS, 24)


def sparklines_14d(
    reader: Reader, issue_ids: Sequence[int], *, now_ms: int, environments: Sequence[str] = ()
) -> dict[int, list[int]]:
    """Events a day for each issue, 14 numbers; a day is 24 hours, the last ends with this hour."""
    return _buckets(reader, issue_ids, now_ms, environments, DAY_MS, 14)


def _buckets(
    reader: Reader,
    issue_ids: Sequence[int],
    now_ms: int,
    environments: Sequence[str],
    width_ms: int,
    count: int,
) -> dict[int, list[int]]:
    end = now_ms - now_ms % HOUR_MS + HOUR_MS
    start = end - count * width_ms
    found = {issue_id: [0] * count for issue_id in issue_ids}
    rows = reader.rows(
        f"""
        SELECT h.issue_id, (h.hour_at - :start) / :width, sum(h.event_count)
        FROM json_each(:ids) j
        CROSS JOIN issue_hours h ON h.issue_id = j.value
        WHERE h.hour_at >= :start
            AND h.hour_at < :end
            {_CHOSEN if environments else ""}
        GROUP BY 1, 2
        """,  # noqa: S608
        ids=str(list(issue_ids)),
        start=start,
        end=end,
        width=width_ms,
        environments=msgspec.json.encode(list(environments)).decode(),
    )
    for issue_id, bucket, events in rows:
        found[issue_id][bucket] = events
    return found
