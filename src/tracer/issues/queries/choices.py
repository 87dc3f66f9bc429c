"""What a list can be narrowed to, beyond what projects and accounts know. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracer.issues.queries import hidden

if TYPE_CHECKING:
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

MAX_RELEASES = 100

_IS_SEEN = f"""
    EXISTS (
        SELECT 1
        FROM issue_releases ir
        JOIN issues i ON i.id = ir.issue_id AND i.project_id = r.project_id
        WHERE ir.release = r.version AND {hidden.HAS_NO_HIDDEN}
    )"""  # noqa: S608


def releases(reader: Reader, reach: Reach, project_ids: Sequence[int]) -> list[str]:
    """The releases that were seen last in any of these projects in reach, the latest first. Where
    environments are hidden, only those of issues without hidden events."""
    wanted = [id_ for id_ in project_ids if reach.holds(id_)]
    params = {"ids": str(wanted), "limit": MAX_RELEASES}
    condition = ""
    if reach.hidden:
        params["hidden"] = hidden.parameter(reach)
        condition = f"AND {_IS_SEEN}"
    rows = reader.rows(
        f"""
        SELECT r.version
        FROM releases r
        WHERE r.project_id IN (SELECT value FROM json_each(:ids)) {condition}
        GROUP BY r.version
        ORDER BY max(r.last_seen_at) DESC, r.version
        LIMIT :limit
        """,  # noqa: S608
        **params,
    )
    return [row[0] for row in rows]
