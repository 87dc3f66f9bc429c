"""Projects and their keys from the command line.

A project is named by its slug, with its organization's if need be (`acme/shop`), or by its id; a
key by its id or its public part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.app.organization_commands import find_organization
from tracer.app.trail import find_project
from tracer.errors import NotFound
from tracer.projects import actions, queries
from tracer.projects.model import Key, Project, dsn

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader


def commands(meta: Meta, url: str) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {
        "project_create": partial(create, meta, url),
        "project_delete": partial(delete, meta),
        "key_create": partial(create_key, meta, url),
        "key_rotate": partial(rotate_key, meta, url),
        "key_switch": partial(switch_key, meta, url),
    }


def create(
    meta: Meta, url: str, *, name: str, slug: str | None, org: str | None, platform: str
) -> dict[str, Any]:
    """A new project and the DSN of its first key."""
    with meta.write() as tx:
        home = find_organization(tx, org)
        project = actions.create_project(tx, home.id, slug, name, platform)
        return show(tx, project=str(project.id), url=url)


def delete(meta: Meta, *, project: str) -> dict[str, Any]:
    """Ends a project at once; what it held is erased in the background."""
    with meta.write() as tx:
        found = find(tx, project)
        actions.delete_project(tx, found)
    return {"id": found.id, "slug": found.slug}


def create_key(meta: Meta, url: str, *, project: str, label: str) -> dict[str, Any]:
    """A new key that works at once."""
    with meta.write() as tx:
        return _key(actions.create_key(tx, find(tx, project).id, label), url)


def rotate_key(meta: Meta, url: str, *, project: str, key: str, overlap_s: int) -> dict[str, Any]:
    """A new key in place of one that goes on working for `overlap_s` seconds."""
    with meta.write() as tx:
        old = _find_key(tx, project, key)
        new = actions.rotate_key(tx, old, overlap_s)
        old = queries.key(tx, old.project_id, old.id) or old
        return {"new": _key(new, url), "old": _key(old, url)}


def switch_key(meta: Meta, url: str, *, project: str, key: str, is_active: bool) -> dict[str, Any]:
    """Refuses what comes under a key, or accepts it again."""
    with meta.write() as tx:
        found = _find_key(tx, project, key)
        change = actions.enable_key if is_active else actions.disable_key
        return _key(change(tx, found), url)


def listing(reader: Reader, *, org: str | None) -> dict[str, Any]:
    """The projects of one organization, or of all."""
    wanted = None if org is None else find_organization(reader, org).id
    rows = reader.rows(
        """
        SELECT p.id, o.slug, p.slug, p.name, p.platform, p.created_at, p.first_event_at,
            (SELECT count(*) FROM issues i WHERE i.project_id = p.id),
            (SELECT coalesce(sum(event_count), 0) FROM issues i WHERE i.project_id = p.id)
        FROM projects p
        JOIN organizations o ON o.id = p.organization_id
        WHERE p.deleted_at IS NULL AND o.id = coalesce(:org, o.id)
        ORDER BY o.slug, p.slug
        """,
        org=wanted,
    )
    names = (
        *("id", "organization", "slug", "name", "platform", "created_at", "first_event_at"),
        *("issues", "events"),
    )
    return {"projects": [dict(zip(names, row, strict=True)) for row in rows]}


def show(reader: Reader, *, project: str, url: str) -> dict[str, Any]:
    """One project with its settings and a DSN that works (empty: there is none)."""
    found = find(reader, project)
    row = reader.row(
        """
        SELECT o.slug, count(i.id), coalesce(sum(i.event_count), 0)
        FROM organizations o
        LEFT JOIN issues i ON i.project_id = :project
        WHERE o.id = :org
        """,
        project=found.id,
        org=found.organization_id,
    )
    assert row is not None
    key = queries.working_key(reader, found.id)
    return {
        "id": found.id,
        "organization": row[0],
        "slug": found.slug,
        "name": found.name,
        "platform": found.platform,
        "created_at": found.created_at,
        "first_event_at": found.first_event_at,
        "issues": row[1],
        "events": row[2],
        "spike_protection": found.spike_protection,
        "allowed_domains": list(found.allowed_domains),
        "dsn": "" if key is None else str(dsn(key, url)),
    }


def keys(reader: Reader, *, project: str, url: str) -> dict[str, Any]:
    """A project's keys, the oldest first."""
    found = find(reader, project)
    return {
        "project": found.slug,
        "keys": [_key(key, url) for key in queries.keys(reader, found.id)],
    }


def find(reader: Reader, project: str) -> Project:
    """A project by `shop`, `acme/shop` or its id. NotFound, Invalid."""
    organization, _, slug = project.rpartition("/")
    found = queries.stored_project(reader, find_project(reader, organization or None, slug))
    if found is None:
        raise NotFound(f"There is no project {project}.")
    return found


def _find_key(reader: Reader, project: str, key: str) -> Key:
    owner = find(reader, project)
    found = queries.key_by_public(reader, owner.id, key)
    if found is None and key.isascii() and key.isdigit() and len(key) < 19:
        found = queries.key(reader, owner.id, int(key))
    if found is None:
        raise NotFound(f"{owner.slug} has no such key. `tracer project-keys list` names them.")
    return found


def _key(key: Key, url: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "public_key": key.public_key,
        "dsn": str(dsn(key, url)),
        "is_active": key.is_active,
        "works": key.works(clock.now_ms()),
        "expires_at": key.expires_at,
        "used_at": key.used_at,
        "created_at": key.created_at,
    }
