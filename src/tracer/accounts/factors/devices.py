"""Remembered devices: browsers that need no second factor for thirty days. Writes, no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.factors.model import DEVICE_AGE_MS
from tracer.accounts.model import secret_hash
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

_AGENT_MAX = 300


def remember(tx: Tx, user_id: int, *, address: str, user_agent: str, replaces: str) -> str:
    """The cookie of a device that is remembered from now on, in place of the one it had."""
    if replaces:
        tx.execute(
            "DELETE FROM remembered_devices WHERE token_hash = :hash", hash=secret_hash(replaces)
        )
    cookie = clock.new_secret()
    tx.insert(
        """
        INSERT INTO remembered_devices
            (token_hash, user_id, address, user_agent, created_at, used_at, expires_at)
        VALUES (:hash, :user_id, :address, :user_agent, :now, :now, :expires)
        """,
        hash=secret_hash(cookie),
        user_id=user_id,
        address=address,
        user_agent=user_agent[:_AGENT_MAX],
        now=tx.now_ms,
        expires=tx.now_ms + DEVICE_AGE_MS,
    )
    audit.record(
        tx, "device.remember", "user", user_id, after={"days": DEVICE_AGE_MS // 86_400_000}
    )
    return cookie


def use(tx: Tx, user_id: int, cookie: str, address: str) -> bool:
    """Notes that a remembered device logs in; False when it is not remembered."""
    return bool(
        tx.execute(
            """
            UPDATE remembered_devices
            SET used_at = :now, address = :address
            WHERE token_hash = :hash AND user_id = :user_id AND expires_at > :now
            """,
            hash=secret_hash(cookie),
            user_id=user_id,
            address=address,
            now=tx.now_ms,
        )
    )


def forget(tx: Tx, user_id: int, token_hash: str) -> bool:
    """Ends one of the user's own remembered devices; False when there is no such one."""
    gone = tx.execute(
        "DELETE FROM remembered_devices WHERE token_hash = :hash AND user_id = :user_id",
        hash=token_hash,
        user_id=user_id,
    )
    if gone:
        audit.record(tx, "device.forget", "user", user_id, before={"devices": gone})
    return bool(gone)


def forget_all(tx: Tx, user_id: int) -> int:
    """Ends all of a user's remembered devices, as after a new password. Gives how many."""
    gone = tx.execute("DELETE FROM remembered_devices WHERE user_id = :user_id", user_id=user_id)
    if gone:
        audit.record(tx, "device.forget", "user", user_id, before={"devices": gone})
    return gone
