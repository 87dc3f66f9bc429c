"""Secrets at rest: encrypted with AES-256-GCM under a master key that is not in the database.

Each secret is a row of `secrets`; whoever needs it keeps the row's id. Its kind and id are
authenticated with it, so that no sealed value can be put in another's place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tracer.errors import Invalid, NotFound

if TYPE_CHECKING:
    from tracer.storage.keyring import Keyring
    from tracer.storage.meta import Reader, Tx

KEY_BYTES = 32
_NONCE_BYTES = 12


def key_id(key: bytes) -> str:
    """What a master key is called beside the secrets that it seals; tells nothing about it."""
    return hashlib.sha256(b"tracer master key" + key).hexdigest()[:12]


class Vault:
    """Seals with the newest master key, opens with any that it was given. Thread-safe."""

    def __init__(
        self, newest: bytes, older: tuple[bytes, ...] = (), *, keyring: Keyring | None = None
    ) -> None:
        """Keys are 32 bytes each. Raises Invalid when one is not.

        `keyring` is where they are kept; only a rotation asks for it.
        """
        self.keyring = keyring
        self.newest = ""
        self._keys: Mapping[str, AESGCM] = {}
        self.use(newest, older)

    def use(self, newest: bytes, older: tuple[bytes, ...] = ()) -> None:
        """Seal with another key from now on; only these open."""
        if any(len(key) != KEY_BYTES for key in (newest, *older)):
            raise Invalid(f"A master key has {KEY_BYTES} bytes.")
        # What `newest` names must be there already when another thread reads it.
        self._keys = {**self._keys, key_id(newest): AESGCM(newest)}
        self.newest = key_id(newest)
        self._keys = {key_id(key): AESGCM(key) for key in (*older, newest)}

    def add_secret(self, tx: Tx, kind: str, plain: bytes) -> int:
        """Store a new secret; its id."""
        secret_id = tx.insert(
            """
            INSERT INTO secrets (kind, sealed, key_id, created_at, sealed_at)
            VALUES (:kind, x'', :key_id, :now, :now)
            """,
            kind=kind,
            key_id="",
            now=tx.now_ms,
        )
        self._seal(tx, secret_id, kind, plain)
        return secret_id

    def replace_secret(self, tx: Tx, secret_id: int, plain: bytes) -> None:
        """Give a stored secret a new value."""
        kind = tx.value("SELECT kind FROM secrets WHERE id = :id", id=secret_id)
        if kind is None:
            raise NotFound("This secret does not exist any more.")
        self._seal(tx, secret_id, kind, plain)

    def open_secret(self, reader: Reader, secret_id: int) -> bytes:
        """The plain value. NotFound when there is none; Invalid when it cannot be decrypted."""
        kind, sealed, key = _row(reader, secret_id)
        if key not in self._keys:
            # A rotation has ended between the two reads: the row is of the new key now.
            kind, sealed, key = _row(reader, secret_id)
        return self._open(secret_id, kind, sealed, key)

    def drop_secret(self, tx: Tx, secret_id: int) -> None:
        """Forget a secret; nothing when it is gone already."""
        tx.execute("DELETE FROM secrets WHERE id = :id", id=secret_id)

    def reseal(self, tx: Tx, *, after: int, limit: int) -> int | None:
        """Seal up to `limit` secrets of older keys with the newest, those of ids past `after`; the
        last id looked at, None at the end. What cannot be opened stays as it is."""
        keys = [key for key in self._keys if key != self.newest]
        marks = msgspec.json.encode(keys).decode()
        rows = tx.rows(
            """
            SELECT id, kind, sealed, key_id
            FROM secrets
            WHERE key_id IN (SELECT value FROM json_each(:keys)) AND id > :after
            ORDER BY id
            LIMIT :limit
            """,
            keys=marks,
            after=after,
            limit=limit,
        )
        for secret_id, kind, sealed, key in rows:
            try:
                plain = self._open(secret_id, kind, sealed, key)
            except Invalid:
                continue
            self._seal(tx, secret_id, kind, plain)
        return rows[-1][0] if rows else None

    def unopenable(self, reader: Reader) -> list[tuple[int, str, str]]:
        """Id, kind and reason of every secret that cannot be decrypted."""
        found = []
        for secret_id, kind, sealed, key in reader.rows(
            "SELECT id, kind, sealed, key_id FROM secrets ORDER BY id"
        ):
            try:
                self._open(secret_id, kind, sealed, key)
            except Invalid as error:
                found.append((secret_id, kind, error.detail))
        return found

    def _open(self, secret_id: int, kind: str, sealed: bytes, key: str) -> bytes:
        cipher = self._keys.get(key)
        if cipher is None:
            raise Invalid(f"Secret {secret_id} is sealed with the master key {key}: it is missing.")
        try:
            return cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _context(secret_id, kind)
            )
        except (InvalidTag, ValueError):
            raise Invalid(f"Secret {secret_id} was changed: it cannot be decrypted.") from None

    def _seal(self, tx: Tx, secret_id: int, kind: str, plain: bytes) -> None:
        nonce, newest = os.urandom(_NONCE_BYTES), self.newest
        sealed = self._keys[newest].encrypt(nonce, plain, _context(secret_id, kind))
        tx.execute(
            """
            UPDATE secrets
            SET sealed = :sealed, key_id = :key_id, sealed_at = :now
            WHERE id = :id
            """,
            sealed=nonce + sealed,
            key_id=newest,
            now=tx.now_ms,
            id=secret_id,
        )


def used_keys(reader: Reader) -> set[str]:
    """The names of the master keys that something is sealed with."""
    return {key for (key,) in reader.rows("SELECT DISTINCT key_id FROM secrets")}


def _row(reader: Reader, secret_id: int) -> tuple[str, bytes, str]:
    row = reader.row("SELECT kind, sealed, key_id FROM secrets WHERE id = :id", id=secret_id)
    if row is None:
        raise NotFound("This secret does not exist any more.")
    return row


def _context(secret_id: int, kind: str) -> bytes:
    return f"{kind}:{secret_id}".encode()
