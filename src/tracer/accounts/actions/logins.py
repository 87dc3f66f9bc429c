"""Writes of logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.model import LOGIN_AGE_MS, LOGIN_IDLE_MS, secret_hash
from tracer.errors import NotFound
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

_AGENT_MAX = 300


def start_login(
    tx: Tx,
    user_id: int,
    organization_id: int,
    *,
    address: str = "",
    user_agent: str = "",
    replaces: str | None = None,
    second_factor: bool = False,
) -> str:
    """A new login's cookie value. The login whose cookie is `replaces` ends (rotation).
    `second_factor`: one was shown, or the device is remembered."""
    if replaces:
        tx.execute("DELETE FROM logins WHERE token_hash = :hash", hash=secret_hash(replaces))
    cookie = clock.new_secret()
    tx.execute(
        """
        INSERT INTO logins (token_hash, user_id, organization_id, csrf, address, user_agent,
            created_at, seen_at, expires_at, confirmed_at, second_factor_at)
        VALUES (:hash, :user_id, :organization_id, :csrf, :address, :user_agent,
            :now, :now, :expires, :now, :second_factor_at)
        """,
        hash=secret_hash(cookie),
        user_id=user_id,
        organization_id=organization_id,
        csrf=clock.new_secret(),
        address=address,
        user_agent=user_agent[:_AGENT_MAX],
        now=tx.now_ms,
        expires=tx.now_ms + LOGIN_AGE_MS,
        second_factor_at=tx.now_ms if second_factor else None,
    )
    tx.execute("UPDATE users SET login_at = :now WHERE id = :id", now=tx.now_ms, id=user_id)
    _record(
        tx,
        "login.start",
        user_id,
        organization_id=organization_id,
        after={"second_factor": second_factor},
    )
    return cookie


def rotate(
    tx: Tx, ref: str, *, confirmed: bool = False, second_factor: bool = False
) -> tuple[str, int]:
    """Gives a login (the stored hash of its cookie) another cookie and CSRF key, as whenever what
    it may do grows: (the new cookie, unix ms when it ends). The old cookie opens nothing from here
    on. `confirmed`: the password or a second factor was just shown.

    Records nothing: what it is done for is the caller's entry. NotFound when the login is over.
    """
    cookie = clock.new_secret()
    changed = tx.execute(
        """
        UPDATE logins
        SET token_hash = :new, csrf = :csrf,
            confirmed_at = CASE WHEN :confirmed THEN :now ELSE confirmed_at END,
            second_factor_at = CASE WHEN :second_factor THEN :now ELSE second_factor_at END
        WHERE token_hash = :ref
        """,
        new=secret_hash(cookie),
        csrf=clock.new_secret(),
        confirmed=confirmed or second_factor,
        second_factor=second_factor,
        now=tx.now_ms,
        ref=ref,
    )
    if not changed:
        raise NotFound("This login has ended.")
    expires_at: int = tx.value(
        "SELECT expires_at FROM logins WHERE token_hash = :hash", hash=secret_hash(cookie)
    )
    return cookie, expires_at


def end_login(tx: Tx, token_hash: str, *, user_id: int | None = None) -> bool:
    """Ends one login, by the hash of its cookie; with `user_id` only if it is that user's."""
    found = tx.row(
        """
        SELECT user_id, organization_id, address, user_agent, created_at
        FROM logins
        WHERE token_hash = :hash AND (:user_id IS NULL OR user_id = :user_id)
        """,
        hash=token_hash,
        user_id=user_id,
    )
    if found is None:
        return False
    tx.execute("DELETE FROM logins WHERE token_hash = :hash", hash=token_hash)
    tx.emit(AccessChanged())
    whose, organization_id, address, device, created_at = found
    before = {"address": address, "device": device, "started_at": created_at}
    _record(tx, "login.end", whose, organization_id=organization_id, before=before)
    return True


def end_other_logins(tx: Tx, user_id: int, keep: str) -> int:
    """Ends all of a user's logins but the one whose cookie hash is `keep` ("" keeps none), and
    those that wait for a second factor. Gives how many."""
    ended = tx.execute(
        "DELETE FROM logins WHERE user_id = :user_id AND token_hash != :keep",
        user_id=user_id,
        keep=keep,
    )
    ended += tx.execute("DELETE FROM login_challenges WHERE user_id = :id", id=user_id)
    if ended:
        tx.emit(AccessChanged())
        _record(
            tx, "login.end_others" if keep else "login.end_all", user_id, before={"logins": ended}
        )
    return ended


def delete_expired_logins(tx: Tx) -> int:
    """Removes logins that can no longer be used. Gives how many."""
    return tx.execute(
        "DELETE FROM logins WHERE expires_at <= :now OR seen_at <= :idle",
        now=tx.now_ms,
        idle=tx.now_ms - LOGIN_IDLE_MS,
    )


def seen(tx: Tx, logins: Mapping[str, int], tokens: Mapping[str, tuple[int, str]]) -> None:
    """Notes when logins and tokens (by `ref`) were last used, unix milliseconds, tokens with the
    address they were used from."""
    tx.many(
        "UPDATE logins SET seen_at = max(seen_at, :at) WHERE token_hash = :hash",
        [{"hash": ref, "at": at} for ref, at in logins.items()],
    )
    tx.many(
        """
        UPDATE tokens
        SET used_at = max(coalesce(used_at, 0), :at), used_address = :address
        WHERE jti = :jti
        """,
        [{"jti": ref, "at": at, "address": address} for ref, (at, address) in tokens.items()],
    )


def _record(tx: Tx, action: str, user_id: int, **what: Any) -> None:
    email = tx.value("SELECT email FROM users WHERE id = :id", id=user_id)
    audit.record(tx, action, "user", user_id, name=email or "", **what)
