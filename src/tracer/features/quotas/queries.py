"""Reads for the pages and mails of quotas: what came, whom to tell, spikes. Never writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.accounts.queries import organization_by_slug
from tracer.features.quotas.model import HOUR_MS, WEEK_MS, Draft, Seen
from tracer.projects import queries as projects
from tracer.projects.quotas import queries as quotas
from tracer.projects.quotas.model import Quota, month_began

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.projects.model import Project
    from tracer.storage.meta import Reader

#: What reached this server and was counted by quotas.
_ACCEPTED = """
    outcome NOT IN ('rate_limited', 'refused', 'client_discard') AND category <> 'internal'"""
#: What was sent to it, whatever became of it.
_OFFERED = "outcome NOT IN ('refused', 'client_discard') AND category <> 'internal'"


@dataclass(frozen=True, slots=True)
class Spike:
    """A spike of a project; `ended_at` is None while it lasts. Times are unix milliseconds."""

    id: int
    project_id: int
    began_at: int
    ended_at: int | None
    threshold: int
    dropped: int


_SPIKE = "SELECT id, project_id, began_at, ended_at, threshold, dropped FROM spikes"


def seen(reader: Reader, project_ids: Sequence[int], now_ms: int) -> list[Seen]:
    """What came of some projects in reach this month and in the last seven days."""
    month, week = month_began(now_ms), now_ms - WEEK_MS
    return reader.load(
        Seen,
        f"""
        SELECT o.project_id, o.category,
            coalesce(sum(o.quantity) FILTER (WHERE o.hour_at >= :month), 0),
            coalesce(sum(o.quantity) FILTER (WHERE o.hour_at >= :week), 0)
        FROM json_each(:ids) j
        CROSS JOIN outcomes o ON o.project_id = j.value AND o.hour_at >= :since
        WHERE {_ACCEPTED}
        GROUP BY 1, 2
        """,  # noqa: S608
        ids=json.dumps(list(project_ids)),
        month=month,
        week=week,
        since=min(month, week),
    )


def hours(
    reader: Reader, draft: Draft, project_ids: Sequence[int], now_ms: int
) -> list[tuple[int, int]]:
    """(hour, items) of what was sent to some projects, for a quota of their categories: since the
    beginning of the month that the last seven days began in."""
    categories = draft.quota(0, None, now_ms).categories
    rows = reader.rows(
        f"""
        SELECT o.hour_at, sum(o.quantity)
        FROM json_each(:ids) j
        CROSS JOIN outcomes o ON o.project_id = j.value AND o.hour_at >= :since
        WHERE {_OFFERED}
            AND (:all OR o.category IN (SELECT value FROM json_each(:categories)))
        GROUP BY o.hour_at
        ORDER BY o.hour_at
        """,  # noqa: S608
        ids=json.dumps(list(project_ids)),
        since=month_began(now_ms - WEEK_MS - HOUR_MS),
        all=not categories,
        categories=json.dumps(categories),
    )
    return [(row[0], row[1]) for row in rows]


def project_ids(reader: Reader, organization_id: int) -> list[int]:
    """All projects of an organization, whoever asks: its own quotas count them all."""
    rows = reader.rows(
        "SELECT id FROM projects WHERE organization_id = :id AND deleted_at IS NULL",
        id=organization_id,
    )
    return [row[0] for row in rows]


def key_labels(reader: Reader, organization_id: int) -> dict[int, str]:
    """The labels of the keys that have quotas."""
    rows = reader.rows(
        """
        SELECT k.id, k.label
        FROM quotas q
        JOIN project_keys k ON k.id = q.key_id
        WHERE q.organization_id = :id
        """,
        id=organization_id,
    )
    return dict(rows)


def since(reader: Reader, organization_id: int) -> int:
    """When the organization began: before that nothing can have come."""
    found: int | None = reader.value(
        "SELECT created_at FROM organizations WHERE id = :id", id=organization_id
    )
    return found or 0


def lasting(reader: Reader, reach: Reach) -> list[Spike]:
    """The spikes of projects in reach that last."""
    found = reader.load(Spike, f"{_SPIKE} WHERE ended_at IS NULL ORDER BY began_at")
    return [spike for spike in found if reach.holds(spike.project_id)]


def spikes(reader: Reader, project: Project) -> list[Spike]:
    """The latest spikes of a project."""
    return reader.load(
        Spike,
        f"{_SPIKE} WHERE project_id = :id ORDER BY began_at DESC, id DESC LIMIT 5",
        id=project.id,
    )


def spike(reader: Reader, spike_id: int) -> Spike | None:
    """One spike, whoever asks: for the mail about it."""
    return reader.find(Spike, f"{_SPIKE} WHERE id = :id", id=spike_id)


def project_names(reader: Reader, project_id: int) -> tuple[int, str, str] | None:
    """(organization, slug, name) of a project that is there."""
    row = reader.row(
        """
        SELECT organization_id, slug, name
        FROM projects
        WHERE id = :id AND deleted_at IS NULL
        """,
        id=project_id,
    )
    return None if row is None else (row[0], row[1], row[2])


def organization_quota(reader: Reader, reach: Reach, quota_id: int) -> Quota | None:
    """A quota of the organization itself."""
    found = quotas.quota(reader, reach, quota_id)
    return found if found is not None and found.project_id is None else None


def project_quota(
    reader: Reader, reach: Reach, slug: str, quota_id: int
) -> tuple[Project, Quota] | None:
    """A project in reach with one of its quotas or of its keys'."""
    owner = projects.project(reader, reach, slug)
    found = _of(reader, reach, owner, quota_id)
    return (owner, found) if owner and found else None


def quota_named(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str, quota_id: int
) -> Quota | None:
    """A quota of a project or of its keys, as the API names it."""
    owner = projects.project_of(reader, reach, organization_slug, project_slug)
    return _of(reader, reach, owner, quota_id)


def organization_quota_named(
    reader: Reader, reach: Reach, organization_slug: str, quota_id: int
) -> Quota | None:
    """A quota of the organization itself, as the API names it."""
    if organization_by_slug(reader, reach, organization_slug) is None:
        return None
    return organization_quota(reader, reach, quota_id)


def _of(reader: Reader, reach: Reach, owner: Project | None, quota_id: int) -> Quota | None:
    found = quotas.quota(reader, reach, quota_id) if owner else None
    return found if owner and found and found.project_id == owner.id else None


def who_manages(reader: Reader, organization_id: int, project_id: int | None) -> list[str]:
    """The e-mail addresses of those who may change the quotas of an organization or a project."""
    rows = reader.rows(
        """
        SELECT u.email
        FROM members m
        JOIN users u ON u.id = m.user_id
        JOIN organizations o ON o.id = m.organization_id
        WHERE m.organization_id = :org AND (
            m.role IN ('owner', 'manager')
            OR (:project IS NOT NULL AND m.role = 'admin' AND o.is_open)
            OR EXISTS (
                SELECT 1
                FROM team_members tm
                JOIN team_projects tp ON tp.team_id = tm.team_id
                WHERE tm.user_id = m.user_id AND tp.project_id = :project
                    AND (m.role = 'admin' OR tm.role = 'lead')
            )
        )
        ORDER BY u.email
        LIMIT 200
        """,
        org=organization_id,
        project=project_id,
    )
    return [row[0] for row in rows]
