"""What a list can be narrowed to, beyond what projects and accounts know. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.storage.meta import Reader

MAX_RELEASES = 100


def releases(reader: Reader, project_ids: Sequence[int]) -> list[str]:
    """The releases that were seen last in any of the projects, the latest first."""
    rows = reader.rows(
        """
        SELECT version
        FROM releases
        WHERE project_id IN (SELECT value FROM json_each(:ids))
        GROUP BY version
        ORDER BY max(last_seen_at) DESC, version
        LIMIT :limit
        """,
        ids=str(list(project_ids)),
        limit=MAX_RELEASES,
    )
    return [row[0] for row in rows]
