"""Reads of accounts: who a cookie or token belongs to, members, logins, tokens. Never writes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.model import (
    LOGIN_IDLE_MS,
    SETUP_AGE_MS,
    Identity,
    Login,
    Member,
    Organization,
    Token,
    User,
)

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

_USER = "id, email, name, password_hash, theme, created_at, login_at"


def secret_hash(secret: str) -> str:
    """How a random secret is stored: its SHA-256. Random secrets need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def identity_by_login(reader: Reader, cookie: str) -> Identity | None:
    """Whom a login cookie belongs to; None when unknown, idle too long or too old."""
    now_ms = clock.now_ms()
    row = reader.row(
        """
        SELECT u.id, u.email, u.name, u.theme, o.id, o.slug, m.role, NULL, l.csrf, l.token_hash
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
    return _identity(row) if row else None


def identity_by_token(reader: Reader, token: str) -> Identity | None:
    """Whom an API token belongs to; None when it is unknown or was revoked."""
    row = reader.row(
        """
        SELECT u.id, u.email, u.name, u.theme, o.id, o.slug, m.role, t.scopes, '', t.token_hash
        FROM tokens t
        JOIN users u ON u.id = t.user_id
        JOIN organizations o ON o.id = t.organization_id
        JOIN members m ON m.organization_id = t.organization_id AND m.user_id = t.user_id
        WHERE t.token_hash = :hash
        """,
        hash=secret_hash(token),
    )
    return _identity(row) if row else None


def organization(reader: Reader, reach: Reach) -> Organization | None:
    """The actor's organization."""
    return reader.find(
        Organization,
        "SELECT id, slug, name, created_at FROM organizations WHERE id = :id",
        id=reach.organization_id,
    )


def organization_by_slug(
    reader: Reader, reach: Reach, organization_slug: str
) -> Organization | None:
    """The actor's organization if it goes by this slug or id; else None."""
    found = organization(reader, reach)
    if found is None or organization_slug not in (found.slug, str(found.id)):
        return None
    return found


def first_organization(reader: Reader) -> Organization | None:
    """The oldest organization: the one a set-up link belongs to."""
    return reader.find(
        Organization, "SELECT id, slug, name, created_at FROM organizations ORDER BY id LIMIT 1"
    )


def members(reader: Reader, organization_id: int) -> list[Member]:
    """Everyone in the organization, by e-mail."""
    return reader.load(
        Member,
        """
        SELECT u.id, u.email, u.name, m.role, m.created_at, u.login_at
        FROM members m
        JOIN users u ON u.id = m.user_id
        WHERE m.organization_id = :organization_id
        ORDER BY u.email COLLATE NOCASE
        """,
        organization_id=organization_id,
    )


def user(reader: Reader, user_id: int) -> User | None:
    """One user by id."""
    return reader.find(User, f"SELECT {_USER} FROM users WHERE id = :id", id=user_id)  # noqa: S608


def user_by_email(reader: Reader, email: str) -> User | None:
    """One user by e-mail; upper and lower case are the same."""
    return reader.find(
        User,
        f"SELECT {_USER} FROM users WHERE email = :email",  # noqa: S608
        email=email,
    )


def membership(reader: Reader, user_id: int) -> int | None:
    """The organization a user logs in to: the one joined first."""
    found: int | None = reader.value(
        """
        SELECT organization_id
        FROM members
        WHERE user_id = :user_id
        ORDER BY created_at, organization_id
        LIMIT 1
        """,
        user_id=user_id,
    )
    return found


def has_users(reader: Reader) -> bool:
    """Whether anyone can log in yet."""
    return bool(reader.value("SELECT EXISTS (SELECT 1 FROM users)"))


def setup_link_is_open(reader: Reader, secret: str) -> bool:
    """Whether a set-up link still works: unused, recent, and no account was made after it."""
    return bool(
        reader.value(
            """
            SELECT EXISTS (
                SELECT 1
                FROM setup_links s
                WHERE s.token_hash = :hash
                  AND s.used_at IS NULL
                  AND s.created_at > :oldest
                  AND NOT EXISTS (SELECT 1 FROM users u WHERE u.created_at > s.created_at)
            )
            """,
            hash=secret_hash(secret),
            oldest=clock.now_ms() - SETUP_AGE_MS,
        )
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


def tokens(reader: Reader, user_id: int) -> list[Token]:
    """A user's API tokens, the newest first."""
    rows = reader.rows(
        """
        SELECT id, user_id, name, scopes, created_at, used_at
        FROM tokens
        WHERE user_id = :user_id
        ORDER BY created_at DESC, id DESC
        """,
        user_id=user_id,
    )
    return [_token(row) for row in rows]


def _identity(row: tuple[Any, ...]) -> Identity:
    scopes = None if row[7] is None else tuple(row[7].split())
    return Identity(row[0], row[1], row[2], row[3], row[4], row[5], row[6], scopes, row[8], row[9])


def _token(row: tuple[Any, ...]) -> Token:
    return Token(row[0], row[1], row[2], tuple(row[3].split()), row[4], row[5])
