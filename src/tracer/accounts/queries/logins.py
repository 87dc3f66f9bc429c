"""Reads of logins: whom a cookie belongs to, where somebody is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer import clock
from tracer.accounts.model import LOGIN_IDLE_MS, Identity, Login, secret_hash

if TYPE_CHECKING:
    from tracer.storage.meta import Reader


def identity_by_login(reader: Reader, cookie: str) -> Identity | None:
    """Whom a login cookie belongs to; None when unknown, idle too long or too old."""
    now_ms = clock.now_ms()
    row = reader.row(
        """
        SELECT u.id, u.email, u.name, u.theme, o.id, o.slug, o.access_version, m.role,
            (
                SELECT json_group_object(t.id, tm.role)
                FROM team_members tm
                JOIN teams t ON t.id = tm.team_id AND t.organization_id = o.id
                WHERE tm.user_id = u.id
            ),
            u.is_server_admin, l.second_factor_at IS NOT NULL, l.confirmed_at, l.csrf, l.token_hash
        FROM logins l
        JOIN users u ON u.id = l.user_id
        JOIN organizations o ON o.id = l.organization_id
        JOIN members m ON m.organization_id = l.organization_id AND m.user_id = l.user_id
        WHERE l.token_hash = :hash AND l.expires_at > :now AND l.seen_at > :idle
        """,
        hash=secret_hash(cookie),
        now=now_ms,
        idle=now_ms - LOGIN_IDLE_MS,
    )
    if row is None:
        return None
    return Identity(
        user_id=row[0],
        email=row[1],
        name=row[2],
        theme=row[3],
        organization_id=row[4],
        organization_slug=row[5],
        access_version=row[6],
        role=row[7],
        teams=_teams(row[8]),
        is_server_admin=bool(row[9]),
        second_factor=bool(row[10]),
        confirmed_at=row[11],
        scopes=None,
        project_ids=None,
        csrf=row[12],
        ref=row[13],
    )


def logins(reader: Reader, user_id: int) -> list[Login]:
    """A user's signed-in browsers that have not expired, the latest seen first."""
    now_ms = clock.now_ms()
    return reader.load(
        Login,
        """
        SELECT token_hash, address, user_agent, created_at, seen_at
        FROM logins
        WHERE user_id = :user_id AND expires_at > :now AND seen_at > :idle
        ORDER BY seen_at DESC
        LIMIT 100
        """,
        user_id=user_id,
        now=now_ms,
        idle=now_ms - LOGIN_IDLE_MS,
    )


def login_addresses(reader: Reader, user_id: int | None) -> list[str]:
    """Where a user is logged in from; as much work for nobody (None)."""
    return [
        row[0]
        for row in reader.rows(
            "SELECT DISTINCT address FROM logins WHERE user_id = :user_id LIMIT 100",
            user_id=user_id,
        )
    ]


def _teams(text: str) -> dict[int, str]:
    """Team id -> role, from a JSON object."""
    return {} if text == "{}" else msgspec.json.decode(text, type=dict[int, str], strict=False)
