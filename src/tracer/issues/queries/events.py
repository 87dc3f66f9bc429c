"""Events of issues and projects in the event store: one, its neighbours, lists, payloads.

Never writes. Wide rows and ids are read only at moments that a narrow scan has found before, or
that SQLite knows: the store has no indexes, but skips what is out of a range of time.
"""

# ruff: noqa: S608 - only this package's own constants and numbers are put into SQL

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracer.errors import Invalid
from tracer.issues.model import EventHead, EventRow, Issue
from tracer.issues.queries import detail
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.reach import Reach

#: "Recommended" looks this far back from the issue's last event.
RECENT = timedelta(days=14)
EVENT_PAGE = 50

_EVENT_ID = re.compile(r"[0-9a-f]{32}\Z")
_CURSOR = re.compile(r"(\d{1,17})-([0-9a-f]{32})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

_COLUMNS = """
    event_id, project_id, group_hash, timestamp, received_at, level, type, platform, environment,
    release, dist, transaction, user_key, title, culprit, is_handled, has_attachments, size_bytes,
    tags"""
MINE = "project_id = $project_id AND group_hash IN $hashes"
SHOWN = " AND environment NOT IN $hidden"


class Statements(NamedTuple):
    """A statement over all events, and one that leaves out those of hidden environments."""

    whole: Sql
    shown: Sql


def over_mine(text: str) -> Statements:
    """Both forms of a statement about one issue; `MINE` in it stands for the issue's events."""
    return Statements(Sql(text.replace("MINE", MINE)), Sql(text.replace("MINE", MINE + SHOWN)))


def select(
    tracer: Tracer, statements: Statements, hidden: Sequence[str], **params: Any
) -> list[tuple[Any, ...]]:
    """Rows of the form that these hidden environments ask for."""
    if not hidden:
        return tracer.events.select(statements.whole, **params)
    return tracer.events.select(statements.shown, **params, hidden=list(hidden))


LATEST = over_mine(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE MINE
    ORDER BY timestamp DESC, event_id DESC
    LIMIT 1""")
OLDEST = over_mine(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE MINE
    ORDER BY timestamp, event_id
    LIMIT 1""")
RECOMMENDED = over_mine(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE MINE AND timestamp >= $since
    ORDER BY richness DESC, timestamp DESC, event_id DESC
    LIMIT 1""")
RECEIVED = "event_id = $event_id AND received_at >= $received_from AND received_at <= $received_to"
ONE_OF_ISSUE = over_mine(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE MINE AND {RECEIVED}
    LIMIT 1""")
ONE = Sql(f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE project_id = $project_id AND {RECEIVED}
    LIMIT 1""")
PAYLOAD = Sql("""
    SELECT dictionary, body
    FROM payloads
    WHERE project_id = $project_id AND event_id = $event_id AND timestamp = $timestamp
    LIMIT 1""")
LATEST_BY_HASH = over_mine("""
    SELECT group_hash, arg_max(event_id, timestamp), max(timestamp)
    FROM events
    WHERE MINE
    GROUP BY group_hash""")
_BEFORE = "(timestamp < $timestamp OR (timestamp = $timestamp AND event_id < $event_id))"
_PAGE = f"""
    SELECT {_COLUMNS}
    FROM events
    WHERE %s
    ORDER BY timestamp DESC, event_id DESC
    LIMIT $limit"""
_ENVIRONMENT = " AND environment IN $environments"
PAGE_OF_ISSUE = over_mine(_PAGE % f"MINE AND {_BEFORE}")
PAGE_OF_ISSUE_IN = over_mine(_PAGE % f"MINE AND {_BEFORE}{_ENVIRONMENT}")
_OF_PROJECT = f"project_id = $project_id AND {_BEFORE}"
PAGE_OF_PROJECT = Statements(Sql(_PAGE % _OF_PROJECT), Sql(_PAGE % f"{_OF_PROJECT}{SHOWN}"))
PAGE_OF_PROJECT_IN = Statements(
    Sql(_PAGE % f"{_OF_PROJECT}{_ENVIRONMENT}"), Sql(_PAGE % f"{_OF_PROJECT}{_ENVIRONMENT}{SHOWN}")
)


def find_event(
    tracer: Tracer, reach: Reach, issue: Issue, which: str, hashes: Sequence[str] | None = None
) -> EventRow | None:
    """An event of an issue: `latest`, `oldest`, `recommended` or an id, with or without dashes.

    Recommended is the one with the most context among those of the issue's last two weeks.
    None when there is none, it is not the issue's, or its environment is hidden.
    """
    hashes = hashes_of(tracer, issue, hashes)
    params: dict[str, Any] = {"project_id": issue.project_id, "hashes": list(hashes)}
    hidden = reach.hides(issue.project_id)
    if not hashes:
        return None
    if which == "recommended":
        found = _row(select(tracer, RECOMMENDED, hidden, **params, since=recent_from(issue)))
        return found or _row(select(tracer, LATEST, hidden, **params))
    if which in {"latest", "oldest"}:
        return _row(select(tracer, LATEST if which == "latest" else OLDEST, hidden, **params))
    event_id = clean_event_id(which)
    if event_id is None:
        return None
    params |= received(tracer, issue.project_id, event_id)
    return _row(select(tracer, ONE_OF_ISSUE, hidden, **params))


def find_project_event(
    tracer: Tracer, reach: Reach, project_id: int, which: str
) -> EventRow | None:
    """An event of a project in reach by its id; None when its environment is hidden."""
    event_id = clean_event_id(which)
    if event_id is None or not reach.holds(project_id):
        return None
    known = received(tracer, project_id, event_id)
    found = _row(tracer.events.select(ONE, project_id=project_id, **known))
    if found is None or found.environment in reach.hides(project_id):
        return None
    return found


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
    tracer: Tracer, reach: Reach, issue: Issue, hashes: Sequence[str]
) -> dict[str, tuple[str, datetime]]:
    """Id and time of the last event of each of the issue's group hashes that may be seen."""
    if not hashes:
        return {}
    rows = select(
        tracer,
        LATEST_BY_HASH,
        reach.hides(issue.project_id),
        project_id=issue.project_id,
        hashes=list(hashes),
    )
    return {row[0]: (row[1], row[2].replace(tzinfo=UTC)) for row in rows}


def payload(tracer: Tracer, event: EventRow | EventHead) -> dict[str, Any] | None:
    """The whole normalised event with its `grouping`; None when it is no longer kept."""
    rows = tracer.events.select(
        PAYLOAD,
        project_id=event.project_id,
        event_id=event.event_id,
        timestamp=naive(event.timestamp),
    )
    if not rows:
        return None
    dictionary, body = rows[0]
    data: dict[str, Any] = msgspec.json.decode(tracer.codec.decode(dictionary, bytes(body)))
    return data


def events_of_issue(
    tracer: Tracer,
    reach: Reach,
    issue: Issue,
    *,
    cursor: str = "",
    limit: int = EVENT_PAGE,
    environments: Sequence[str] = (),
    hashes: Sequence[str] | None = None,
) -> tuple[list[EventRow], str | None]:
    """Events of an issue, the latest first, and the cursor of the next page. Raises Invalid."""
    hashes = hashes_of(tracer, issue, hashes)
    if not hashes:
        return [], None
    params: dict[str, Any] = {"project_id": issue.project_id, "hashes": list(hashes)}
    statement = PAGE_OF_ISSUE
    if environments:
        statement = PAGE_OF_ISSUE_IN
        params["environments"] = list(environments)
    return _page(tracer, statement, reach.hides(issue.project_id), params, cursor, limit)


def events_of_project(
    tracer: Tracer,
    reach: Reach,
    project_id: int,
    *,
    cursor: str = "",
    limit: int = EVENT_PAGE,
    environments: Sequence[str] = (),
) -> tuple[list[EventRow], str | None]:
    """Events of a project, the latest first, and the cursor of the next page. Raises Invalid."""
    params: dict[str, Any] = {"project_id": project_id}
    statement = PAGE_OF_PROJECT
    if environments:
        statement = PAGE_OF_PROJECT_IN
        params["environments"] = list(environments)
    return _page(tracer, statement, reach.hides(project_id), params, cursor, limit)


def clean_event_id(text: str) -> str | None:
    """32 lower-case hexadecimal digits, from an id with or without dashes; else None."""
    event_id = text.replace("-", "").lower()
    return event_id if _EVENT_ID.match(event_id) else None


def _page(
    tracer: Tracer,
    statement: Statements,
    hidden: Sequence[str],
    params: dict[str, Any],
    cursor: str,
    limit: int,
) -> tuple[list[EventRow], str | None]:
    moment, event_id = naive(_FAR), ""
    if cursor:
        match = _CURSOR.match(cursor)
        if match is None:
            raise Invalid("The cursor is not one of this list.")
        try:
            moment = naive(_EPOCH + timedelta(microseconds=int(match[1])))
        except OverflowError:
            raise Invalid("The cursor is not one of this list.") from None
        event_id = match[2]
    rows = select(
        tracer, statement, hidden, **params, timestamp=moment, event_id=event_id, limit=limit + 1
    )
    events = [_event(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return events, None
    last = events[-1]
    return events, f"{(last.timestamp - _EPOCH) // timedelta(microseconds=1)}-{last.event_id}"


def received(tracer: Tracer, project_id: int, event_id: str) -> dict[str, Any]:
    """The event id and when it was received, for RECEIVED: any time if it is not known."""
    received_ms = tracer.meta.read().value(
        """
        SELECT received_at
        FROM recent_events
        WHERE project_id = :project AND event_id = unhex(:event)
        """,
        project=project_id,
        event=event_id,
    )
    first, last = _EPOCH, _FAR
    if received_ms is not None:
        first = _EPOCH + timedelta(milliseconds=received_ms - 1)
        last = first + timedelta(milliseconds=3)
    return {
        "event_id": event_id,
        "received_from": naive(first),
        "received_to": naive(last),
    }


def recent_from(issue: Issue) -> datetime:
    return naive(_EPOCH + timedelta(milliseconds=issue.last_seen_at) - RECENT)


def hashes_of(tracer: Tracer, issue: Issue, hashes: Sequence[str] | None) -> Sequence[str]:
    return detail.hashes(tracer.meta.read(), issue) if hashes is None else hashes


def _row(rows: Sequence[tuple[Any, ...]]) -> EventRow | None:
    return _event(rows[0]) if rows else None


def _event(row: tuple[Any, ...]) -> EventRow:
    values = list(row)
    values[3], values[4] = row[3].replace(tzinfo=UTC), row[4].replace(tzinfo=UTC)
    values[18] = row[18] or {}
    return EventRow(*values)


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
