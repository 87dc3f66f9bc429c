"""The chain of audit entries: each hash is over an entry and the hash of the one before it.

The newest entry's hash is kept apart (`audit_head`) under a seal whose key is no part of the
database: who can change only the database cannot write the chain anew or cut its end off unseen.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.storage.meta import sealed

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

#: The columns that are hashed, in this order.
HASHED = (
    "at",
    "organization_id",
    "project_id",
    "actor_kind",
    "actor_id",
    "actor",
    "token_id",
    "address",
    "device",
    "action",
    "object_type",
    "object_id",
    "object",
    "before",
    "after",
)

#: What the log says of itself when its end was not as it had been left.
BROKEN = "audit.broken"

_COLUMNS = ", ".join(HASHED)
_MARKS = ", ".join(f":{column}" for column in HASHED)


def chained(previous: bytes, entry: tuple[Any, ...]) -> bytes:
    """The hash of an entry (its HASHED columns) after the one whose hash is `previous`."""
    return hashlib.sha256(previous + msgspec.json.encode(entry)).digest()


def append(tx: Tx, entry: tuple[Any, ...]) -> int:
    """Add an entry (its HASHED columns) at the end; its id.

    Where the end is not as the last entry left it, the log first says so of itself.
    """
    row = tx.row(
        """
        SELECT h.audit_id, h.hash, h.seal, coalesce(a.id, n.audit_id), coalesce(a.hash, n.hash)
        FROM audit_head h
        JOIN audit_anchor n
        LEFT JOIN audit a ON a.id = (SELECT max(id) FROM audit)
        """
    )
    if row is None:
        raise RuntimeError("the audit log has no head or no anchor")
    head_id, head_hash, seal, last_id, last_hash = row
    fits = (head_id, head_hash) == (last_id, last_hash) and hmac.compare_digest(
        seal, sealed(tx.audit_key, head_id, head_hash)
    )
    if not fits:
        last_hash = _insert(tx, last_hash, _doubt(tx, head_id, head_hash, last_id, last_hash))[1]
    audit_id, hash_ = _insert(tx, last_hash, entry)
    tx.execute(
        "UPDATE audit_head SET audit_id = :id, hash = :hash, seal = :seal",
        id=audit_id,
        hash=hash_,
        seal=sealed(tx.audit_key, audit_id, hash_),
    )
    return audit_id


def _insert(tx: Tx, previous: bytes, entry: tuple[Any, ...]) -> tuple[int, bytes]:
    hash_ = chained(previous, entry)
    audit_id = tx.insert(
        f"INSERT INTO audit ({_COLUMNS}, hash) VALUES ({_MARKS}, :hash)",  # noqa: S608
        **dict(zip(HASHED, entry, strict=True)),
        hash=hash_,
    )
    return audit_id, hash_


def _doubt(
    tx: Tx, head_id: int, head_hash: bytes, last_id: int, last_hash: bytes
) -> tuple[Any, ...]:
    expected = {"id": head_id, "hash": head_hash.hex()}
    found = {"id": last_id, "hash": last_hash.hex()}
    values = {
        "at": tx.now_ms,
        "actor_kind": "task",
        "actor": "audit log",
        "address": "",
        "device": "",
        "action": BROKEN,
        "object_type": "audit",
        "object_id": str(head_id),
        "object": "",
        "before": msgspec.json.encode(expected).decode(),
        "after": msgspec.json.encode(found).decode(),
    }
    return tuple(values.get(column) for column in HASHED)
