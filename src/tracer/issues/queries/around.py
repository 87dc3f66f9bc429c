"""An event of an issue with those before and after it, in order of (timestamp, event id).

Never writes. A narrow scan of the issue's events finds the moments; ids are read at these only.
"""

# ruff: noqa: S608 - only this package's own constants are put into SQL

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.issues.model import EventHead, EventRow, Issue, Neighbours
from tracer.issues.queries.events import (
    RECEIVED,
    clean_event_id,
    hashes_of,
    naive,
    over_mine,
    received,
    recent_from,
    select,
)

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.reach import Reach

# The moment of one event and those around it, between the times that SQLite has of the issue.
# Several events may share a moment: MOMENTS reads them, and their ids put them in order afterwards.
_AROUND = """
    WITH mine AS MATERIALIZED (
        SELECT timestamp, richness
        FROM events
        WHERE MINE AND timestamp >= $first_seen AND timestamp <= $last_seen
    ),
    chosen AS (%s)
    SELECT any_value(moment), min(timestamp), max(timestamp),
        max(timestamp) FILTER (WHERE timestamp < moment),
        min(timestamp) FILTER (WHERE timestamp > moment),
        count(*) FILTER (WHERE timestamp < moment), count(*)
    FROM mine, chosen"""
AROUND_LATEST = over_mine(_AROUND % "SELECT max(timestamp) AS moment FROM mine")
AROUND_OLDEST = over_mine(_AROUND % "SELECT min(timestamp) AS moment FROM mine")
AROUND_RECOMMENDED = over_mine(
    _AROUND
    % """
        SELECT timestamp AS moment
        FROM mine
        ORDER BY CASE WHEN timestamp >= $since THEN richness ELSE -1 END DESC, timestamp DESC
        LIMIT 1
    """
)
AROUND_ONE = over_mine(
    _AROUND % f"SELECT max(timestamp) AS moment FROM events WHERE MINE AND {RECEIVED}"
)
MOMENTS = over_mine("""
    SELECT timestamp, event_id, richness, level, environment, release, size_bytes
    FROM events
    WHERE MINE AND timestamp IN $moments""")
# Both steps in one SELECT, for an event that is known already.
NEIGHBOURS = over_mine("""
    WITH span AS MATERIALIZED (
        SELECT min(timestamp) AS first, max(timestamp) AS last,
            max(timestamp) FILTER (WHERE timestamp < $timestamp) AS previous,
            min(timestamp) FILTER (WHERE timestamp > $timestamp) AS next,
            count(*) AS total,
            count(*) FILTER (WHERE timestamp < $timestamp) AS before
        FROM events
        WHERE MINE
    )
    SELECT timestamp, event_id, (SELECT before FROM span), (SELECT total FROM span)
    FROM events
    WHERE MINE AND timestamp IN (
        SELECT first FROM span
        UNION ALL
        SELECT last FROM span
        UNION ALL
        SELECT previous FROM span
        UNION ALL
        SELECT next FROM span
        UNION ALL
        SELECT $timestamp
    )""")
_AROUND_WHICH = {
    "latest": AROUND_LATEST,
    "oldest": AROUND_OLDEST,
    "recommended": AROUND_RECOMMENDED,
}


def find_around(
    tracer: Tracer, reach: Reach, issue: Issue, which: str, hashes: Sequence[str] | None = None
) -> tuple[EventHead, Neighbours] | None:
    """What `find_event` finds, in short, and the events around it: two narrow SELECTs."""
    hashes = hashes_of(tracer, issue, hashes)
    params: dict[str, Any] = {
        "project_id": issue.project_id,
        "hashes": list(hashes),
        "first_seen": naive(clock.from_ms(issue.first_seen_at)),
        "last_seen": naive(clock.from_ms(issue.last_seen_at + 1)),
    }
    event_id = None
    if not hashes:
        return None
    if which in _AROUND_WHICH:
        statement = _AROUND_WHICH[which]
        if which == "recommended":
            params["since"] = recent_from(issue)
    else:
        statement, event_id = AROUND_ONE, clean_event_id(which)
        if event_id is None:
            return None
        params |= received(tracer, issue.project_id, event_id)
    hidden = reach.hides(issue.project_id)
    moments = select(tracer, statement, hidden, **params)[0]
    rows = _rows_at(tracer, issue, hidden, hashes, moments[:5])
    here = [row for row in rows if row[0] == moments[0] and event_id in (None, row[1])]
    if not here:
        return None
    best = min if which == "oldest" else max
    rank = (2, 1) if which == "recommended" else (1,)
    row = best(here, key=itemgetter(*rank))
    head = EventHead(row[1], issue.project_id, row[0].replace(tzinfo=UTC), *row[3:])
    return head, _neighbours(rows, (row[0], row[1]), *moments[5:])


def neighbours(
    tracer: Tracer,
    reach: Reach,
    issue: Issue,
    event: EventRow,
    hashes: Sequence[str] | None = None,
) -> Neighbours:
    """The events around one in its issue, in order of (timestamp, event id)."""
    moment = naive(event.timestamp)
    rows = select(
        tracer,
        NEIGHBOURS,
        reach.hides(issue.project_id),
        project_id=issue.project_id,
        hashes=list(hashes_of(tracer, issue, hashes)),
        timestamp=moment,
    )
    before, total = rows[0][2:] if rows else (0, 0)
    return _neighbours(rows, (moment, event.event_id), before, total)


def _rows_at(
    tracer: Tracer,
    issue: Issue,
    hidden: Sequence[str],
    hashes: Sequence[str],
    moments: Sequence[datetime | None],
) -> list[tuple[Any, ...]]:
    """The issue's events at some moments."""
    known = sorted({moment for moment in moments if moment is not None})
    if not known:
        return []
    return select(
        tracer,
        MOMENTS,
        hidden,
        project_id=issue.project_id,
        hashes=list(hashes),
        moments=known,
    )


def _neighbours(
    rows: Sequence[tuple[Any, ...]], here: tuple[datetime, str], before: int, total: int
) -> Neighbours:
    """From the events at the moments around `here`, and how many are before its moment."""
    places = sorted((row[0], row[1]) for row in rows)
    if not places:
        return Neighbours(None, None, None, None, 0, 0)
    earlier = [place for place in places if place < here]
    later = [place for place in places if place > here]
    return Neighbours(
        first=places[0][1],
        previous=earlier[-1][1] if earlier else None,
        next=later[0][1] if later else None,
        last=places[-1][1],
        position=before + sum(place[0] == here[0] for place in earlier) + 1,
        total=total,
    )
