"""Reads of invitations and of links to join by the domain of an e-mail address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.membership import Invitation
from tracer.accounts.model import secret_hash

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

_INVITATION = """
    SELECT i.id, i.organization_id, i.email, i.role, i.team_ids, i.invited_by, i.created_at,
        i.expires_at, o.name
    FROM invitations i
    JOIN organizations o ON o.id = i.organization_id
    WHERE i.accepted_at IS NULL AND i.revoked_at IS NULL"""


def invitations(
    reader: Reader, organization_id: int, *, limit: int = 100, offset: int = 0
) -> list[Invitation]:
    """Who was invited and has not come, the latest first; those whose link is over as well."""
    rows = reader.rows(
        f"""{_INVITATION} AND i.organization_id = :organization_id
        ORDER BY i.created_at DESC, i.id DESC
        LIMIT :limit OFFSET :offset
        """,
        organization_id=organization_id,
        limit=limit,
        offset=offset,
    )
    return [_invitation(row) for row in rows]


def invitation(reader: Reader, reach: Reach, invitation_id: int) -> Invitation | None:
    """One pending invitation to the actor's organization."""
    row = reader.row(
        _INVITATION + " AND i.organization_id = :organization_id AND i.id = :id",
        organization_id=reach.organization_id,
        id=invitation_id,
    )
    return _invitation(row) if row else None


def pending_for(reader: Reader, organization_id: int, email: str) -> Invitation | None:
    """The pending invitation of an e-mail address whose link works."""
    row = reader.row(
        f"""{_INVITATION} AND i.organization_id = :organization_id
          AND i.email = :email AND i.expires_at > :now
        LIMIT 1
        """,
        organization_id=organization_id,
        email=email,
        now=clock.now_ms(),
    )
    return _invitation(row) if row else None


def invitation_by_secret(reader: Reader, secret: str) -> Invitation | None:
    """The invitation of a link that works: neither used, nor revoked, nor too old."""
    row = reader.row(
        _INVITATION + " AND i.token_hash = :hash AND i.expires_at > :now",
        hash=secret_hash(secret),
        now=clock.now_ms(),
    )
    return _invitation(row) if row else None


def join_link(reader: Reader, secret: str) -> tuple[int, str] | None:
    """(organization id, e-mail) of a link to join that works."""
    row = reader.row(
        """
        SELECT organization_id, email
        FROM account_links
        WHERE token_hash = :hash AND kind = 'join' AND used_at IS NULL AND expires_at > :now
        """,
        hash=secret_hash(secret),
        now=clock.now_ms(),
    )
    return (row[0], row[1]) if row else None


def _invitation(row: tuple[Any, ...]) -> Invitation:
    return Invitation(
        id=row[0],
        organization_id=row[1],
        email=row[2],
        role=row[3],
        team_ids=tuple(json.loads(row[4])),
        invited_by=row[5],
        created_at=row[6],
        expires_at=row[7],
        organization=row[8],
    )
