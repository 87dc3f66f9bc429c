"""Reads of second factors, recovery codes, remembered devices and logins half done. No writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.factors.model import Device, Factor, Passkey, Pending
from tracer.accounts.model import secret_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.storage.meta import Reader

_FACTOR = "id, kind, name, secret_id, last_step, created_at, used_at"
_PASSKEY = "id, user_id, name, credential_id, public_key, sign_count"


def factors(reader: Reader, user_id: int) -> list[Factor]:
    """A user's authenticator apps and passkeys, the oldest first."""
    return reader.load(
        Factor,
        f"SELECT {_FACTOR} FROM second_factors WHERE user_id = :user_id ORDER BY id",  # noqa: S608
        user_id=user_id,
    )


def factor(reader: Reader, user_id: int, factor_id: int) -> Factor | None:
    """One of the user's own factors."""
    return reader.find(
        Factor,
        f"SELECT {_FACTOR} FROM second_factors WHERE id = :id AND user_id = :user_id",  # noqa: S608
        id=factor_id,
        user_id=user_id,
    )


def has_factor(reader: Reader, user_id: int) -> bool:
    """Whether the user has an authenticator app or a passkey."""
    return bool(
        reader.value(
            "SELECT EXISTS (SELECT 1 FROM second_factors WHERE user_id = :user_id)",
            user_id=user_id,
        )
    )


def with_factor(reader: Reader, user_ids: Sequence[int]) -> set[int]:
    """Which of some users have an authenticator app or a passkey."""
    return {
        row[0]
        for row in reader.rows(
            """
            SELECT DISTINCT user_id
            FROM second_factors
            WHERE user_id IN (SELECT value FROM json_each(:ids))
            """,
            ids=json.dumps(list(user_ids)),
        )
    }


def has_passkeys(reader: Reader) -> bool:
    """Whether anybody here has a passkey."""
    return bool(reader.value("SELECT EXISTS (SELECT 1 FROM second_factors WHERE kind = 'passkey')"))


def passkeys(reader: Reader, user_id: int) -> list[Passkey]:
    """A user's passkeys, the oldest first."""
    return reader.load(
        Passkey,
        f"""
        SELECT {_PASSKEY}
        FROM second_factors
        WHERE user_id = :user_id AND kind = 'passkey'
        ORDER BY id
        """,  # noqa: S608
        user_id=user_id,
    )


def passkey(reader: Reader, credential_id: bytes, user_id: int | None = None) -> Passkey | None:
    """The passkey of a credential; with `user_id` only if it is that user's."""
    return reader.find(
        Passkey,
        f"""
        SELECT {_PASSKEY}
        FROM second_factors
        WHERE credential_id = :credential_id
          AND kind = 'passkey'
          AND (:user_id IS NULL OR user_id = :user_id)
        """,  # noqa: S608
        credential_id=credential_id,
        user_id=user_id,
    )


def recovery_codes_left(reader: Reader, user_id: int) -> int:
    """How many recovery codes are still good."""
    found: int = reader.value(
        "SELECT count(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL",
        user_id=user_id,
    )
    return found


def devices(reader: Reader, user_id: int) -> list[Device]:
    """A user's remembered devices, the last used first."""
    return reader.load(
        Device,
        """
        SELECT token_hash, address, user_agent, created_at, used_at, expires_at
        FROM remembered_devices
        WHERE user_id = :user_id AND expires_at > :now
        ORDER BY used_at DESC
        LIMIT 100
        """,
        user_id=user_id,
        now=clock.now_ms(),
    )


def remembers(reader: Reader, user_id: int, token: str) -> bool:
    """Whether a device's cookie is a remembered device of this user."""
    return bool(
        reader.value(
            """
            SELECT EXISTS (
                SELECT 1
                FROM remembered_devices
                WHERE token_hash = :hash AND user_id = :user_id AND expires_at > :now
            )
            """,
            hash=secret_hash(token),
            user_id=user_id,
            now=clock.now_ms(),
        )
    )


def pending(reader: Reader, cookie: str) -> Pending | None:
    """The login that waits for a second factor behind this cookie."""
    return reader.find(
        Pending,
        """
        SELECT c.token_hash, c.user_id, u.email, c.next
        FROM login_challenges c
        JOIN users u ON u.id = c.user_id
        WHERE c.token_hash = :hash AND c.expires_at > :now
        """,
        hash=secret_hash(cookie),
        now=clock.now_ms(),
    )
