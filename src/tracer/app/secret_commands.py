"""`tracer secrets`: which key encrypts what, sealing all with a new one, giving up what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.accounts.factors import actions as factors
from tracer.accounts.tokens import keys as signing
from tracer.app import secret_findings
from tracer.channels import mail_server
from tracer.errors import Conflict, Invalid
from tracer.kit import audit
from tracer.storage.vault import key_id

if TYPE_CHECKING:
    from tracer.storage.keyring import Keyring
    from tracer.storage.meta import Meta, Reader, Tx
    from tracer.storage.vault import Vault

BATCH = 200
#: Tokens of a signing key whose private half is lost hold until they would have been renewed.
OVERLAP_MS = 370 * 24 * 3600 * 1000


def rotate(meta: Meta, vault: Vault) -> dict[str, Any]:
    """Seal every secret with a new master key, while others read and write.

    The key is on disk before it seals anything, and old ones stay until nothing uses them: a crash
    at any moment leaves secrets that open, and running this again finishes what was begun. Where
    the key cannot be written (the environment, a read-only file), the first one given is the new
    one. Conflict or Invalid when there is none.
    """
    ring = _ring(vault)
    try:
        ring.add_key()
    except (Conflict, Invalid):
        if not _sealed_otherwise(meta.read(), vault):
            raise
    newest, *older = ring.keys
    vault.use(newest, tuple(older))
    with meta.write() as tx:
        audit.record(tx, "secrets.rotate", "master_key", key_id(newest))
    after = 0
    while True:
        with meta.write(unaudited="sealing again; the rotation is recorded") as tx:
            last = vault.reseal(tx, after=after, limit=BATCH)
            if last is None:
                unopenable = _sealed_otherwise(tx, vault)
                break
            after = last
    left: list[str] = []
    if not unopenable:
        left = ring.drop_older()
        vault.use(newest, ring.keys[1:])
    total = meta.read().value("SELECT count(*) FROM secrets")
    return {"key": key_id(newest), "secrets": total, "unopenable": unopenable, "old_keys_in": left}


def status(meta: Meta, vault: Vault) -> dict[str, Any]:
    """Keys, kinds of secrets, and findings: what is old, and what looks leaked or weak."""
    reader, ring = meta.read(), _ring(vault)
    counts = dict(reader.rows("SELECT key_id, count(*) FROM secrets GROUP BY key_id"))
    keys = [
        {
            "id": key_id(key),
            "place": kept.place,
            "path": "" if kept.path is None else str(kept.path),
            "seals": key_id(key) == vault.newest,
            "secrets": counts.get(key_id(key), 0),
        }
        for kept in ring.places
        for key in kept.keys
    ]
    kinds = [
        {"kind": kind, "count": count, "old": old, "oldest_ms": oldest}
        for kind, count, old, oldest in reader.rows(
            """
            SELECT kind, count(*), count(*) FILTER (WHERE key_id <> :newest), min(sealed_at)
            FROM secrets
            GROUP BY kind
            ORDER BY kind
            """,
            newest=vault.newest,
        )
    ]
    found = secret_findings.findings(reader, vault, ring, meta.path.parent)
    return {"keys": keys, "kinds": kinds, "findings": [{"level": a, "text": b} for a, b in found]}


def forget_lost(meta: Meta, vault: Vault, *, yes: bool = False) -> dict[str, Any]:
    """Give up what no key here opens: mail passwords and waiting mails go, authenticator apps have
    to be added again, a new key signs tokens while those of the old one hold.

    Conflict names what would be lost, unless `yes`.
    """
    lost = vault.unopenable(meta.read())
    kinds = sorted({kind for _, kind, _ in lost})
    counts = {kind: sum(1 for _, other, _ in lost if other == kind) for kind in kinds}
    if lost and not yes:
        named = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
        raise Conflict(
            f"No key here opens {secret_findings.counted(len(lost))} ({named}). If the key is lost "
            "for good, repeat with --yes: they are forgotten."
        )
    ring = _ring(vault)
    ring.make()
    vault.use(ring.keys[0], ring.keys[1:])
    if lost:
        with meta.write() as tx:
            audit.record(tx, "secrets.forget_lost", "master_key", vault.newest, before=counts)
            _forget(tx, vault, [secret_id for secret_id, _, _ in lost])
    return {"forgotten": counts, "key": vault.newest}


def _forget(tx: Tx, vault: Vault, lost: list[int]) -> None:
    server = mail_server.mail_server(tx)
    if server is not None and server.secret_id in lost:
        mail_server.forget_password(tx, vault)
    for secret_id in lost:
        owner = tx.row("SELECT user_id, id FROM second_factors WHERE secret_id = :id", id=secret_id)
        if owner is not None:
            factors.remove_factor(tx, vault, owner[0], owner[1])
    for key in signing.signing_keys(tx):
        if key.secret_id in lost and key.retires_at is None:
            signing.rotate(tx, vault, OVERLAP_MS)
    for secret_id in lost:
        if tx.value("SELECT 1 FROM signing_keys WHERE secret_id = :id", id=secret_id):
            vault.replace_secret(tx, secret_id, b"destroyed")
        else:
            vault.drop_secret(tx, secret_id)


def _ring(vault: Vault) -> Keyring:
    if vault.keyring is None:
        raise Conflict("This vault's keys are kept nowhere.")
    return vault.keyring


def _sealed_otherwise(reader: Reader, vault: Vault) -> int:
    count: int = reader.value(
        "SELECT count(*) FROM secrets WHERE key_id <> :newest", newest=vault.newest
    )
    return count
