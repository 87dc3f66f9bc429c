"""Reads of projects, keys and environments. Never writes.

What takes no Reach takes something that was loaded through one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.accounts.queries import organization_by_slug, team
from tracer.projects.model import UNUSED_MS, Counts, Key, Project
from tracer.protocol.filter_rules import FilterRules

if TYPE_CHECKING:
    from tracer.accounts.membership import Team
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

DAY_MS = 86_400_000

# A deleted project keeps its row, out of every reach, until the task has erased what it held.
_LIVE = """
    SELECT id, organization_id, slug, name, platform, scrub_ip, scrub_defaults, sensitive_names,
        safe_names, allowed_domains, first_event_at, created_at, spike_protection,
        filters
    FROM projects
    WHERE deleted_at IS NULL"""
# The rate limit of a key is its oldest hard quota of errors in a short window.
_LIMIT = """
        FROM quotas q
        WHERE q.key_id = project_keys.id AND q.is_hard AND q.category = 'error' AND q.window_s > 0
        ORDER BY q.id
        LIMIT 1"""
_KEY = f"""
    SELECT id, project_id, public_key, label, is_active, expires_at, used_at, created_at,
        (SELECT q.amount {_LIMIT}), (SELECT q.window_s {_LIMIT})
    FROM project_keys"""  # noqa: S608


def project(reader: Reader, reach: Reach, slug: str) -> Project | None:
    """One project in reach by its slug."""
    row = reader.row(
        f"{_LIVE} AND organization_id = :org AND slug = :slug",
        org=reach.organization_id,
        slug=slug,
    )
    return _project(row) if row and reach.holds(row[0]) else None


def project_by_id(reader: Reader, reach: Reach, project_id: int) -> Project | None:
    """One project in reach by its id."""
    if not reach.holds(project_id):
        return None
    row = reader.row(f"{_LIVE} AND id = :id", id=project_id)
    return _project(row) if row else None


def project_of(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str
) -> Project | None:
    """One project in reach as the API names it: organization and project by slug or id."""
    if organization_by_slug(reader, reach, organization_slug) is None:
        return None
    if project_slug.isascii() and project_slug.isdigit():
        return project_by_id(reader, reach, int(project_slug)) if len(project_slug) < 19 else None
    return project(reader, reach, project_slug)


def key_of(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str, key_id: str
) -> Key | None:
    """One key of a project in reach, by its public part."""
    owner = project_of(reader, reach, organization_slug, project_slug)
    return key_by_public(reader, owner.id, key_id) if owner else None


def project_key(reader: Reader, reach: Reach, slug: str, key_id: int) -> tuple[Project, Key] | None:
    """A project in reach with one of its keys."""
    owner = project(reader, reach, slug)
    found = key(reader, owner.id, key_id) if owner else None
    return (owner, found) if owner and found else None


def project_and_team(
    reader: Reader, reach: Reach, slug: str, team_slug: str
) -> tuple[Project, Team] | None:
    """A project in reach with a team of the organization, whose it may or may not be."""
    owner = project(reader, reach, slug)
    found = team(reader, reach, team_slug) if owner else None
    return (owner, found) if owner and found else None


def projects(reader: Reader, reach: Reach) -> list[Project]:
    """Every project in reach, by slug."""
    rows = reader.rows(
        f"{_LIVE} AND organization_id = :org ORDER BY slug",
        org=reach.organization_id,
    )
    return [_project(row) for row in rows if reach.holds(row[0])]


def keys(reader: Reader, project_id: int) -> list[Key]:
    """A project's keys, the newest last. The caller has the project from a Reach."""
    rows = reader.rows(
        f"{_KEY} WHERE project_id = :id ORDER BY id",
        id=project_id,
    )
    return [_key(row) for row in rows]


def key(reader: Reader, project_id: int, key_id: int) -> Key | None:
    """One key of a project."""
    row = reader.row(
        f"{_KEY} WHERE project_id = :project_id AND id = :id",
        project_id=project_id,
        id=key_id,
    )
    return _key(row) if row else None


def key_by_public(reader: Reader, project_id: int, public_key: str) -> Key | None:
    """One key of a project, by its public part."""
    row = reader.row(
        f"{_KEY} WHERE project_id = :id AND public_key = :public",
        id=project_id,
        public=public_key,
    )
    return _key(row) if row else None


def working_key(reader: Reader, project_id: int) -> Key | None:
    """The key to show in a DSN: the newest that works and does not expire, else any that works."""
    working = [key for key in keys(reader, project_id) if key.works(clock.now_ms())]
    return max(working, key=lambda key: (key.expires_at is None, key.id), default=None)


def unused_keys(reader: Reader, reach: Reach) -> dict[int, int]:
    """How many keys of each project in reach work and were not used for long."""
    now_ms = clock.now_ms()
    return dict(
        reader.rows(
            """
            SELECT project_id, count(*)
            FROM project_keys
            WHERE project_id IN (SELECT value FROM json_each(:ids))
              AND is_active AND (expires_at IS NULL OR expires_at > :now)
              AND coalesce(used_at, created_at) < :then
            GROUP BY project_id
            """,
            ids=json.dumps(reach.project_ids),
            now=now_ms,
            then=now_ms - UNUSED_MS,
        )
    )


def environments(reader: Reader, reach: Reach) -> list[str]:
    """The names of the environments seen in any project in reach, hidden ones left out."""
    rows = reader.rows(
        """
        SELECT DISTINCT name
        FROM environments e
        WHERE project_id IN (SELECT value FROM json_each(:ids))
            AND NOT EXISTS (
                SELECT 1
                FROM json_each(:hidden) h
                WHERE h.value ->> 1 = e.name
                    AND (h.value ->> 0 IS NULL OR h.value ->> 0 = e.project_id)
            )
        ORDER BY name
        LIMIT 500
        """,
        ids=json.dumps(reach.project_ids),
        hidden=json.dumps(reach.hidden),
    )
    return [row[0] for row in rows]


def counts(reader: Reader, reach: Reach) -> dict[int, Counts]:
    """For each project in reach: its unresolved issues and the events of the last 24 hours."""
    ids = json.dumps(reach.project_ids)
    issues = reader.rows(
        """
        SELECT project_id, count(*)
        FROM issues
        WHERE status = 0 AND project_id IN (SELECT value FROM json_each(:ids))
        GROUP BY project_id
        """,
        ids=ids,
    )
    events = reader.rows(
        """
        SELECT project_id, sum(quantity)
        FROM outcomes
        WHERE project_id IN (SELECT value FROM json_each(:ids))
          AND hour_at > :since AND category IN ('error', 'default') AND outcome = 'stored'
        GROUP BY project_id
        """,
        ids=ids,
        since=clock.now_ms() - DAY_MS,
    )
    unresolved: dict[int, int] = dict(issues)
    received: dict[int, int] = dict(events)
    return {id: Counts(unresolved.get(id, 0), received.get(id, 0)) for id in reach.project_ids}


def first_issue_id(reader: Reader, project_id: int) -> int | None:
    """The project's oldest issue, which the onboarding page links to; None before there is one."""
    found: int | None = reader.value(
        "SELECT id FROM issues WHERE project_id = :id ORDER BY first_seen_at, id LIMIT 1",
        id=project_id,
    )
    return found


def stored_project(reader: Reader, project_id: int) -> Project | None:
    """A project by id, whoever asks: for actions on one that was loaded through a Reach."""
    row = reader.row(f"{_LIVE} AND id = :id", id=project_id)
    return _project(row) if row else None


def is_deleted(reader: Reader, project_id: int) -> bool:
    """Whether a project waits to be erased."""
    return bool(
        reader.value(
            "SELECT 1 FROM projects WHERE id = :id AND deleted_at IS NOT NULL", id=project_id
        )
    )


def every_project(reader: Reader) -> list[Project]:
    """All projects of all organizations: for the DSN cache."""
    return [_project(row) for row in reader.rows(_LIVE)]


def every_key(reader: Reader) -> list[Key]:
    """All keys of all projects: for the DSN cache."""
    return [_key(row) for row in reader.rows(_KEY)]


def _project(row: tuple[Any, ...]) -> Project:
    return Project(
        id=row[0],
        organization_id=row[1],
        slug=row[2],
        name=row[3],
        platform=row[4],
        scrub_ip=bool(row[5]),
        scrub_defaults=bool(row[6]),
        sensitive_names=tuple(json.loads(row[7])),
        safe_names=tuple(json.loads(row[8])),
        allowed_domains=tuple(json.loads(row[9])),
        first_event_at=row[10],
        created_at=row[11],
        spike_protection=bool(row[12]),
        filters=msgspec.json.decode(row[13], type=FilterRules),
    )


def _key(row: tuple[Any, ...]) -> Key:
    return Key(row[0], row[1], row[2], row[3], bool(row[4]), *row[5:])
