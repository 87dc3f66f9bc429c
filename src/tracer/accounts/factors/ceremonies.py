"""What is under way: logins that wait for a second factor, and challenges of passkeys. Writes.

All of it ends by itself after minutes, and a challenge is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.factors import passkeys
from tracer.accounts.factors.model import CEREMONY_AGE_MS, CHALLENGE_AGE_MS, CHALLENGE_TRIES
from tracer.accounts.model import secret_hash

if TYPE_CHECKING:
    from tracer.storage.meta import Tx


def start_pending(tx: Tx, user_id: int, wanted: str, *, replaces: str) -> str:
    """The cookie of a login that waits for a second factor; `wanted` is where it leads to."""
    if replaces:
        end_pending(tx, secret_hash(replaces))
    cookie = clock.new_secret()
    tx.insert(
        """
        INSERT INTO login_challenges (token_hash, user_id, next, created_at, expires_at)
        VALUES (:hash, :user_id, :next, :now, :expires)
        """,
        hash=secret_hash(cookie),
        user_id=user_id,
        next=wanted,
        now=tx.now_ms,
        expires=tx.now_ms + CHALLENGE_AGE_MS,
    )
    return cookie


def count_try(tx: Tx, token_hash: str) -> bool:
    """Counts a try at a second factor; False when they are used up or the time is over."""
    return bool(
        tx.execute(
            """
            UPDATE login_challenges
            SET tries = tries + 1
            WHERE token_hash = :hash AND tries < :most AND expires_at > :now
            """,
            hash=token_hash,
            most=CHALLENGE_TRIES,
            now=tx.now_ms,
        )
    )


def end_pending(tx: Tx, token_hash: str) -> bool:
    """Ends a login half done; False when it was ended already."""
    return bool(
        tx.execute("DELETE FROM login_challenges WHERE token_hash = :hash", hash=token_hash)
    )


def ask_passkey(tx: Tx, purpose: str, ref: str, user_id: int) -> bytes:
    """A new challenge for one purpose of one login, in place of an earlier one."""
    challenge = passkeys.new_challenge()
    tx.execute(
        """
        INSERT OR REPLACE INTO login_challenges
            (token_hash, user_id, challenge, created_at, expires_at)
        VALUES (:hash, :user_id, :challenge, :now, :expires)
        """,
        hash=_key(purpose, ref),
        user_id=user_id,
        challenge=challenge,
        now=tx.now_ms,
        expires=tx.now_ms + CEREMONY_AGE_MS,
    )
    return challenge


def take_challenge(tx: Tx, purpose: str, ref: str, user_id: int) -> bytes | None:
    """The challenge that was asked, used up now whatever the answer is worth; None if there is
    none (any more)."""
    key = _key(purpose, ref)
    found: bytes | None = tx.value(
        """
        SELECT challenge
        FROM login_challenges
        WHERE token_hash = :key AND user_id = :user_id AND expires_at > :now
        """,
        key=key,
        user_id=user_id,
        now=tx.now_ms,
    )
    tx.execute("DELETE FROM login_challenges WHERE token_hash = :key", key=key)
    return found


def _key(purpose: str, ref: str) -> str:
    """Not a bare hash as of a cookie: no cookie leads to it."""
    return f"{purpose}:{ref}"
