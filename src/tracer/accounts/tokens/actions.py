"""Writes of tokens: making, revoking, rotating. Each is recorded, without the token's text."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.model import NAME_MAX, one_line
from tracer.accounts.tokens import jwt, keys, queries
from tracer.accounts.tokens.model import (
    DAY_MS,
    ORGANIZATION,
    PERSONAL,
    PROJECTS_MAX,
    TOKENS_MAX,
    Made,
    NewToken,
    Token,
    TokensChanged,
    check_scopes,
)
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from tracer.storage.meta import Tx
    from tracer.storage.vault import Vault

#: Rows of tokens that ended so long ago are removed; the audit log keeps what was done.
KEPT_MS = 180 * DAY_MS


def create_token(tx: Tx, vault: Vault, new: NewToken) -> Made:
    """Signs and lists a token. Scopes beyond what its owner may do are cut at every request."""
    _check(tx, new)
    kid, key = keys.signer(tx, vault)
    jti = clock.new_id()
    expires_at = None if new.lives_ms is None else tx.now_ms + new.lives_ms
    owner = new.user_id if new.kind == PERSONAL else new.organization_id
    now_s = tx.now_ms // 1000
    claims = jwt.Claims(
        iss=jwt.ISSUER,
        sub=f"{'user' if new.kind == PERSONAL else 'organization'}:{owner}",
        jti=jti,
        org=new.organization_id,
        scopes=new.scopes,
        iat=now_s,
        nbf=now_s,
        exp=None if expires_at is None else expires_at // 1000,
        projects=new.project_ids,
    )
    token_id = tx.insert(
        """
        INSERT INTO tokens (jti, kid, kind, user_id, organization_id, name, scopes, project_ids,
            created_at, expires_at)
        VALUES (:jti, :kid, :kind, :user_id, :organization_id, :name, :scopes, :project_ids,
            :now, :expires_at)
        """,
        jti=jti,
        kid=kid,
        kind=new.kind,
        user_id=new.user_id,
        organization_id=new.organization_id,
        name=one_line(new.name)[:NAME_MAX],
        scopes=" ".join(new.scopes),
        project_ids=None if new.project_ids is None else json.dumps(new.project_ids),
        now=tx.now_ms,
        expires_at=expires_at,
    )
    token = _load(tx, token_id)
    _record(tx, "token.create", token, after=_shown(token))
    return Made(token, jwt.sign(claims, kid, key))


def revoke_token(tx: Tx, token: Token) -> None:
    """Refuses a token from now on; nothing when it was revoked before."""
    if token.revoked_at is not None:
        return
    tx.execute(
        "UPDATE tokens SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        now=tx.now_ms,
        id=token.id,
    )
    _record(tx, "token.revoke", token, before=_shown(token))
    tx.emit(TokensChanged())
    tx.emit(AccessChanged())


def rename_token(tx: Tx, token: Token, name: str) -> Token:
    """Gives a token another name."""
    tx.execute(
        "UPDATE tokens SET name = :name WHERE id = :id",
        name=one_line(name)[:NAME_MAX],
        id=token.id,
    )
    after = _load(tx, token.id)
    _record(tx, "token.update", after, before={"name": token.name}, after={"name": after.name})
    return after


def rotate_token(
    tx: Tx, vault: Vault, token: Token, overlap_s: int, allowed: Collection[str] | None
) -> Made:
    """A new token like an old one, which goes on working for `overlap_s` seconds. It has those of
    its scopes that are `allowed` (None: all) to who rotates it."""
    if not token.works(tx.now_ms) or token.replaced_by is not None:
        raise Conflict("Only a token that works and was not rotated before can be rotated.")
    scopes = tuple(s for s in token.scopes if allowed is None or s in allowed)
    if not scopes:
        raise Invalid("None of its scopes is yours to give any more.")
    lives_ms = None if token.expires_at is None else token.expires_at - token.created_at
    made = create_token(
        tx,
        vault,
        NewToken(
            token.kind,
            token.user_id,
            token.organization_id,
            token.name,
            scopes,
            token.project_ids,
            lives_ms,
        ),
    )
    until = tx.now_ms + max(0, overlap_s) * 1000
    tx.execute(
        "UPDATE tokens SET ends_at = :until, replaced_by = :new WHERE id = :id",
        until=until if token.expires_at is None else min(until, token.expires_at),
        new=made.token.id,
        id=token.id,
    )
    _record(tx, "token.rotate", token, after={"replaced_by": made.token.id, "ends_at": until})
    tx.emit(TokensChanged())
    return made


def forget_ended(tx: Tx) -> int:
    """Removes the rows of tokens that ended long ago. Gives how many."""
    return tx.execute(
        """
        DELETE FROM tokens
        WHERE expires_at < :then OR ends_at < :then OR revoked_at < :then
        """,
        then=tx.now_ms - KEPT_MS,
    )


def _check(tx: Tx, new: NewToken) -> None:
    check_scopes(new.scopes)
    if new.kind not in (PERSONAL, ORGANIZATION) or (new.kind == PERSONAL and new.user_id is None):
        raise Invalid("A token belongs to a user or an organization.")
    if new.project_ids is not None and not new.project_ids:
        raise Invalid("Choose at least one project, or none for all of them.")
    if new.project_ids is not None and len(new.project_ids) > PROJECTS_MAX:
        raise Invalid(f"A token names at most {PROJECTS_MAX} projects, or none for all of them.")
    count = tx.value(
        """
        SELECT count(*)
        FROM tokens
        WHERE organization_id = :organization_id AND kind = :kind AND revoked_at IS NULL
          AND (kind = 'organization' OR user_id = :user_id)
          AND (expires_at IS NULL OR expires_at > :now) AND (ends_at IS NULL OR ends_at > :now)
        """,
        organization_id=new.organization_id,
        kind=new.kind,
        user_id=new.user_id,
        now=tx.now_ms,
    )
    if count >= TOKENS_MAX:
        raise Conflict(f"There are {TOKENS_MAX} tokens already. Revoke some that are not used.")


def _shown(token: Token) -> dict[str, object]:
    return {
        "kind": token.kind,
        "scopes": list(token.scopes),
        "project_ids": None if token.project_ids is None else list(token.project_ids),
        "expires_at": token.expires_at,
    }


def _record(
    tx: Tx,
    action: str,
    token: Token,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(
        tx,
        action,
        "token",
        token.id,
        name=token.name,
        organization_id=token.organization_id,
        before=before,
        after=after,
    )


def _load(tx: Tx, token_id: int) -> Token:
    found = queries.token_by_id(tx, token_id)
    if found is None:
        raise NotFound("There is no such token.")
    return found
