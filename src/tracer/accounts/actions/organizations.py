"""Writes of organizations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.actions.members import leave_logins
from tracer.accounts.membership import JOIN_ROLES, SECOND_FACTOR, OrganizationSettings
from tracer.accounts.model import NAME_MAX, check_slug, one_line, secret_hash
from tracer.accounts.queries import (
    count_organizations,
    organization_settings,
)
from tracer.accounts.tokens.model import TokensChanged
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from tracer.storage.meta import Tx


def create_organization(tx: Tx, slug: str, name: str) -> int:
    """A new organization's id. Conflict when the slug is taken."""
    _check_free(tx, slug)
    shown = one_line(name)[:NAME_MAX] or slug
    # An id is not used again while the audit log tells of the organization that had it.
    organization_id = tx.insert(
        """
        INSERT INTO organizations (id, slug, name, created_at)
        SELECT 1 + max(
            (SELECT coalesce(max(id), 0) FROM organizations),
            (SELECT coalesce(max(organization_id), 0) FROM audit)
        ), :slug, :name, :now
        """,
        slug=slug,
        name=shown,
        now=tx.now_ms,
    )
    audit.record(
        tx,
        "organization.create",
        "organization",
        organization_id,
        name=slug,
        organization_id=organization_id,
        after={"slug": slug, "name": shown},
    )
    return organization_id


def rename_organization(
    tx: Tx, organization_id: int, name: str, *, slug: str | None = None
) -> None:
    """Sets the shown name; the slug too if one is given. Conflict when that is taken."""
    before = organization_settings(tx, organization_id)
    if before is None:
        raise NotFound("There is no such organization.")
    changes = {"name": name} if slug is None else {"name": name, "slug": slug}
    update_organization(tx, before, **changes)


def update_organization(
    tx: Tx, organization: OrganizationSettings, **changes: Any
) -> OrganizationSettings:
    """Sets the named settings (fields of OrganizationSettings). Conflict when a slug is taken."""
    wanted = {key: value for key, value in changes.items() if value != getattr(organization, key)}
    if "slug" in wanted:
        _check_free(tx, wanted["slug"])
    if "name" in wanted:
        wanted["name"] = one_line(wanted["name"])[:NAME_MAX] or organization.slug
    if wanted.get("second_factor", "optional") not in SECOND_FACTOR:
        raise Invalid("Choose who must have a second factor.")
    if wanted.get("join_role", "member") not in JOIN_ROLES:
        raise Invalid(f"People who join by themselves become one of: {', '.join(JOIN_ROLES)}.")
    if not wanted:
        return organization
    stored = dict(wanted)
    if "join_domains" in stored:
        stored["join_domains"] = json.dumps(list(stored["join_domains"]))
    if "is_open" in stored:
        stored["is_open"] = int(stored["is_open"])
    columns = ", ".join(f"{column} = :{column}" for column in stored)
    tx.execute(
        f"UPDATE organizations SET {columns} WHERE id = :organization_id",  # noqa: S608
        organization_id=organization.id,
        **stored,
    )
    audit.record(
        tx,
        "organization.update",
        "organization",
        organization.id,
        name=organization.slug,
        organization_id=organization.id,
        before={key: getattr(organization, key) for key in wanted},
        after=wanted,
    )
    if wanted.keys() & {"is_open", "second_factor"}:
        tx.emit(AccessChanged(organization.id))
    found = organization_settings(tx, organization.id)
    assert found is not None
    return found


def delete_organization(tx: Tx, organization: OrganizationSettings) -> None:
    """Ends an organization: nobody belongs to it, no token or invitation of it works, its slug is
    free. Its row goes with the data of its last project, which the caller has deleted.

    Conflict for the last one of a server.
    """
    if count_organizations(tx) < 2:
        raise Conflict("The last organization of a server cannot be deleted.")
    leave_logins(tx, organization.id)
    for table in ("members", "teams", "invitations", "account_links", "tokens", "policies"):
        tx.execute(
            f"DELETE FROM {table} WHERE organization_id = :id",  # noqa: S608
            id=organization.id,
        )
    # What begins with a tilde is no slug that anybody could have chosen.
    tx.execute(
        "UPDATE organizations SET slug = '~' || id, join_domains = '[]' WHERE id = :id",
        id=organization.id,
    )
    delete_emptied(tx, organization.id)
    audit.record(
        tx,
        "organization.delete",
        "organization",
        organization.id,
        name=organization.slug,
        organization_id=organization.id,
        before={"slug": organization.slug, "name": organization.name},
    )
    tx.emit(TokensChanged())
    tx.emit(AccessChanged(organization.id))


def delete_emptied(tx: Tx, organization_id: int) -> None:
    """Removes the row of a deleted organization once the last of its projects is erased."""
    tx.execute(
        """
        DELETE FROM organizations
        WHERE id = :id AND slug LIKE '~%'
          AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.organization_id = organizations.id)
        """,
        id=organization_id,
    )


def switch_login(tx: Tx, ref: str, user_id: int, organization_id: int) -> str:
    """Turns a login to another organization of its user; the new cookie, as the old one ends.
    NotFound when the user is no member there."""
    if not tx.value(
        "SELECT 1 FROM members WHERE organization_id = :org AND user_id = :user_id",
        org=organization_id,
        user_id=user_id,
    ):
        raise NotFound("There is no such organization.")
    cookie = clock.new_secret()
    changed = tx.execute(
        """
        UPDATE logins
        SET token_hash = :hash, csrf = :csrf, organization_id = :organization_id
        WHERE token_hash = :ref AND user_id = :user_id
        """,
        hash=secret_hash(cookie),
        csrf=clock.new_secret(),
        organization_id=organization_id,
        ref=ref,
        user_id=user_id,
    )
    if not changed:
        raise NotFound("This login has ended.")
    audit.record(
        tx, "login.switch", "organization", organization_id, organization_id=organization_id
    )
    tx.emit(AccessChanged())
    return cookie


def _check_free(tx: Tx, slug: str) -> None:
    check_slug(slug)
    if tx.value("SELECT 1 FROM organizations WHERE slug = :slug", slug=slug):
        raise Conflict(f"There is an organization called {slug} already.")
