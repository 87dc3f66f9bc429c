"""Writes of second factors: adding, using, removing them. A secret is in no audit entry. No HTTP.

What uses a factor up does so in the caller's transaction, of which there is one at a time: a code
counts once, however many requests bring it at the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import notices
from tracer.accounts.factors import devices, passkeys, queries, recovery, totp
from tracer.accounts.factors.model import (
    FACTORS_MAX,
    PASSKEY,
    SECRET_KIND,
    TOTP,
    Factor,
)
from tracer.errors import Conflict, NotFound
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from tracer.storage.meta import Tx
    from tracer.storage.vault import Vault

_NAMES = {TOTP: "Authenticator app", PASSKEY: "Passkey"}


def add_totp(tx: Tx, vault: Vault, user_id: int, seed: str, name: str, *, step: int) -> Factor:
    """A new authenticator app whose code of time step `step` was just shown. Conflict when its seed
    was added before: each of its codes would count twice."""
    _check_room(tx, user_id)
    for factor in queries.factors(tx, user_id):
        if factor.secret_id and vault.open_secret(tx, factor.secret_id) == seed.encode():
            raise Conflict("This authenticator app was added already.")
    secret_id = vault.add_secret(tx, SECRET_KIND, seed.encode())
    return _add(tx, user_id, TOTP, name, secret_id=secret_id, last_step=step)


def add_passkey(tx: Tx, user_id: int, key: passkeys.NewKey, name: str) -> Factor:
    """A new passkey. Conflict when it was added before, by anybody."""
    _check_room(tx, user_id)
    if queries.passkey(tx, key.credential_id) is not None:
        raise Conflict("This passkey was added already.")
    return _add(
        tx,
        user_id,
        PASSKEY,
        name,
        credential_id=key.credential_id,
        public_key=key.public_key,
        sign_count=key.sign_count,
    )


def rename_factor(tx: Tx, user_id: int, factor_id: int, name: str) -> None:
    """Gives one of the user's own factors another name; blank gives the usual one."""
    found = _own(tx, user_id, factor_id)
    named = name or _NAMES[found.kind]
    tx.execute("UPDATE second_factors SET name = :name WHERE id = :id", name=named, id=found.id)
    audit.record(
        tx,
        "factor.rename",
        "user",
        user_id,
        before={"factor": found.id, "name": found.name},
        after={"factor": found.id, "name": named},
    )


def remove_factor(tx: Tx, vault: Vault, user_id: int, factor_id: int) -> Factor:
    """Removes one of the user's own factors, and every remembered device. With the last one go the
    recovery codes, and no login counts as one with a second factor any more."""
    found = _own(tx, user_id, factor_id)
    _delete(tx, vault, found)
    devices.forget_all(tx, user_id)
    is_last = not queries.has_factor(tx, user_id)
    if is_last:
        _end_of_factors(tx, user_id)
    audit.record(
        tx,
        "factor.remove",
        "user",
        user_id,
        before={"factor": found.id, "kind": found.kind, "name": found.name},
        after={"is_last": is_last},
    )
    notices.tell(tx, user_id, notices.FACTOR_REMOVED)
    tx.emit(AccessChanged())
    return found


def reset_factors(tx: Tx, vault: Vault, user_id: int) -> int:
    """Removes all of a user's factors, recovery codes and remembered devices and ends every login:
    the way back in for who lost them all. Gives how many factors there were."""
    found = queries.factors(tx, user_id)
    for factor in found:
        _delete(tx, vault, factor)
    devices.forget_all(tx, user_id)
    _end_of_factors(tx, user_id)
    tx.execute("DELETE FROM login_challenges WHERE user_id = :id", id=user_id)
    logins = tx.execute("DELETE FROM logins WHERE user_id = :id", id=user_id)
    audit.record(
        tx,
        "factor.reset",
        "user",
        user_id,
        before={"factors": [factor.kind for factor in found], "logins": logins},
    )
    notices.tell(tx, user_id, notices.FACTORS_RESET)
    tx.emit(AccessChanged())
    return len(found)


def renew_recovery_codes(tx: Tx, user_id: int, *, are_first: bool = False) -> list[str]:
    """New recovery codes, to be shown once; the earlier ones end. `are_first`: they come with the
    first factor, which is told already."""
    codes = recovery.new_codes()
    tx.execute("DELETE FROM recovery_codes WHERE user_id = :id", id=user_id)
    tx.many(
        "INSERT INTO recovery_codes (user_id, code_hash, created_at) VALUES (:id, :hash, :now)",
        [
            {"id": user_id, "hash": recovery.code_hash(user_id, code), "now": tx.now_ms}
            for code in codes
        ],
    )
    audit.record(tx, "recovery_codes.renew", "user", user_id, after={"codes": len(codes)})
    if not are_first:
        notices.tell(tx, user_id, notices.CODES_RENEWED)
    return codes


def use_code(tx: Tx, vault: Vault, user_id: int, code: str) -> bool:
    """Whether it is a code of one of the user's authenticator apps that was not used before; it is
    used now."""
    typed = totp.clean(code)
    now_s = tx.now_ms / 1000
    for factor in queries.factors(tx, user_id):
        if factor.secret_id is None:
            continue
        seed = vault.open_secret(tx, factor.secret_id).decode()
        step = totp.step_of(seed, typed, now_s, after=factor.last_step)
        if step is None:
            continue
        used = tx.execute(
            """
            UPDATE second_factors
            SET last_step = :step, used_at = :now
            WHERE id = :id AND last_step < :step
            """,
            step=step,
            now=tx.now_ms,
            id=factor.id,
        )
        if used:
            return True
    return False


def use_recovery_code(tx: Tx, user_id: int, code: str) -> bool:
    """Whether it is one of the user's recovery codes that was not used before; it is used now."""
    used = tx.execute(
        """
        UPDATE recovery_codes
        SET used_at = :now
        WHERE user_id = :user_id AND code_hash = :hash AND used_at IS NULL
        """,
        now=tx.now_ms,
        user_id=user_id,
        hash=recovery.code_hash(user_id, code),
    )
    if used:
        left = queries.recovery_codes_left(tx, user_id)
        audit.record(tx, "recovery_codes.use", "user", user_id, after={"left": left})
        notices.tell(tx, user_id, notices.CODE_USED)
    return bool(used)


def use_passkey(
    tx: Tx,
    site: passkeys.Site,
    challenge: bytes,
    answer: str,
    user_id: int | None,
    *,
    alone: bool = False,
) -> int | None:
    """The id of the user whose passkey gave this answer, `user_id`'s if one is named; else None.

    Raises Invalid when the answer is not a genuine one (see `passkeys.check_answer`).
    """
    key = queries.passkey(tx, passkeys.credential_of(answer), user_id)
    if key is None:
        return None
    count = passkeys.check_answer(site, challenge, answer, key, alone=alone)
    tx.execute(
        "UPDATE second_factors SET sign_count = :count, used_at = :now WHERE id = :id",
        count=count,
        now=tx.now_ms,
        id=key.id,
    )
    return key.user_id


def delete_expired(tx: Tx) -> int:
    """Removes what can no longer be used: logins half done, remembered devices, seeds whose user
    is gone. Gives how many."""
    now = tx.now_ms
    return (
        tx.execute("DELETE FROM login_challenges WHERE expires_at <= :now", now=now)
        + tx.execute("DELETE FROM remembered_devices WHERE expires_at <= :now", now=now)
        + tx.execute(
            """
            DELETE FROM secrets
            WHERE kind = :kind
              AND id NOT IN (
                SELECT secret_id FROM second_factors WHERE secret_id IS NOT NULL
              )
            """,
            kind=SECRET_KIND,
        )
    )


def _add(
    tx: Tx,
    user_id: int,
    kind: str,
    name: str,
    *,
    secret_id: int | None = None,
    credential_id: bytes | None = None,
    public_key: bytes | None = None,
    sign_count: int = 0,
    last_step: int = 0,
) -> Factor:
    factor = Factor(
        id=tx.insert(
            """
            INSERT INTO second_factors (user_id, kind, name, secret_id, credential_id, public_key,
                sign_count, last_step, created_at)
            VALUES (:user_id, :kind, :name, :secret_id, :credential_id, :public_key,
                :sign_count, :last_step, :now)
            """,
            user_id=user_id,
            kind=kind,
            name=name or _NAMES[kind],
            secret_id=secret_id,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            last_step=last_step,
            now=tx.now_ms,
        ),
        kind=kind,
        name=name or _NAMES[kind],
        secret_id=secret_id,
        last_step=last_step,
        created_at=tx.now_ms,
        used_at=None,
    )
    audit.record(
        tx,
        "factor.add",
        "user",
        user_id,
        after={"factor": factor.id, "kind": kind, "name": factor.name},
    )
    notices.tell(tx, user_id, notices.FACTOR_ADDED)
    return factor


def _own(tx: Tx, user_id: int, factor_id: int) -> Factor:
    found = queries.factor(tx, user_id, factor_id)
    if found is None:
        raise NotFound("There is no such second factor.")
    return found


def _check_room(tx: Tx, user_id: int) -> None:
    if len(queries.factors(tx, user_id)) >= FACTORS_MAX:
        raise Conflict(f"There are {FACTORS_MAX} second factors already. Remove one first.")


def _delete(tx: Tx, vault: Vault, factor: Factor) -> None:
    tx.execute("DELETE FROM second_factors WHERE id = :id", id=factor.id)
    if factor.secret_id is not None:
        vault.drop_secret(tx, factor.secret_id)


def _end_of_factors(tx: Tx, user_id: int) -> None:
    tx.execute("DELETE FROM recovery_codes WHERE user_id = :id", id=user_id)
    tx.execute("UPDATE logins SET second_factor_at = NULL WHERE user_id = :id", id=user_id)
