"""The keys that sign tokens: made when first needed, rotated, forgotten when they have retired.

The private half is sealed in the vault and destroyed as soon as the key no longer signs.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tracer.accounts.tokens import jwt
from tracer.accounts.tokens.model import DAY_MS, SigningKey, TokensChanged
from tracer.errors import Invalid
from tracer.kit import audit

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

    from tracer.storage.meta import Reader, Tx
    from tracer.storage.vault import Vault

SECRET_KIND = "signing key"  # noqa: S105 - what the vault calls them
_KEY = "SELECT kid, secret_id, public_key, created_at, retires_at FROM signing_keys"


def signing_keys(reader: Reader) -> list[SigningKey]:
    """Every key that still verifies or signs, the newest first."""
    return reader.load(SigningKey, f"{_KEY} ORDER BY retires_at IS NULL DESC, created_at DESC")


def signer(tx: Tx, vault: Vault) -> tuple[str, OKPKey]:
    """The key that signs, by name; made if there is none yet."""
    key = tx.find(SigningKey, f"{_KEY} WHERE retires_at IS NULL ORDER BY created_at DESC LIMIT 1")
    if key is None:
        return _make(tx, vault)
    return key.kid, jwt.load_key(vault.open_secret(tx, key.secret_id))


def rotate(tx: Tx, vault: Vault, overlap_ms: int) -> SigningKey:
    """A new key signs from now on; the others verify for `overlap_ms` more at the most."""
    if overlap_ms < 0:
        raise Invalid("An overlap is not negative.")
    until = tx.now_ms + overlap_ms
    before = [key for key in signing_keys(tx) if key.retires_at is None]
    tx.execute(
        "UPDATE signing_keys SET retires_at = min(coalesce(retires_at, :until), :until)",
        until=until,
    )
    for key in before:
        vault.replace_secret(tx, key.secret_id, b"destroyed")
    kid, _ = _make(tx, vault)
    audit.record(
        tx,
        "signing_key.rotate",
        "signing_key",
        kid,
        name=kid,
        before={"kids": [key.kid for key in before]},
        after={"kid": kid, "retires_at": until},
    )
    return next(key for key in signing_keys(tx) if key.kid == kid)


def rotate_if_old(tx: Tx, vault: Vault, age_ms: int, overlap_ms: int) -> bool:
    """Rotates when the key that signs is older than `age_ms`."""
    made = tx.value("SELECT max(created_at) FROM signing_keys WHERE retires_at IS NULL")
    if made is None or made > tx.now_ms - age_ms:
        return False
    rotate(tx, vault, overlap_ms)
    return True


def forget_retired(tx: Tx, vault: Vault) -> int:
    """Removes keys that retired a day ago or earlier. Gives how many."""
    over = tx.load(SigningKey, f"{_KEY} WHERE retires_at < :then", then=tx.now_ms - DAY_MS)
    for key in over:
        tx.execute("DELETE FROM signing_keys WHERE kid = :kid", kid=key.kid)
        vault.drop_secret(tx, key.secret_id)
        audit.record(tx, "signing_key.forget", "signing_key", key.kid, name=key.kid)
    if over:
        tx.emit(TokensChanged())
    return len(over)


def _make(tx: Tx, vault: Vault) -> tuple[str, OKPKey]:
    key, kid = jwt.new_key(), secrets.token_hex(8)
    tx.execute(
        """
        INSERT INTO signing_keys (kid, secret_id, public_key, created_at)
        VALUES (:kid, :secret_id, :public_key, :now)
        """,
        kid=kid,
        secret_id=vault.add_secret(tx, SECRET_KIND, jwt.private_bytes(key)),
        public_key=jwt.public_text(key),
        now=tx.now_ms,
    )
    audit.record(tx, "signing_key.create", "signing_key", kid, name=kid)
    tx.emit(TokensChanged())
    return kid, key
