"""An issue's counters against its events in the event store: where they differ, and counting anew.

Counters and the digest position are read in one statement, and events up to that position only, so
that digest may go on meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.issues.actions import ERASE_TASK
from tracer.issues.model import DAY_MS, HOUR_MS
from tracer.issues.tasks import HOURS_MS
from tracer.kit import audit
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.storage.events import EventStore
    from tracer.storage.meta import Reader, Tx

AT_ONCE = 500
#: Older hours may be forgotten already, or about to be.
_HOURS_KEPT_MS = HOURS_MS - 2 * DAY_MS

_COUNTERS = """
    SELECT i.id, i.event_count,
        (SELECT coalesce(sum(event_count), 0) FROM issue_environments WHERE issue_id = i.id),
        (
            SELECT coalesce(sum(event_count), 0)
            FROM issue_hours
            WHERE issue_id = i.id AND hour_at >= :since
        ),
        (SELECT coalesce(sum(event_count), 0) FROM issue_releases WHERE issue_id = i.id),
        i.user_count,
        (SELECT count(DISTINCT user_key) FROM issue_users WHERE issue_id = i.id),
        (SELECT json_group_array(hash) FROM issue_hashes WHERE issue_id = i.id),
        (SELECT frame FROM digest_position)
    FROM issues i
    WHERE i.project_id = :project AND i.id > :after
    ORDER BY i.id
    LIMIT :limit"""

# The millisecond as digest comes to it, from seconds as a float.
_AT = "floor(epoch_us(timestamp) / 1e6 * 1e3)::BIGINT"

_EVENTS = Sql(f"""
    SELECT group_hash, count(*), count(*) FILTER (WHERE {_AT} >= $since), count(release)
    FROM events
    WHERE project_id = $project_id AND frame <= $frame AND group_hash IN $hashes
    GROUP BY group_hash""")  # noqa: S608

_OF_ISSUE = Sql(f"""
    SELECT environment, release, {_AT} // 3600000, count(*), min({_AT}), max({_AT})
    FROM events
    WHERE project_id = $project_id AND frame <= $frame AND group_hash IN $hashes
    GROUP BY 1, 2, 3""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter of an issue that is not what its events say. `what` is events, environments, hours,
    releases or users."""

    project_id: int
    issue_id: int
    what: str
    counted: int
    found: int


@dataclass(frozen=True, slots=True)
class Looked:
    """Some issues of a project: the differences, and the id to go on after (None: that was all)."""

    differences: list[Difference]
    issues: int
    next: int | None


def differences(
    reader: Reader, events: EventStore, project_id: int, *, after: int, now_ms: int
) -> Looked:
    """The next AT_ONCE issues of a project; those whose events are being erased are passed over."""
    since = _since(now_ms)
    rows = reader.rows(_COUNTERS, project=project_id, after=after, since=since, limit=AT_ONCE)
    if not rows:
        return Looked([], 0, None)
    doomed = _doomed(reader, project_id)
    hashes = {row[0]: msgspec.json.decode(row[7], type=list[str]) for row in rows}
    counts = {
        row[0]: row[1:]
        for row in events.select(
            _EVENTS,
            project_id=project_id,
            frame=rows[0][8],
            since=since,
            hashes=[hash_ for of_issue in hashes.values() for hash_ in of_issue] or [""],
        )
    }
    found: list[Difference] = []
    for issue_id, total, environments, hours, releases, users, user_keys, _, _ in rows:
        if doomed.intersection(hashes[issue_id]):
            continue
        stored = [counts.get(hash_, (0, 0, 0)) for hash_ in hashes[issue_id]] or [(0, 0, 0)]
        all_, recent, released = (sum(column) for column in zip(*stored, strict=True))
        for what, counted, actual in (
            ("events", total, all_),
            ("environments", environments, all_),
            ("hours", hours, recent),
            ("releases", releases, released),
            ("users", users, user_keys),
        ):
            if counted != actual:
                found.append(Difference(project_id, issue_id, what, counted, actual))
    return Looked(found, len(rows), rows[-1][0] if len(rows) == AT_ONCE else None)


def recount(tx: Tx, events: EventStore, issue_id: int) -> bool:
    """Set an issue's counters to what its events say; tags keep theirs. False: no such issue.

    Digest waits meanwhile: it stores events inside its own transaction.
    """
    row = tx.row(
        """
        SELECT i.project_id, i.event_count, i.status, i.short_id,
            (SELECT json_group_array(hash) FROM issue_hashes WHERE issue_id = i.id),
            (SELECT frame FROM digest_position)
        FROM issues i
        WHERE i.id = :id
        """,
        id=issue_id,
    )
    if row is None:
        return False
    project_id, before, status, short_id, hashes, frame = row
    found = events.select(
        _OF_ISSUE,
        project_id=project_id,
        frame=frame,
        hashes=msgspec.json.decode(hashes, type=list[str]) or [""],
    )
    total = sum(one[3] for one in found)
    tx.execute(
        """
        UPDATE issues
        SET event_count = :total, user_count = (
            SELECT count(DISTINCT user_key) FROM issue_users WHERE issue_id = :id
        )
        WHERE id = :id
        """,
        total=total,
        id=issue_id,
    )
    _environments(tx, issue_id, project_id, status, found)
    _releases(tx, issue_id, found)
    _hours(tx, issue_id, found)
    audit.record(
        tx,
        "issue.recount",
        "issue",
        issue_id,
        name=str(short_id),
        project_id=project_id,
        before={"event_count": before},
        after={"event_count": total},
    )
    return True


def _environments(
    tx: Tx, issue_id: int, project_id: int, status: int, found: list[tuple[Any, ...]]
) -> None:
    tx.execute("DELETE FROM issue_environments WHERE issue_id = :id", id=issue_id)
    tx.many(
        """
        INSERT INTO issue_environments (
            issue_id, environment, project_id, status, first_seen_at, last_seen_at, event_count,
            user_count
        )
        SELECT :issue, :name, :project, :status, :first, :last, :count, count(*)
        FROM issue_users
        WHERE issue_id = :issue AND environment = :name
        """,
        [
            {"issue": issue_id, "project": project_id, "status": status, "name": name, **span}
            for name, span in _spans(found, 0).items()
        ],
    )


def _releases(tx: Tx, issue_id: int, found: list[tuple[Any, ...]]) -> None:
    tx.execute("DELETE FROM issue_releases WHERE issue_id = :id", id=issue_id)
    tx.many(
        """
        INSERT INTO issue_releases (issue_id, release, first_seen_at, last_seen_at, event_count)
        VALUES (:issue, :name, :first, :last, :count)
        """,
        [{"issue": issue_id, "name": name, **span} for name, span in _spans(found, 1).items()],
    )


def _hours(tx: Tx, issue_id: int, found: list[tuple[Any, ...]]) -> None:
    since = _since(tx.now_ms)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for environment, _, hour, count, _, _ in found:
        if hour * HOUR_MS >= since:
            counts[hour * HOUR_MS, environment] += count
    tx.execute(
        "DELETE FROM issue_hours WHERE issue_id = :id AND hour_at >= :since",
        id=issue_id,
        since=since,
    )
    tx.many(
        """
        INSERT INTO issue_hours (issue_id, hour_at, environment, event_count)
        VALUES (:issue, :hour, :environment, :count)
        """,
        [
            {"issue": issue_id, "hour": hour, "environment": environment, "count": count}
            for (hour, environment), count in counts.items()
        ],
    )


def _spans(found: list[tuple[Any, ...]], column: int) -> dict[str, dict[str, int]]:
    """First and last moment and count by a column; rows without a value in it are left out."""
    spans: dict[str, dict[str, int]] = {}
    for row in found:
        name, count, first, last = row[column], *row[3:]
        if name is None:
            continue
        span = spans.setdefault(name, {"first": first, "last": last, "count": 0})
        span["first"], span["last"] = min(span["first"], first), max(span["last"], last)
        span["count"] += count
    return spans


def _doomed(reader: Reader, project_id: int) -> set[str]:
    """Hashes whose earlier events a task is about to erase, or has begun to."""
    rows = reader.rows("SELECT arguments FROM tasks WHERE name = :name", name=ERASE_TASK)
    tasks = [msgspec.json.decode(row[0], type=dict[str, Any]) for row in rows]
    return {
        hash_
        for task in tasks
        if task.get("project_id") == project_id
        for hash_ in task.get("hashes", ())
    }


def _since(now_ms: int) -> int:
    return (now_ms - _HOURS_KEPT_MS) // HOUR_MS * HOUR_MS
