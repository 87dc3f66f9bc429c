"""Reads of feedback: pages of it, of one issue, what still waits for its event. Never writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from tracer.features.feedback.model import OPEN, Feedback

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

PAGE_SIZE = 30
OF_ISSUE = 20
#: How long a message waits for the event it is about; as long as ids of events are remembered.
WAIT_MS = 3 * 86_400_000

_FEEDBACK = """
    SELECT f.id, f.project_id, p.slug, f.feedback_id, f.event_id, f.issue_id, i.short_id,
        CASE
            WHEN NOT EXISTS (
                SELECT 1
                FROM json_each(:hidden) h
                JOIN issue_environments v ON v.issue_id = i.id AND v.environment = h.value ->> 1
                WHERE h.value ->> 0 IS NULL OR h.value ->> 0 = f.project_id
            )
            THEN i.title
        END,
        f.source, f.name, f.email, f.message, f.url, f.environment, f.release, f.status,
        f.created_at
    FROM feedback f
    JOIN projects p ON p.id = f.project_id
    LEFT JOIN issues i ON i.id = f.issue_id"""

# A message of a hidden environment. One that names none is of a hidden one as long as it cannot be
# known that its event is not: its issue must have no events that are hidden.
_HIDDEN = """
    EXISTS (
        SELECT 1
        FROM json_each(:hidden) h
        WHERE (h.value ->> 0 IS NULL OR h.value ->> 0 = f.project_id)
            AND (
                h.value ->> 1 = f.environment
                OR f.environment IS NULL AND (
                    f.issue_id IS NULL
                    OR EXISTS (
                        SELECT 1
                        FROM issue_environments v
                        WHERE v.issue_id = f.issue_id AND v.environment = h.value ->> 1
                    )
                )
            )
    )"""

_Place = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]


class Position(NamedTuple):
    """Where a page ends: its last message."""

    created_at: _Place
    id: _Place


@dataclass(frozen=True, slots=True)
class Page:
    """Feedback, the newest first; `next` is where the next page begins."""

    items: list[Feedback]
    next: Position | None


def page(
    reader: Reader,
    reach: Reach,
    *,
    status: int | None = OPEN,
    project_id: int | None = None,
    after: Position | None = None,
    limit: int = PAGE_SIZE,
) -> Page:
    """Feedback in reach, of one status or all, of one project or all."""
    projects = [id_ for id_ in reach.project_ids if project_id in (None, id_)]
    conditions = ["f.project_id IN (SELECT value FROM json_each(:projects))"]
    params: dict[str, Any] = {
        "projects": str(projects),
        "limit": limit + 1,
        "hidden": _hidden(reach),
    }
    if reach.hidden:
        conditions.append(f"NOT {_HIDDEN}")
    if status is not None:
        conditions.append("f.status = :status")
        params["status"] = status
    if after is not None:
        conditions.append("(f.created_at, f.id) < (:created_at, :id)")
        params |= {"created_at": after.created_at, "id": after.id}
    found = reader.load(
        Feedback,
        f"""
        {_FEEDBACK}
        WHERE {" AND ".join(conditions)}
        ORDER BY f.created_at DESC, f.id DESC
        LIMIT :limit
        """,
        **params,
    )
    items = found[:limit]
    more = len(found) > limit
    return Page(items, Position(items[-1].created_at, items[-1].id) if more else None)


def feedback(reader: Reader, reach: Reach, feedback_id: int) -> Feedback | None:
    """One message in reach."""
    found = reader.find(
        Feedback,
        f"{_FEEDBACK} WHERE f.id = :id AND NOT {_HIDDEN}",
        id=feedback_id,
        hidden=_hidden(reach),
    )
    return found if found is not None and reach.holds(found.project_id) else None


def of_issue(
    reader: Reader, reach: Reach, issue_id: int, *, limit: int = OF_ISSUE
) -> list[Feedback]:
    """What was said about an issue, the newest first. The caller has it from a Reach."""
    return reader.load(
        Feedback,
        f"""
        {_FEEDBACK}
        WHERE f.issue_id = :issue_id AND NOT {_HIDDEN}
        ORDER BY f.created_at DESC, f.id DESC
        LIMIT :limit
        """,
        issue_id=issue_id,
        hidden=_hidden(reach),
        limit=limit,
    )


def waiting(reader: Reader, project_id: int, *, now_ms: int) -> list[tuple[int, int]]:
    """(feedback id, issue id) of messages whose event has arrived after them."""
    rows = reader.rows(
        """
        SELECT f.id, i.id
        FROM feedback f
        CROSS JOIN recent_events r
            ON r.project_id = f.project_id AND r.event_id = unhex(f.event_id)
        CROSS JOIN issues i ON i.id = r.issue_id
        WHERE f.project_id = :project_id
            AND f.issue_id IS NULL
            AND f.event_id IS NOT NULL
            AND f.created_at > :since
        LIMIT 500
        """,
        project_id=project_id,
        since=now_ms - WAIT_MS,
    )
    return [(row[0], row[1]) for row in rows]


def _hidden(reach: Reach) -> str:
    """The environments that are kept back, as JSON for the conditions above."""
    return msgspec.json.encode(reach.hidden).decode()
