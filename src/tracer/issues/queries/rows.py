"""How issue rows are selected and become `Issue`; loaders that find one issue in reach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tracer.issues.model import Issue
from tracer.issues.queries.hidden import seen

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader


def columns(counts: str = "i") -> str:
    """Columns of `Issue` in the order of its fields, over JOINS.

    `counts` is the table whose times and counts are shown: `i`, or `e` for one environment's.
    """
    return f"""
    i.id, i.project_id, p.slug, i.short_id, i.title, i.culprit, i.type, i.value, i.platform,
    i.level, i.is_handled, i.status, i.status_at, i.resolved_in, i.regressed_at, i.assignee_id,
    coalesce(nullif(u.name, ''), u.email), {counts}.first_seen_at, {counts}.last_seen_at,
    {counts}.event_count, {counts}.user_count, i.first_release, i.last_release,
    i.grouping_version"""


COLUMNS = columns()
JOINS = """
    JOIN projects p ON p.id = i.project_id
    LEFT JOIN users u ON u.id = i.assignee_id"""

_SHORT_ID = re.compile(r"(?P<slug>[A-Za-z0-9_-]{1,60})-(?P<number>\d{1,15})\Z")


def issue(reader: Reader, reach: Reach, issue_id: int) -> Issue | None:
    """One issue; None when it is not there, out of reach or hidden."""
    found = current_issue(reader, issue_id)
    return found if found is not None and seen(reader, reach, [found]).there else None


def current_issue(reader: Reader, issue_id: int) -> Issue | None:
    """One issue as it is now. The caller has it from a Reach."""
    return reader.find(
        Issue,
        f"SELECT {COLUMNS} FROM issues i {JOINS} WHERE i.id = :id",  # noqa: S608
        id=issue_id,
    )


def issue_by_name(reader: Reader, reach: Reach, name: str) -> Issue | None:
    """One issue by its short id (`SHOP-12`, in any case) or by its number (`4711`)."""
    if name.isascii() and name.isdigit() and len(name) < 19:
        return issue(reader, reach, int(name))
    parts = split_short_id(name)
    if parts is None:
        return None
    found = reader.load(
        Issue,
        f"""
        SELECT {COLUMNS}
        FROM projects p
        JOIN issues i ON i.project_id = p.id AND i.short_id = :short_id
        LEFT JOIN users u ON u.id = i.assignee_id
        WHERE p.slug = :slug COLLATE NOCASE
        """,  # noqa: S608
        slug=parts[0],
        short_id=parts[1],
    )
    there = seen(reader, reach, found).there
    return next((one for one in found if one.id in there), None)


def issues_by_id(reader: Reader, reach: Reach, ids: tuple[int, ...]) -> list[Issue]:
    """Those of the issues that are in reach; the others are as if they were not there."""
    found = reader.load(
        Issue,
        f"""
        SELECT {COLUMNS}
        FROM json_each(:ids) j
        CROSS JOIN issues i ON i.id = j.value
        {JOINS}
        """,  # noqa: S608
        ids=str(list(ids)),
    )
    there = seen(reader, reach, found).there
    return [one for one in found if one.id in there]


def counted_in(reader: Reader, issues: Sequence[Issue], environments: Sequence[str]) -> list[Issue]:
    """The issues with counts and times of these environments together."""
    chosen = {
        "ids": str([issue.id for issue in issues]),
        "names": msgspec.json.encode(list(environments)).decode(),
    }
    seen_in = {
        row[0]: row[1:]
        for row in reader.rows(
            """
            SELECT e.issue_id, min(e.first_seen_at), max(e.last_seen_at), sum(e.event_count)
            FROM json_each(:ids) j
            CROSS JOIN json_each(:names) n
            CROSS JOIN issue_environments e ON e.issue_id = j.value AND e.environment = n.value
            GROUP BY e.issue_id
            """,
            **chosen,
        )
    }
    users = dict(
        reader.rows(
            """
            SELECT u.issue_id, count(DISTINCT u.user_key)
            FROM json_each(:ids) j
            CROSS JOIN issue_users u ON u.issue_id = j.value
            WHERE u.environment IN (SELECT value FROM json_each(:names))
            GROUP BY u.issue_id
            """,
            **chosen,
        )
    )
    return [
        replace(
            issue,
            first_seen_at=seen_in[issue.id][0],
            last_seen_at=seen_in[issue.id][1],
            event_count=seen_in[issue.id][2],
            user_count=users.get(issue.id, 0),
        )
        if issue.id in seen_in
        else issue
        for issue in issues
    ]


def split_short_id(text: str) -> tuple[str, int] | None:
    """("SHOP", 12) from "SHOP-12"; None when it does not look like a short id."""
    match = _SHORT_ID.match(text)
    return (match["slug"], int(match["number"])) if match else None
