"""Reads of users and of the set-up link that makes the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.accounts.model import SETUP_AGE_MS, User, secret_hash

if TYPE_CHECKING:
    from tracer.storage.meta import Reader

_USER = "id, email, name, password_hash, theme, created_at, login_at"


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


def password_at(reader: Reader, user_id: int) -> int | None:
    """When the password was last chosen, unix ms; None when never since that is noted."""
    found: int | None = reader.value("SELECT password_at FROM users WHERE id = :id", id=user_id)
    return found


def is_server_admin(reader: Reader, user_id: int) -> bool:
    """Whether a user administers this server."""
    return bool(reader.value("SELECT is_server_admin FROM users WHERE id = :id", id=user_id))


def server_admins(reader: Reader) -> list[str]:
    """The addresses of everybody who administers this server."""
    return [row[0] for row in reader.rows("SELECT email FROM users WHERE is_server_admin")]


def belongs_here_alone(reader: Reader, user_id: int, organization_id: int) -> bool:
    """Whether the account is of concern to this organization only: a member of no other, and no
    administrator of the server."""
    return bool(
        reader.value(
            """
            SELECT NOT u.is_server_admin AND NOT EXISTS (
                SELECT 1 FROM members m
                WHERE m.user_id = u.id AND m.organization_id != :organization_id
            )
            FROM users u
            WHERE u.id = :user_id
            """,
            user_id=user_id,
            organization_id=organization_id,
        )
    )


def password_link_user(reader: Reader, secret: str) -> User | None:
    """Whose password a link replaces; None when it was used, has expired or never was."""
    columns = ", ".join(f"u.{name}" for name in _USER.split(", "))
    return reader.find(
        User,
        f"""
        SELECT {columns}
        FROM account_links l
        JOIN users u ON u.id = l.user_id
        WHERE l.token_hash = :hash AND l.kind = 'password'
          AND l.used_at IS NULL AND l.expires_at > :now
        """,  # noqa: S608
        hash=secret_hash(secret),
        now=clock.now_ms(),
    )


def password_links_since(reader: Reader, user_id: int, since_ms: int) -> int:
    """How many links to replace the password were mailed to a user since then."""
    count: int = reader.value(
        """
        SELECT count(*)
        FROM account_links
        WHERE user_id = :user_id AND kind = 'password' AND created_by IS NULL
          AND created_at > :since
        """,
        user_id=user_id,
        since=since_ms,
    )
    return count


def accounts(reader: Reader) -> list[dict[str, Any]]:
    """Every account of the server, by e-mail, with its organizations and roles."""
    return [
        {
            "email": email,
            "name": name,
            "is_server_admin": bool(is_server_admin),
            "login_at": login_at,
            "organizations": msgspec.json.decode(homes) if homes else {},
        }
        for email, name, is_server_admin, login_at, homes in reader.rows(
            """
            SELECT u.email, u.name, u.is_server_admin, u.login_at,
                (
                    SELECT json_group_object(o.slug, m.role)
                    FROM members m
                    JOIN organizations o ON o.id = m.organization_id
                    WHERE m.user_id = u.id
                )
            FROM users u
            ORDER BY u.email
            """
        )
    ]
