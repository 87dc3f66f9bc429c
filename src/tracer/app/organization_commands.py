"""Organizations from the command line: reads of one or all, and making a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer.accounts import actions, queries
from tracer.accounts.model import Organization, slug_from
from tracer.errors import Invalid, NotFound

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader

_ORGANIZATION = """
    SELECT o.id, o.slug, o.name, o.created_at,
        (SELECT count(*) FROM members m WHERE m.organization_id = o.id),
        (SELECT count(*) FROM teams t WHERE t.organization_id = o.id),
        (
            SELECT count(*)
            FROM projects p
            WHERE p.organization_id = o.id AND p.deleted_at IS NULL
        )
    FROM organizations o
    WHERE o.slug NOT LIKE '~%'"""
_FIELDS = ("id", "slug", "name", "created_at", "members", "teams", "projects")


def commands(meta: Meta) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {"organization_create": partial(create, meta)}


def create(meta: Meta, *, name: str, slug: str | None, owner: str | None) -> dict[str, Any]:
    """A new organization; `owner` is the e-mail address of an account that is to own it."""
    with meta.write() as tx:
        user = None if owner is None else queries.user_by_email(tx, owner.strip())
        if owner is not None and user is None:
            raise NotFound(f"There is no account with the e-mail address {owner}.")
        id_ = actions.create_organization(tx, slug or slug_from(name, "organization"), name)
        if user is not None:
            actions.add_member(tx, id_, user.id, "owner")
        row = tx.row("SELECT slug, name FROM organizations WHERE id = :id", id=id_)
    assert row is not None
    return {"id": id_, "slug": row[0], "name": row[1], "owner": user.email if user else None}


def listing(reader: Reader) -> dict[str, Any]:
    """All organizations, by slug."""
    rows = reader.rows(f"{_ORGANIZATION} ORDER BY o.slug")
    return {"organizations": [dict(zip(_FIELDS, row, strict=True)) for row in rows]}


def show(reader: Reader, *, org: str) -> dict[str, Any]:
    """One organization with its members and what its owners decided."""
    home = find_organization(reader, org)
    row = reader.row(f"{_ORGANIZATION} AND o.id = :id", id=home.id)
    settings = queries.organization_settings(reader, home.id)
    assert row is not None
    assert settings is not None
    return {
        **dict(zip(_FIELDS, row, strict=True)),
        "is_open": settings.is_open,
        "second_factor": settings.second_factor,
        "join_domains": list(settings.join_domains),
        "roles": {one.email: one.role for one in queries.members(reader, home.id)},
    }


def find_organization(reader: Reader, slug: str | None) -> Organization:
    """The organization of a slug; None is the only one. NotFound; Invalid: say which."""
    if slug is not None:
        found = reader.find(
            Organization,
            "SELECT id, slug, name, created_at FROM organizations WHERE slug = :slug",
            slug=slug,
        )
        if found is None:
            raise NotFound(f"There is no organization called {slug}.")
        return found
    first = queries.first_organization(reader)
    if first is None:
        raise NotFound("There is no organization yet.")
    if queries.count_organizations(reader) > 1:
        raise Invalid("There are several organizations: name one with --org.")
    return first
