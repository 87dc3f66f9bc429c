"""Writes of accounts: organizations, users, logins, tokens, set-up links. No HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.model import (
    LOGIN_AGE_MS,
    LOGIN_IDLE_MS,
    NAME_MAX,
    ROLES,
    THEMES,
    TOKEN_PREFIX,
    check_email,
    check_slug,
)
from tracer.accounts.passwords import hash_password
from tracer.accounts.queries import (
    first_organization,
    secret_hash,
    setup_link_is_open,
    user_by_email,
)
from tracer.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

__all__ = [
    "add_member",
    "create_organization",
    "create_setup_link",
    "create_token",
    "create_user",
    "delete_expired_logins",
    "end_login",
    "end_other_logins",
    "hash_password",
    "rename_organization",
    "revoke_token",
    "seen",
    "set_name",
    "set_password",
    "set_theme",
    "set_up",
    "start_login",
]

_AGENT_MAX = 300


def create_organization(tx: Tx, slug: str, name: str) -> int:
    """A new organization's id. Conflict when the slug is taken."""
    check_slug(slug)
    if tx.value("SELECT 1 FROM organizations WHERE slug = :slug", slug=slug):
        raise Conflict(f"There is an organization called {slug} already.")
    return tx.insert(
        "INSERT INTO organizations (slug, name, created_at) VALUES (:slug, :name, :now)",
        slug=slug,
        name=name.strip()[:NAME_MAX] or slug,
        now=tx.now_ms,
    )


def rename_organization(
    tx: Tx, organization_id: int, name: str, *, slug: str | None = None
) -> None:
    """Sets the shown name; the slug too if one is given. Conflict when that is taken."""
    if slug is not None:
        check_slug(slug)
    tx.execute(
        "UPDATE organizations SET name = :name, slug = coalesce(:slug, slug) WHERE id = :id",
        name=name.strip()[:NAME_MAX],
        slug=slug,
        id=organization_id,
    )


def create_user(tx: Tx, email: str, password_hash: str | None, name: str = "") -> int:
    """A new user's id. Takes a finished hash: hashing is slow and must not hold the writer."""
    email = check_email(email)
    if user_by_email(tx, email):
        raise Conflict("There is an account with this e-mail address already.")
    return tx.insert(
        """
        INSERT INTO users (email, name, password_hash, created_at)
        VALUES (:email, :name, :password_hash, :now)
        """,
        email=email,
        name=name.strip()[:NAME_MAX],
        password_hash=password_hash,
        now=tx.now_ms,
    )


def add_member(tx: Tx, organization_id: int, user_id: int, role: str) -> None:
    """Makes a user a member; a member already there gets the role."""
    if role not in ROLES:
        raise Invalid(f"There is no role called {role}.")
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


def create_setup_link(tx: Tx) -> str:
    """The secret of a new set-up link (`/setup/<secret>`); only its hash is stored."""
    secret = clock.new_secret()
    tx.execute(
        "INSERT INTO setup_links (token_hash, created_at) VALUES (:hash, :now)",
        hash=secret_hash(secret),
        now=tx.now_ms,
    )
    return secret


def set_up(
    tx: Tx, secret: str, *, email: str, password_hash: str, name: str, organization: str
) -> tuple[int, int]:
    """Uses a set-up link up: makes the owner. Gives (user id, organization id).
    NotFound when the link does not work (any more); Conflict when the e-mail is taken."""
    if not setup_link_is_open(tx, secret):
        raise NotFound("This set-up link does not work any more.")
    home = first_organization(tx)
    if home is None:
        raise NotFound("There is no organization to set up.")
    tx.execute(
        "UPDATE setup_links SET used_at = :now WHERE token_hash = :hash",
        now=tx.now_ms,
        hash=secret_hash(secret),
    )
    user_id = create_user(tx, email, password_hash, name)
    add_member(tx, home.id, user_id, "owner")
    if organization.strip():
        rename_organization(tx, home.id, organization)
    return user_id, home.id


def start_login(
    tx: Tx,
    user_id: int,
    organization_id: int,
    *,
    address: str = "",
    user_agent: str = "",
    replaces: str | None = None,
) -> str:
    """A new login's cookie value. The login whose cookie is `replaces` ends (rotation)."""
    if replaces:
        end_login(tx, secret_hash(replaces))
    cookie = clock.new_secret()
    tx.execute(
        """
        INSERT INTO logins (token_hash, user_id, organization_id, csrf, address, user_agent,
            created_at, seen_at, expires_at)
        VALUES (:hash, :user_id, :organization_id, :csrf, :address, :user_agent,
            :now, :now, :expires)
        """,
        hash=secret_hash(cookie),
        user_id=user_id,
        organization_id=organization_id,
        csrf=clock.new_secret(),
        address=address,
        user_agent=user_agent[:_AGENT_MAX],
        now=tx.now_ms,
        expires=tx.now_ms + LOGIN_AGE_MS,
    )
    tx.execute("UPDATE users SET login_at = :now WHERE id = :id", now=tx.now_ms, id=user_id)
    return cookie


def end_login(tx: Tx, token_hash: str, *, user_id: int | None = None) -> bool:
    """Ends one login, by the hash of its cookie; with `user_id` only if it is that user's."""
    return bool(
        tx.execute(
            """
            DELETE FROM logins
            WHERE token_hash = :hash AND (:user_id IS NULL OR user_id = :user_id)
            """,
            hash=token_hash,
            user_id=user_id,
        )
    )


def end_other_logins(tx: Tx, user_id: int, keep: str) -> int:
    """Ends all of a user's logins but the one whose cookie hash is `keep`. Gives how many."""
    return tx.execute(
        "DELETE FROM logins WHERE user_id = :user_id AND token_hash != :keep",
        user_id=user_id,
        keep=keep,
    )


def delete_expired_logins(tx: Tx) -> int:
    """Removes logins that can no longer be used. Gives how many."""
    return tx.execute(
        "DELETE FROM logins WHERE expires_at <= :now OR seen_at <= :idle",
        now=tx.now_ms,
        idle=tx.now_ms - LOGIN_IDLE_MS,
    )


def seen(tx: Tx, logins: Mapping[str, int], tokens: Mapping[str, int]) -> None:
    """Notes when logins and tokens (by stored hash) were last used, unix milliseconds."""
    tx.many(
        "UPDATE logins SET seen_at = max(seen_at, :at) WHERE token_hash = :hash",
        [{"hash": ref, "at": at} for ref, at in logins.items()],
    )
    tx.many(
        "UPDATE tokens SET used_at = max(coalesce(used_at, 0), :at) WHERE token_hash = :hash",
        [{"hash": ref, "at": at} for ref, at in tokens.items()],
    )


def create_token(
    tx: Tx, user_id: int, organization_id: int, name: str, scopes: Iterable[str]
) -> str:
    """The plain token, which cannot be had again. What it may do is cut to the owner's role
    whenever it is used."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise Invalid("Choose at least one scope.")
    plain = TOKEN_PREFIX + secrets.token_hex(32)
    tx.insert(
        """
        INSERT INTO tokens (token_hash, user_id, organization_id, name, scopes, created_at)
        VALUES (:hash, :user_id, :organization_id, :name, :scopes, :now)
        """,
        hash=secret_hash(plain),
        user_id=user_id,
        organization_id=organization_id,
        name=name.strip()[:NAME_MAX],
        scopes=" ".join(wanted),
        now=tx.now_ms,
    )
    return plain


def revoke_token(tx: Tx, token_id: int, *, user_id: int) -> bool:
    """Revokes one of the user's own tokens; False when there is no such one."""
    return bool(
        tx.execute(
            "DELETE FROM tokens WHERE id = :id AND user_id = :user_id", id=token_id, user_id=user_id
        )
    )


def set_password(tx: Tx, user_id: int, password_hash: str) -> None:
    """Replaces the password."""
    tx.execute(
        "UPDATE users SET password_hash = :hash WHERE id = :id", hash=password_hash, id=user_id
    )


def set_name(tx: Tx, user_id: int, name: str) -> None:
    """Sets the shown name; blank shows the e-mail address."""
    tx.execute(
        "UPDATE users SET name = :name WHERE id = :id", name=name.strip()[:NAME_MAX], id=user_id
    )


def set_theme(tx: Tx, user_id: int, theme: str) -> None:
    """Sets the colour theme: system, light or dark."""
    if theme not in THEMES:
        raise Invalid(f"There is no theme called {theme}.")
    tx.execute("UPDATE users SET theme = :theme WHERE id = :id", theme=theme, id=user_id)
