"""Writes of invitations, and of links to join by the domain of an e-mail address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.actions.members import add_member
from tracer.accounts.actions.teams import put_team_member
from tracer.accounts.membership import (
    INVITATION_AGE_MS,
    JOIN_LINK_AGE_MS,
    Invitation,
    OrganizationSettings,
    check_grant,
    check_touch,
    domain_of,
)
from tracer.accounts.model import check_email, secret_hash
from tracer.accounts.queries import (
    invitation_by_secret,
    join_link,
    member,
    member_by_email,
    organization_settings,
    pending_for,
    team_by_id,
    user,
)
from tracer.errors import Conflict, Forbidden, NotFound
from tracer.kit import audit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.storage.meta import Tx

_GONE = "This invitation does not work any more."


def invite(
    tx: Tx,
    organization_id: int,
    email: str,
    role: str,
    team_ids: Sequence[int] = (),
    *,
    by: str,
    invited_by: int | None,
) -> tuple[int, str]:
    """(id, secret) of a new invitation; the secret cannot be had again. `by` is the role of who
    invites. Conflict for a member or somebody who is invited already, Forbidden above `by`."""
    email = check_email(email)
    check_grant(by, role)
    if member_by_email(tx, organization_id, email):
        raise Conflict(f"{email} is a member already.")
    if pending_for(tx, organization_id, email):
        raise Conflict(f"{email} is invited already.")
    known = [id_ for id_ in dict.fromkeys(team_ids) if team_by_id(tx, organization_id, id_)]
    secret = clock.new_secret()
    invitation_id = tx.insert(
        """
        INSERT INTO invitations (organization_id, email, role, team_ids, token_hash, invited_by,
            created_at, expires_at)
        VALUES (:organization_id, :email, :role, :team_ids, :hash, :invited_by, :now, :expires)
        """,
        organization_id=organization_id,
        email=email,
        role=role,
        team_ids=json.dumps(known),
        hash=secret_hash(secret),
        invited_by=invited_by,
        now=tx.now_ms,
        expires=tx.now_ms + INVITATION_AGE_MS,
    )
    after = {"email": email, "role": role, "team_ids": known}
    _record(tx, "invitation.create", organization_id, invitation_id, email, after=after)
    return invitation_id, secret


def renew_invitation(tx: Tx, found: Invitation, *, by: str) -> str:
    """The secret of a new link, which works for as long as a first one; the old link ends."""
    check_grant(by, found.role)
    secret = clock.new_secret()
    tx.execute(
        "UPDATE invitations SET token_hash = :hash, expires_at = :expires WHERE id = :id",
        hash=secret_hash(secret),
        expires=tx.now_ms + INVITATION_AGE_MS,
        id=found.id,
    )
    _record(tx, "invitation.renew", found.organization_id, found.id, found.email)
    return secret


def set_invited_role(tx: Tx, found: Invitation, role: str, *, by: str) -> None:
    """The role that the invited person will have. Forbidden above the own role."""
    check_grant(by, role)
    check_touch(by, found.role)
    if role == found.role:
        return
    tx.execute("UPDATE invitations SET role = :role WHERE id = :id", role=role, id=found.id)
    _record(
        tx,
        "invitation.update",
        found.organization_id,
        found.id,
        found.email,
        before={"role": found.role},
        after={"role": role},
    )


def revoke_invitation(tx: Tx, found: Invitation, *, by: str) -> None:
    """Ends an invitation: its link works no more."""
    check_touch(by, found.role)
    tx.execute(
        "UPDATE invitations SET revoked_at = :now WHERE id = :id", now=tx.now_ms, id=found.id
    )
    _record(tx, "invitation.revoke", found.organization_id, found.id, found.email)


def accept_invitation(tx: Tx, secret: str, user_id: int) -> Invitation:
    """Makes the invited user a member, in the teams of the invitation. NotFound when the link
    does not work (any more); Forbidden for a user with another e-mail address."""
    found = invitation_by_secret(tx, secret)
    if found is None:
        raise NotFound(_GONE)
    who = user(tx, user_id)
    if who is None or who.email.lower() != found.email.lower():
        raise Forbidden(f"This invitation is for {found.email}.")
    tx.execute(
        "UPDATE invitations SET accepted_at = :now WHERE id = :id", now=tx.now_ms, id=found.id
    )
    _record(tx, "invitation.accept", found.organization_id, found.id, found.email)
    if member(tx, found.organization_id, user_id) is None:
        add_member(tx, found.organization_id, user_id, found.role)
    joined = member(tx, found.organization_id, user_id)
    for team_id in found.team_ids:
        team = team_by_id(tx, found.organization_id, team_id)
        if team is not None and joined is not None:
            put_team_member(tx, team, joined, "contributor")
    return found


def create_join_link(tx: Tx, organization: OrganizationSettings, email: str) -> str:
    """The secret of a link that lets the owner of an e-mail address join. Forbidden unless its
    domain is one of the organization's."""
    email = check_email(email)
    if domain_of(email) not in organization.join_domains:
        raise Forbidden("Addresses of this domain cannot join by themselves.")
    secret = clock.new_secret()
    tx.execute(
        """
        INSERT INTO account_links (token_hash, kind, organization_id, email, created_at, expires_at)
        VALUES (:hash, 'join', :organization_id, :email, :now, :expires)
        """,
        hash=secret_hash(secret),
        organization_id=organization.id,
        email=email,
        now=tx.now_ms,
        expires=tx.now_ms + JOIN_LINK_AGE_MS,
    )
    _record(tx, "join_link.create", organization.id, "", email)
    return secret


def use_join_link(tx: Tx, secret: str, user_id: int) -> int:
    """Makes the user a member by a link from a mail; the organization's id. NotFound when the link
    does not work (any more), or the organization has taken the domain back."""
    link = join_link(tx, secret)
    home = organization_settings(tx, link[0]) if link else None
    if link is None or home is None or domain_of(link[1]) not in home.join_domains:
        raise NotFound("This link does not work any more.")
    who = user(tx, user_id)
    if who is None or who.email.lower() != link[1].lower():
        raise Forbidden(f"This link is for {link[1]}.")
    tx.execute(
        "UPDATE account_links SET used_at = :now WHERE token_hash = :hash",
        now=tx.now_ms,
        hash=secret_hash(secret),
    )
    _record(tx, "join_link.use", home.id, "", link[1])
    if member(tx, home.id, user_id) is None:
        add_member(tx, home.id, user_id, home.join_role)
    return home.id


def _record(
    tx: Tx,
    action: str,
    organization_id: int,
    object_id: object,
    email: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        tx,
        action,
        action.partition(".")[0],
        object_id,
        name=email,
        organization_id=organization_id,
        before=before,
        after=after,
    )
