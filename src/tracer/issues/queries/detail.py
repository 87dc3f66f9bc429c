"""What SQLite knows of one issue: environments, releases, tags, activity, hashes. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.issues.model import (
    OTHER_VALUES,
    Activity,
    Attachment,
    Breakdown,
    Issue,
    Tag,
    TagValue,
)
from tracer.issues.queries import hidden

if TYPE_CHECKING:
    from tracer.kit.context import Reach, Tracer
    from tracer.storage.meta import Reader

TOP_VALUES = 10
ACTIVITY_LIMIT = 200


def environments(reader: Reader, reach: Reach, issue: Issue) -> list[Breakdown]:
    """Events by environment, the most first; without hidden ones."""
    found = reader.load(
        Breakdown,
        """
        SELECT environment, event_count, first_seen_at, last_seen_at
        FROM issue_environments
        WHERE issue_id = :id
        ORDER BY event_count DESC, environment
        LIMIT 100
        """,
        id=issue.id,
    )
    kept_back = reach.hides(issue.project_id)
    return [one for one in found if one.name not in kept_back]


def releases(tracer: Tracer, reach: Reach, issue: Issue) -> list[Breakdown]:
    """Events by release, the latest seen first."""
    reader = tracer.meta.read()
    if hidden.is_touched(reader, reach, issue):
        return hidden.releases(tracer, reach, issue)
    return reader.load(
        Breakdown,
        """
        SELECT release, event_count, first_seen_at, last_seen_at
        FROM issue_releases
        WHERE issue_id = :id
        ORDER BY last_seen_at DESC, release
        LIMIT 100
        """,
        id=issue.id,
    )


def tags(tracer: Tracer, reach: Reach, issue: Issue, *, top: int = TOP_VALUES) -> list[Tag]:
    """Every tag key with its `top` values and their shares; keys by name.

    One row of JSON: a step of SQLite lets other threads go first, and there are hundreds.
    """
    reader = tracer.meta.read()
    if hidden.is_touched(reader, reach, issue):
        return hidden.tags(tracer, reach, issue, top=top)
    found: str = reader.value(
        """
        WITH ranked AS (
            SELECT key, value, event_count, first_seen_at, last_seen_at,
                sum(event_count) OVER (PARTITION BY key) AS events,
                count(*) FILTER (WHERE value <> :other) OVER (PARTITION BY key) AS value_count,
                row_number() OVER (
                    PARTITION BY key ORDER BY value = :other, event_count DESC, value
                ) AS place
            FROM issue_tags
            WHERE issue_id = :id
        )
        SELECT json_group_array(
            json_array(
                key, value, event_count, first_seen_at, last_seen_at, events, value_count
            ) ORDER BY key, place
        )
        FROM ranked
        WHERE place <= :top
        """,
        id=issue.id,
        other=OTHER_VALUES,
        top=top,
    )
    groups: dict[str, list[Sequence[Any]]] = {}
    for row in msgspec.json.decode(found):
        groups.setdefault(row[0], []).append(row)
    return [
        Tag(key, tuple(_value(row) for row in group), group[0][6], group[0][5])
        for key, group in groups.items()
    ]


def tag(
    tracer: Tracer,
    reach: Reach,
    issue: Issue,
    key: str,
    *,
    top: int = TOP_VALUES,
    offset: int = 0,
) -> Tag | None:
    """One tag key with its values from the `offset`th on, the most frequent first."""
    reader = tracer.meta.read()
    if hidden.is_touched(reader, reach, issue):
        return hidden.tag(tracer, reach, issue, key, top=top, offset=offset)
    rows = reader.rows(
        """
        SELECT key, value, event_count, first_seen_at, last_seen_at,
            sum(event_count) OVER (),
            count(*) FILTER (WHERE value <> :other) OVER ()
        FROM issue_tags
        WHERE issue_id = :id AND key = :key
        ORDER BY value = :other, event_count DESC, value
        LIMIT :top
        OFFSET :offset
        """,
        id=issue.id,
        key=key,
        other=OTHER_VALUES,
        top=top,
        offset=offset,
    )
    if not rows:
        return None
    return Tag(key, tuple(_value(row) for row in rows), rows[0][6], rows[0][5])


def _value(row: Sequence[Any]) -> TagValue:
    _, value, count, first, last, total = row[:6]
    return TagValue(value, count, 100 * count / total, first, last)


def activity(
    reader: Reader,
    reach: Reach,
    issue: Issue,
    *,
    kind: str | None = None,
    limit: int = ACTIVITY_LIMIT,
    before: int | None = None,
) -> list[Activity]:
    """What happened to the issue, the latest first; from `before` (an id) on."""
    rows = reader.rows(
        f"""
        SELECT a.id, a.kind, a.data, a.created_at, a.user_id, coalesce(nullif(u.name, ''), u.email)
        FROM issue_activity a
        LEFT JOIN users u ON u.id = a.user_id
        WHERE a.issue_id = :issue_id
            {"AND a.kind = :kind" if kind else ""}
            {"AND a.id < :before" if before else ""}
        ORDER BY a.id DESC
        LIMIT :limit
        """,  # noqa: S608
        issue_id=issue.id,
        kind=kind,
        before=before,
        limit=limit,
    )
    found = [
        Activity(id_, kind_, msgspec.json.decode(data), at, user_id, user)
        for id_, kind_, data, at, user_id, user in rows
    ]
    return hidden.without_events(found) if hidden.is_touched(reader, reach, issue) else found


def comment(reader: Reader, issue: Issue, activity_id: int) -> Activity | None:
    """One comment of the issue."""
    row = reader.row(
        """
        SELECT a.id, a.kind, a.data, a.created_at, a.user_id, coalesce(nullif(u.name, ''), u.email)
        FROM issue_activity a
        LEFT JOIN users u ON u.id = a.user_id
        WHERE a.id = :id AND a.issue_id = :issue_id AND a.kind = 'comment'
        """,
        id=activity_id,
        issue_id=issue.id,
    )
    return Activity(row[0], row[1], msgspec.json.decode(row[2]), *row[3:]) if row else None


def comment_counts(reader: Reader, issue_ids: Sequence[int]) -> dict[int, int]:
    """How many comments each issue has; issues without are left out."""
    rows = reader.rows(
        """
        SELECT a.issue_id, count(*)
        FROM json_each(:ids) j
        CROSS JOIN issue_activity a ON a.issue_id = j.value
        WHERE a.kind = 'comment'
        GROUP BY 1
        """,
        ids=str(list(issue_ids)),
    )
    return dict(rows)


def newest_release(reader: Reader, project_id: int) -> str | None:
    """The release of a project that was first seen last."""
    found: str | None = reader.value(
        """
        SELECT version
        FROM releases
        WHERE project_id = :id
        ORDER BY first_seen_at DESC, id DESC
        LIMIT 1
        """,
        id=project_id,
    )
    return found


def hashes(reader: Reader, issue: Issue) -> tuple[str, ...]:
    """The group hashes that lead to the issue."""
    rows = reader.rows("SELECT hash FROM issue_hashes WHERE issue_id = :id", id=issue.id)
    return tuple(row[0] for row in rows)


_ATTACHMENT = """
    SELECT id, project_id, event_id, name, content_type, attachment_type, size_bytes, blob,
        created_at
    FROM attachments"""


def attachments(reader: Reader, project_id: int, event_id: str) -> list[Attachment]:
    """The files of one event. The caller has the event from a Reach."""
    return reader.load(
        Attachment,
        f"{_ATTACHMENT} WHERE project_id = :project AND event_id = :event ORDER BY id LIMIT 100",
        project=project_id,
        event=event_id,
    )


def attachment(reader: Reader, reach: Reach, attachment_id: int) -> Attachment | None:
    """One attachment in reach."""
    found = reader.find(Attachment, f"{_ATTACHMENT} WHERE id = :id", id=attachment_id)
    return found if found is not None and reach.holds(found.project_id) else None
