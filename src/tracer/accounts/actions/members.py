"""Writes of members: role changes, leaving, removal. All take effect at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracer.accounts.membership import check_grant, check_touch
from tracer.accounts.model import ROLES, Member
from tracer.accounts.queries import count_owners, member
from tracer.accounts.tokens.model import TokensChanged
from tracer.errors import Conflict, Invalid
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.storage.meta import Tx


def add_member(tx: Tx, organization_id: int, user_id: int, role: str) -> None:
    """Makes a user a member; a member already there gets the role."""
    if role not in ROLES:
        raise Invalid(f"There is no role called {role}.")
    before = member(tx, organization_id, user_id)
    tx.execute(
        """
        INSERT INTO members (organization_id, user_id, role, created_at)
        VALUES (:organization_id, :user_id, :role, :now)
        ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role
        """,
        organization_id=organization_id,
        user_id=user_id,
        role=role,
        now=tx.now_ms,
    )
    audit.record(
        tx,
        "member.update" if before else "member.add",
        "member",
        user_id,
        name=tx.value("SELECT email FROM users WHERE id = :id", id=user_id) or "",
        organization_id=organization_id,
        before={"role": before.role} if before else None,
        after={"role": role},
    )


def set_role(tx: Tx, organization_id: int, found: Member, role: str, *, by: str) -> None:
    """Gives a member another role; `by` is the role of who does it. Forbidden above the own role,
    Conflict for the last owner."""
    check_grant(by, role)
    check_touch(by, found.role)
    if role == found.role:
        return
    if found.role == "owner":
        _keep_an_owner(tx, organization_id)
    tx.execute(
        "UPDATE members SET role = :role WHERE organization_id = :org AND user_id = :user_id",
        role=role,
        org=organization_id,
        user_id=found.user_id,
    )
    after: dict[str, object] = {"role": role}
    if revoked := _revoke_invitations(
        tx, organization_id, found.user_id, ROLES[: ROLES.index(role)]
    ):
        after["revoked_invitations"] = revoked
    audit.record(
        tx,
        "member.update",
        "member",
        found.user_id,
        name=found.email,
        organization_id=organization_id,
        before={"role": found.role},
        after=after,
    )
    tx.emit(AccessChanged(organization_id))


def remove_member(tx: Tx, organization_id: int, found: Member, *, by: str) -> None:
    """Ends a membership: teams, personal tokens and logins here. `by` is the role of who does it.
    Forbidden for a member above the own role, Conflict for the last owner."""
    check_touch(by, found.role)
    _end(tx, organization_id, found, "member.remove")


def leave(tx: Tx, organization_id: int, found: Member) -> None:
    """Ends one's own membership. Conflict for the last owner."""
    _end(tx, organization_id, found, "member.leave")


def leave_logins(tx: Tx, organization_id: int, user_id: int | None = None) -> None:
    """Moves the logins of one user (or of all) to another organization of theirs, or ends them."""
    tx.execute(
        """
        UPDATE logins
        SET organization_id = (
            SELECT m.organization_id
            FROM members m
            WHERE m.user_id = logins.user_id AND m.organization_id != :org
            ORDER BY m.created_at, m.organization_id
            LIMIT 1
        )
        WHERE organization_id = :org
          AND (:user_id IS NULL OR user_id = :user_id)
          AND EXISTS (
            SELECT 1
            FROM members m
            WHERE m.user_id = logins.user_id AND m.organization_id != :org
          )
        """,
        org=organization_id,
        user_id=user_id,
    )
    tx.execute(
        """
        DELETE FROM logins
        WHERE organization_id = :org AND (:user_id IS NULL OR user_id = :user_id)
        """,
        org=organization_id,
        user_id=user_id,
    )


def _end(tx: Tx, organization_id: int, found: Member, action: str) -> None:
    if found.role == "owner":
        _keep_an_owner(tx, organization_id)
    tx.execute(
        "DELETE FROM members WHERE organization_id = :org AND user_id = :user_id",
        org=organization_id,
        user_id=found.user_id,
    )
    tx.execute(
        """
        DELETE FROM team_members
        WHERE user_id = :user_id
          AND team_id IN (SELECT id FROM teams WHERE organization_id = :org)
        """,
        org=organization_id,
        user_id=found.user_id,
    )
    tokens = tx.execute(
        """
        UPDATE tokens
        SET revoked_at = :now
        WHERE user_id = :user_id AND organization_id = :org AND kind = 'personal'
          AND revoked_at IS NULL
        """,
        now=tx.now_ms,
        org=organization_id,
        user_id=found.user_id,
    )
    invitations = _revoke_invitations(tx, organization_id, found.user_id, ROLES)
    leave_logins(tx, organization_id, found.user_id)
    audit.record(
        tx,
        action,
        "member",
        found.user_id,
        name=found.email,
        organization_id=organization_id,
        before={"role": found.role},
        after={"revoked_tokens": tokens, "revoked_invitations": invitations},
    )
    tx.emit(TokensChanged())
    tx.emit(AccessChanged(organization_id))


def _revoke_invitations(tx: Tx, organization_id: int, user_id: int, roles: Sequence[str]) -> int:
    """Ends what a user invited to the organization as one of `roles` and nobody accepted: nobody
    comes back, or rises again, by an invitation of one's own."""
    return tx.execute(
        """
        UPDATE invitations
        SET revoked_at = :now
        WHERE organization_id = :org AND invited_by = :user_id
          AND accepted_at IS NULL AND revoked_at IS NULL
          AND role IN (SELECT value FROM json_each(:roles))
        """,
        now=tx.now_ms,
        org=organization_id,
        user_id=user_id,
        roles=json.dumps(list(roles)),
    )


def _keep_an_owner(tx: Tx, organization_id: int) -> None:
    if count_owners(tx, organization_id) < 2:
        raise Conflict("An organization needs an owner. Make somebody else an owner first.")
