"""Events of issues and projects in the event store: one, its neighbours, lists, payloads.

Each function makes one SELECT in the event store at most. Never writes.
"""

# ruff: noqa: S608 - only this package's own constants and numbers are put into SQL

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.errors import Invalid
from tracer.issues.model import EventRow, Issue, Neighbours
from tracer.issues.queries import detail
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

#: "Recommended" looks this far back from the issue's last event.
RECENT = timedelta(days=14)
EVENT_PAGE = 50

_EVENT_ID = re.compile(r"[0-9a-f]{32}\Z")
_CURSOR = re.compile(r"(\d{1,17})-([0-9a-f]{32})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS = """
    event_id, project_id, group_hash, timestamp, received_at, level, type, platform, environment,
    release, dist, transaction, user_key, title, culprit, is_handled, has_attachments, size_bytes,
    tags"""
_MINE = "project_id = $project_id AND group_hash IN $hashes"

LATEST = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE {_MINE}
    ORDER BY timestamp DESC, event_id DESC
    LIMIT 1""")
OLDEST = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE {_MINE}
    ORDER BY timestamp, event_id
    LIMIT 1""")
RECOMMENDED = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE {_MINE} AND timestamp >= $since
    ORDER BY richness DESC, timestamp DESC, event_id DESC
    LIMIT 1""")
ONE_OF_ISSUE = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE {_MINE} AND event_id = $event_id
    LIMIT 1""")
ONE = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE project_id = $project_id AND event_id = $event_id
    LIMIT 1""")
# The moments first, from one narrow scan; then the few events of those moments, so that ids are
# read for these only. Several at one moment are put in order by their ids afterwards.
NEIGHBOURS = Sql(f"""
    WITH span AS MATERIALIZED (
        SELECT min(timestamp) AS first, max(timestamp) AS last,
            max(timestamp) FILTER (WHERE timestamp < $timestamp) AS previous,
            min(timestamp) FILTER (WHERE timestamp > $timestamp) AS next,
            count(*) AS total,
            count(*) FILTER (WHERE timestamp < $timestamp) AS before
        FROM events
        WHERE {_MINE}
    )
    SELECT timestamp, event_id, (SELECT total FROM span), (SELECT before FROM span)
    FROM events
    WHERE {_MINE} AND timestamp IN (
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
PAYLOAD = Sql("""
    SELECT dictionary, body
    FROM payloads
    WHERE project_id = $project_id AND event_id = $event_id AND timestamp = $timestamp
    LIMIT 1""")
LATEST_BY_HASH = Sql(f"""
    SELECT group_hash, arg_max(event_id, timestamp), max(timestamp)
    FROM events
    WHERE {_MINE}
    GROUP BY group_hash""")
_BEFORE = "(timestamp < $timestamp OR (timestamp = $timestamp AND event_id < $event_id))"
_PAGE = f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE %s
    ORDER BY timestamp DESC, event_id DESC
    LIMIT $limit"""
_ENVIRONMENT = " AND environment = $environment"
PAGE_OF_ISSUE = Sql(_PAGE % f"{_MINE} AND {_BEFORE}")
PAGE_OF_ISSUE_IN = Sql(_PAGE % f"{_MINE} AND {_BEFORE}{_ENVIRONMENT}")
PAGE_OF_PROJECT = Sql(_PAGE % f"project_id = $project_id AND {_BEFORE}")
PAGE_OF_PROJECT_IN = Sql(_PAGE % f"project_id = $project_id AND {_BEFORE}{_ENVIRONMENT}")


def find_event(
    tracer: Tracer, issue: Issue, which: str, hashes: Sequence[str] | None = None
) -> EventRow | None:
    """An event of an issue: `latest`, `oldest`, `recommended` or an id, with or without dashes.

    Recommended is the one with the most context among those of the issue's last two weeks.
    None when there is none, or the event is not the issue's.
    """
    hashes = _hashes(tracer, issue, hashes)
    params: dict[str, Any] = {"project_id": issue.project_id, "hashes": list(hashes)}
    if not hashes:
        return None
    if which == "recommended":
        since = _naive(_EPOCH + timedelta(milliseconds=issue.last_seen_at) - RECENT)
        found = _row(tracer.events.select(RECOMMENDED, **params, since=since))
        return found or _row(tracer.events.select(LATEST, **params))
    if which in {"latest", "oldest"}:
        return _row(tracer.events.select(LATEST if which == "latest" else OLDEST, **params))
    event_id = clean_event_id(which)
    if event_id is None:
        return None
    return _row(tracer.events.select(ONE_OF_ISSUE, **params, event_id=event_id))


def find_project_event(tracer: Tracer, project_id: int, which: str) -> EventRow | None:
    """An event of a project by its id. The caller has the project from a Reach."""
    event_id = clean_event_id(which)
    if event_id is None:
        return None
    return _row(tracer.events.select(ONE, project_id=project_id, event_id=event_id))


def issue_id_of(tracer: Tracer, event: EventRow) -> int | None:
    """The issue that the event's group hash leads to now; None when it was deleted."""
    found: int | None = tracer.meta.read().value(
        "SELECT issue_id FROM issue_hashes WHERE project_id = :project AND hash = :hash",
        project=event.project_id,
        hash=event.group_hash,
    )
    return found


def issue_ids_of(tracer: Tracer, events: Sequence[EventRow]) -> dict[str, int]:
    """Issue ids by group hash, for events of one project."""
    if not events:
        return {}
    rows = tracer.meta.read().rows(
        """
        SELECT h.hash, h.issue_id
        FROM json_each(:hashes) j
        CROSS JOIN issue_hashes h ON h.project_id = :project AND h.hash = j.value
        """,
        project=events[0].project_id,
        hashes=msgspec.json.encode(sorted({event.group_hash for event in events})).decode(),
    )
    return dict(rows)


def latest_by_hash(
    tracer: Tracer, issue: Issue, hashes: Sequence[str]
) -> dict[str, tuple[str, datetime]]:
    """Id and time of the last event of each of the issue's group hashes."""
    if not hashes:
        return {}
    rows = tracer.events.select(LATEST_BY_HASH, project_id=issue.project_id, hashes=list(hashes))
    return {row[0]: (row[1], row[2].replace(tzinfo=UTC)) for row in rows}


def neighbours(
    tracer: Tracer, issue: Issue, event: EventRow, hashes: Sequence[str] | None = None
) -> Neighbours:
    """The events around one in its issue, in order of (timestamp, event id)."""
    moment = _naive(event.timestamp)
    rows = tracer.events.select(
        NEIGHBOURS,
        project_id=issue.project_id,
        hashes=list(_hashes(tracer, issue, hashes)),
        timestamp=moment,
    )
    if not rows:
        return Neighbours(None, None, None, None, 0, 0)
    total, before = rows[0][2:]
    places = sorted((row[0], row[1]) for row in rows)
    here = (moment, event.event_id)
    earlier = [place for place in places if place < here]
    later = [place for place in places if place > here]
    return Neighbours(
        first=places[0][1],
        previous=earlier[-1][1] if earlier else None,
        next=later[0][1] if later else None,
        last=places[-1][1],
        position=before + sum(place[0] == moment for place in earlier) + 1,
        total=total,
    )


def payload(tracer: Tracer, event: EventRow) -> dict[str, Any] | None:
    """The whole normalised event with its `grouping`; None when it is no longer kept."""
    rows = tracer.events.select(
        PAYLOAD,
        project_id=event.project_id,
        event_id=event.event_id,
        timestamp=_naive(event.timestamp),
    )
    if not rows:
        return None
    dictionary, body = rows[0]
    data: dict[str, Any] = msgspec.json.decode(tracer.codec.decode(dictionary, bytes(body)))
    return data


def events_of_issue(
    tracer: Tracer,
    issue: Issue,
    *,
    cursor: str = "",
    limit: int = EVENT_PAGE,
    environment: str | None = None,
    hashes: Sequence[str] | None = None,
) -> tuple[list[EventRow], str | None]:
    """Events of an issue, the latest first, and the cursor of the next page. Raises Invalid."""
    hashes = _hashes(tracer, issue, hashes)
    if not hashes:
        return [], None
    params: dict[str, Any] = {"project_id": issue.project_id, "hashes": list(hashes)}
    statement = PAGE_OF_ISSUE
    if environment is not None:
        statement = PAGE_OF_ISSUE_IN
        params["environment"] = environment
    return _page(tracer, statement, params, cursor, limit)


def events_of_project(
    tracer: Tracer,
    project_id: int,
    *,
    cursor: str = "",
    limit: int = EVENT_PAGE,
    environment: str | None = None,
) -> tuple[list[EventRow], str | None]:
    """Events of a project, the latest first, and the cursor of the next page. Raises Invalid."""
    params: dict[str, Any] = {"project_id": project_id}
    statement = PAGE_OF_PROJECT
    if environment is not None:
        statement = PAGE_OF_PROJECT_IN
        params["environment"] = environment
    return _page(tracer, statement, params, cursor, limit)


def clean_event_id(text: str) -> str | None:
    """32 lower-case hexadecimal digits, from an id with or without dashes; else None."""
    event_id = text.replace("-", "").lower()
    return event_id if _EVENT_ID.match(event_id) else None


def _page(
    tracer: Tracer, statement: Sql, params: dict[str, Any], cursor: str, limit: int
) -> tuple[list[EventRow], str | None]:
    moment, event_id = datetime(9999, 1, 1), ""  # noqa: DTZ001 - the store's times are naive UTC
    if cursor:
        match = _CURSOR.match(cursor)
        if match is None:
            raise Invalid("The cursor is not one of this list.")
        try:
            moment = _naive(_EPOCH + timedelta(microseconds=int(match[1])))
        except OverflowError:
            raise Invalid("The cursor is not one of this list.") from None
        event_id = match[2]
    rows = tracer.events.select(
        statement, **params, timestamp=moment, event_id=event_id, limit=limit + 1
    )
    events = [_event(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return events, None
    last = events[-1]
    return events, f"{(last.timestamp - _EPOCH) // timedelta(microseconds=1)}-{last.event_id}"


def _hashes(tracer: Tracer, issue: Issue, hashes: Sequence[str] | None) -> Sequence[str]:
    return detail.hashes(tracer.meta.read(), issue) if hashes is None else hashes


def _row(rows: Sequence[tuple[Any, ...]]) -> EventRow | None:
    return _event(rows[0]) if rows else None


def _event(row: tuple[Any, ...]) -> EventRow:
    values = list(row)
    values[3], values[4] = row[3].replace(tzinfo=UTC), row[4].replace(tzinfo=UTC)
    values[18] = row[18] or {}
    return EventRow(*values)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
