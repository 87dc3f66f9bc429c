"""Writes of passwords: choosing another, and the links with which a lost one is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import notices
from tracer.accounts.actions.logins import end_other_logins
from tracer.accounts.factors import devices
from tracer.accounts.model import secret_hash
from tracer.accounts.queries import password_link_user
from tracer.errors import NotFound
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.accounts.model import User
    from tracer.storage.meta import Tx


def set_password(tx: Tx, user_id: int, password_hash: str) -> None:
    """Replaces the password; links that were made to replace it work no more, and no device is
    remembered any more. Logins are the caller's matter."""
    _store(tx, user_id, password_hash)
    audit.record(tx, "password.change", "user", user_id, name=_email(tx, user_id))
    notices.tell(tx, user_id, notices.PASSWORD_CHANGED)


def renew_hash(tx: Tx, user_id: int, password_hash: str) -> None:
    """Stores the same password under today's costs of hashing."""
    tx.execute(
        "UPDATE users SET password_hash = :hash WHERE id = :id", hash=password_hash, id=user_id
    )


def create_password_link(
    tx: Tx, user: User, *, age_ms: int, created_by: int | None = None, by: str = "mail"
) -> str:
    """The secret of a link with which the user chooses a new password, once; its hash is stored.
    `by` says in the audit log which way it goes out: mail, page or cli."""
    secret = clock.new_secret()
    tx.execute(
        """
        INSERT INTO account_links (token_hash, kind, user_id, created_by, created_at, expires_at)
        VALUES (:hash, 'password', :user_id, :created_by, :now, :expires)
        """,
        hash=secret_hash(secret),
        user_id=user.id,
        created_by=created_by,
        now=tx.now_ms,
        expires=tx.now_ms + age_ms,
    )
    audit.record(
        tx,
        "password.reset_link",
        "user",
        user.id,
        name=user.email,
        after={"by": by, "expires_at": tx.now_ms + age_ms},
    )
    if by != "mail":
        notices.tell(tx, user.id, notices.PASSWORD_LINK)
    return secret


def reset_password(tx: Tx, secret: str, password_hash: str) -> User:
    """Uses a link up: the new password, and the end of all logins. NotFound when the link does not
    work (any more)."""
    user = password_link_user(tx, secret)
    if user is None:
        raise NotFound("This link does not work any more.")
    _store(tx, user.id, password_hash)
    audit.record(tx, "password.reset", "user", user.id, name=user.email)
    notices.tell(tx, user.id, notices.PASSWORD_RESET)
    end_other_logins(tx, user.id, keep="")
    return user


def delete_old_links(tx: Tx, *, kept_ms: int = 7 * 86_400_000) -> int:
    """Removes links that have been used up or expired for a while. Gives how many."""
    return tx.execute(
        "DELETE FROM account_links WHERE expires_at <= :old OR used_at <= :old",
        old=tx.now_ms - kept_ms,
    )


def _store(tx: Tx, user_id: int, password_hash: str) -> None:
    tx.execute(
        "UPDATE users SET password_hash = :hash, password_at = :now WHERE id = :id",
        hash=password_hash,
        now=tx.now_ms,
        id=user_id,
    )
    tx.execute(
        """
        UPDATE account_links
        SET used_at = :now
        WHERE user_id = :user_id AND kind = 'password' AND used_at IS NULL
        """,
        now=tx.now_ms,
        user_id=user_id,
    )
    devices.forget_all(tx, user_id)


def _email(tx: Tx, user_id: int) -> str:
    return tx.value("SELECT email FROM users WHERE id = :id", id=user_id) or ""
