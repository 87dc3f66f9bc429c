"""Reads of tokens. Never writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.queries import member, organization_by_slug
from tracer.accounts.tokens.model import DAY_MS, ORGANIZATION, PERSONAL, Token, givable
from tracer.kit.access import LEADERS
from tracer.kit.permissions import SCOPES, TEAM_GRANTS, granted

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

#: How long a token that has ended is still listed.
SHOWN_MS = 30 * DAY_MS

_SELECT = """
    SELECT t.id, t.jti, t.kind, t.user_id, coalesce(u.email, ''), t.organization_id, t.name,
        t.scopes, t.project_ids, t.created_at, t.expires_at, t.used_at, t.used_address, t.ends_at,
        t.replaced_by, t.revoked_at, CASE WHEN k.kid IS NULL THEN 0 ELSE k.retires_at END
    FROM tokens t
    LEFT JOIN users u ON u.id = t.user_id
    LEFT JOIN signing_keys k ON k.kid = t.kid"""
_SHOWN = """
          t.revoked_at IS NULL
          AND coalesce(min(t.expires_at, t.ends_at), t.expires_at, t.ends_at, :now) > :then"""


def personal_tokens(reader: Reader, user_id: int, organization_id: int) -> list[Token]:
    """A user's own tokens in an organization, the newest first; not revoked, not long ended."""
    rows = reader.rows(
        f"""{_SELECT}
        WHERE t.kind = 'personal' AND t.user_id = :user_id AND t.organization_id = :organization_id
          AND {_SHOWN}
        ORDER BY t.id DESC
        """,
        user_id=user_id,
        organization_id=organization_id,
        now=clock.now_ms(),
        then=clock.now_ms() - SHOWN_MS,
    )
    return [_token(row) for row in rows]


def organization_tokens(reader: Reader, organization_id: int) -> list[Token]:
    """An organization's own tokens, the newest first; not revoked, not long ended."""
    rows = reader.rows(
        f"""{_SELECT}
        WHERE t.kind = 'organization' AND t.organization_id = :organization_id
          AND {_SHOWN}
        ORDER BY t.id DESC
        """,
        organization_id=organization_id,
        now=clock.now_ms(),
        then=clock.now_ms() - SHOWN_MS,
    )
    return [_token(row) for row in rows]


def token_by_id(reader: Reader, token_id: int) -> Token | None:
    """A token, whoever asks: for commands on the server itself."""
    row = reader.row(f"{_SELECT} WHERE t.id = :id", id=token_id)
    return _token(row) if row else None


def personal_token(
    reader: Reader, user_id: int, organization_id: int, token_id: int
) -> Token | None:
    """One of a user's own tokens that was not revoked."""
    found = token_by_id(reader, token_id)
    if found is None or found.kind != PERSONAL or found.user_id != user_id or found.revoked_at:
        return None
    return found if found.organization_id == organization_id else None


def organization_token(reader: Reader, reach: Reach, token_id: int) -> Token | None:
    """One of the organization's tokens that was not revoked."""
    found = token_by_id(reader, token_id)
    if found is None or found.kind != ORGANIZATION or found.revoked_at:
        return None
    return found if found.organization_id == reach.organization_id else None


def token_of(reader: Reader, reach: Reach, organization_slug: str, token_id: int) -> Token | None:
    """One of the organization's tokens as the API names it."""
    if organization_by_slug(reader, reach, organization_slug) is None:
        return None
    return organization_token(reader, reach, token_id)


def scopes_of_owner(
    reader: Reader, kind: str, organization_id: int, user_id: int | None
) -> tuple[str, frozenset[str]]:
    """The role of whom a token is to belong to, and the scopes that it can carry now: as on the
    page where they would make it themselves. A blank role for who is no member."""
    if kind == ORGANIZATION or user_id is None:
        return "organization", givable(ORGANIZATION, SCOPES)
    found = member(reader, organization_id, user_id)
    role = "" if found is None else found.role
    held = granted(role)
    if role in LEADERS and reader.value(
        """
        SELECT 1
        FROM team_members tm
        JOIN teams ON teams.id = tm.team_id
        JOIN team_projects tp ON tp.team_id = tm.team_id
        WHERE tm.user_id = :user_id AND tm.role = 'lead' AND teams.organization_id = :org
        """,
        user_id=user_id,
        org=organization_id,
    ):
        held |= TEAM_GRANTS["lead"]
    return role, givable(PERSONAL, held)


def _token(row: tuple[Any, ...]) -> Token:
    fields = list(row)
    fields[7] = tuple(row[7].split())
    fields[8] = None if row[8] is None else tuple(json.loads(row[8]))
    return Token(*fields)
