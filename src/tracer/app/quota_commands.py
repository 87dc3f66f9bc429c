"""Quotas from the command line: by the running server or on its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.errors import Invalid, NotFound
from tracer.kit.access import reach_of_all
from tracer.projects import queries as projects
from tracer.projects.quotas import actions, queries
from tracer.projects.quotas.model import ALL, Quota, Use, window, window_name

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader


def commands(meta: Meta) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {
        "quota_list": partial(listing, meta),
        "quota_set": partial(set_quota, meta),
        "quota_remove": partial(remove, meta),
    }


def listing(meta: Meta, *, org: str = "", project: str = "") -> dict[str, Any]:
    """The quotas of one organization or of all, or of one project and its keys."""
    reader = meta.read()
    found = []
    for organization_id, slug in _organizations(reader, org):
        slugs = {
            one.id: one.slug
            for one in projects.projects(reader, reach_of_all(reader, organization_id))
        }
        found += [
            _row(quota, use, slug, slugs.get(quota.project_id or 0, ""))
            for quota, use in queries.quotas_of(reader, organization_id)
            if not project or slugs.get(quota.project_id or 0) == project
        ]
    return {"quotas": found}


def set_quota(
    meta: Meta,
    *,
    amount: int,
    per: str,
    category: str = "all",
    soft: bool = False,
    org: str = "",
    project: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Sets a quota of an organization, of a project, or of a key (its public part)."""
    with meta.write() as tx:
        organization_id, slug = _one_organization(tx, org)
        project_id = key_id = None
        if project:
            owner = projects.project(tx, reach_of_all(tx, organization_id), project)
            if owner is None:
                raise NotFound(f"There is no project called {project}.")
            project_id = owner.id
        if key:
            found = projects.key_by_public(tx, project_id, key) if project_id else None
            if found is None:
                raise NotFound("Name the project of the key: --project, and the key's public part.")
            key_id = found.id
        quota = actions.set_quota(
            tx,
            organization_id,
            project_id,
            key_id,
            category=ALL if category == "all" else category,
            window_s=window(per),
            amount=amount,
            is_hard=not soft,
        )
        use = next(use for known, use in queries.quotas_of(tx, organization_id) if known == quota)
        return _row(quota, use, slug, project)


def remove(meta: Meta, *, quota_id: int) -> dict[str, Any]:
    """Removes a quota by its id."""
    with meta.write() as tx:
        quota = queries.stored_quota(tx, quota_id)
        if quota is None:
            raise NotFound(f"There is no quota {quota_id}.")
        actions.remove_quota(tx, quota)
        return {"id": quota.id, "text": quota.text}


def _row(quota: Quota, use: Use, organization: str, project: str) -> dict[str, Any]:
    now_ms = clock.now_ms()
    return {
        "id": quota.id,
        "organization": organization,
        "project": project,
        "key_id": quota.key_id,
        "scope": quota.scope,
        "category": quota.category or "all",
        "window": window_name(quota.window_s),
        "amount": quota.amount,
        "kind": "hard" if quota.is_hard else "soft",
        "used": use.now(quota, now_ms),
        "is_exceeded": use.is_over(quota, now_ms),
        "text": quota.text,
    }


def _organizations(reader: Reader, slug: str) -> list[tuple[int, str]]:
    rows = reader.rows("SELECT id, slug FROM organizations WHERE slug NOT LIKE '~%' ORDER BY id")
    found = [(id_, known) for id_, known in rows if slug in ("", known)]
    if not found:
        raise NotFound(f"There is no organization called {slug}." if slug else "There is none.")
    return found


def _one_organization(reader: Reader, slug: str) -> tuple[int, str]:
    found = _organizations(reader, slug)
    if len(found) > 1:
        raise Invalid("There are several organizations: name one with --org.")
    return found[0]
