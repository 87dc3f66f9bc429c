"""Reads of discarded issues. Never writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tracer.issues.model import Discarded
from tracer.issues.queries.hidden import UNTOLD

if TYPE_CHECKING:
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

#: Discarded issues on one page.
DISCARDED_PAGE = 50

_DISCARDED = """
    SELECT d.id, d.project_id, p.slug, d.short_id, d.title, d.culprit, d.level, d.environments,
        coalesce(nullif(u.name, ''), u.email), d.discarded_at, d.event_count, d.last_seen_at
    FROM discarded_issues d
    JOIN projects p ON p.id = d.project_id
    LEFT JOIN users u ON u.id = d.discarded_by"""


def discarded(reader: Reader, reach: Reach, slug: str, discard_id: int) -> Discarded | None:
    """One discarded issue of a project in reach."""
    found = reader.load(
        Discarded,
        f"{_DISCARDED} WHERE d.id = :id AND p.slug = :slug AND p.deleted_at IS NULL",
        id=discard_id,
        slug=slug,
    )
    seen = [_told(one, reach) for one in found if reach.holds(one.project_id)]
    return seen[0] if seen and seen[0] else None


def discarded_page(
    reader: Reader, reach: Reach, project_id: int, *, before: int | None = None
) -> tuple[list[Discarded], int | None]:
    """Those of a project, the latest first, and what to go on before. An issue all of whose
    environments are hidden is left out; one with some hidden does not tell its title."""
    found = reader.load(
        Discarded,
        f"""{_DISCARDED}
        WHERE d.project_id = :project AND (:before IS NULL OR d.id < :before)
        ORDER BY d.id DESC
        LIMIT :limit""",
        project=project_id if reach.holds(project_id) else 0,
        before=before,
        limit=DISCARDED_PAGE + 1,
    )
    following = found[DISCARDED_PAGE - 1].id if len(found) > DISCARDED_PAGE else None
    told = [_told(one, reach) for one in found[:DISCARDED_PAGE]]
    return [one for one in told if one is not None], following


def _told(one: Discarded, reach: Reach) -> Discarded | None:
    hidden = set(reach.hides(one.project_id))
    own = set(msgspec.json.decode(one.environments, type=list[str]))
    if not own & hidden:
        return one
    return replace(one, title=UNTOLD, culprit="") if own - hidden else None
