"""Tokens and signing keys from the command line: by the running server or on its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts import queries as account_queries
from tracer.accounts.tokens import actions, keys, queries
from tracer.accounts.tokens.model import (
    DAY_MS,
    DEFAULT_LIFETIME,
    ORGANIZATION,
    PERSONAL,
    NewToken,
    Token,
    check_scopes,
    lifetime_ms,
)
from tracer.errors import Conflict, Forbidden, Invalid, NotFound
from tracer.kit.access import reach_of_all
from tracer.projects import queries as project_queries

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader, Tx
    from tracer.storage.vault import Vault


def create(
    meta: Meta,
    vault: Vault,
    *,
    scopes: Sequence[str],
    email: str = "",
    org: str = "",
    name: str = "",
    projects: Sequence[str] = (),
    lifetime: str = DEFAULT_LIFETIME,
) -> dict[str, Any]:
    """A new token of a user (`email`) or of an organization (`org` alone). NotFound without it."""
    with meta.write() as tx:
        user_id, organization_id = _owner(tx, email, org)
        kind = PERSONAL if email else ORGANIZATION
        new = NewToken(
            kind,
            user_id,
            organization_id,
            name,
            _scopes(tx, scopes, kind, organization_id, user_id),
            _project_ids(tx, organization_id, projects),
            lifetime_ms(lifetime),
        )
        made = actions.create_token(tx, vault, new)
        return {"token": made.text, "id": made.token.id}


def revoke(meta: Meta, *, token_id: int) -> dict[str, Any]:
    """Refuses a token from now on."""
    with meta.write() as tx:
        token = _token(tx, token_id)
        if token.revoked_at is not None:
            raise Conflict("The token was revoked before.")
        actions.revoke_token(tx, token)
    return {"id": token_id}


def rotate(meta: Meta, vault: Vault, *, token_id: int, overlap_s: int) -> dict[str, Any]:
    """A new token in place of one, which goes on working for the overlap. It has those of its
    scopes that its owner may have now."""
    with meta.write() as tx:
        old = _token(tx, token_id)
        _, allowed = queries.scopes_of_owner(tx, old.kind, old.organization_id, old.user_id)
        made = actions.rotate_token(tx, vault, old, overlap_s, allowed)
    return {"token": made.text, "id": made.token.id}


def listing(meta: Meta, *, email: str = "", org: str = "") -> dict[str, Any]:
    """The tokens of a user or an organization, without their texts."""
    reader = meta.read()
    user_id, organization_id = _owner(reader, email, org)
    if user_id is None:
        found = queries.organization_tokens(reader, organization_id)
    else:
        found = queries.personal_tokens(reader, user_id, organization_id)
    now_ms = clock.now_ms()
    return {
        "tokens": [
            {**asdict(token), "works": token.works(now_ms), "is_cut_short": token.is_cut_short}
            for token in found
        ]
    }


def rotate_key(meta: Meta, vault: Vault, *, overlap_s: int) -> dict[str, Any]:
    """A new signing key; tokens signed before go on working for the overlap."""
    with meta.write() as tx:
        key = keys.rotate(tx, vault, overlap_s * 1000)
    return {"kid": key.kid, **key_listing(meta)}


def key_listing(meta: Meta) -> dict[str, Any]:
    """The signing keys, the one that signs first."""
    reader = meta.read()
    counts = dict(
        reader.rows("SELECT kid, count(*) FROM tokens WHERE revoked_at IS NULL GROUP BY kid")
    )
    return {
        "keys": [
            {
                "kid": key.kid,
                "created_at": key.created_at,
                "retires_at": key.retires_at,
                "age_days": (clock.now_ms() - key.created_at) // DAY_MS,
                "tokens": counts.get(key.kid, 0),
            }
            for key in keys.signing_keys(reader)
        ]
    }


def _owner(reader: Reader, email: str, org: str) -> tuple[int | None, int]:
    """(user id or None, organization id)."""
    organization_id = None
    if org:
        organization_id = reader.value("SELECT id FROM organizations WHERE slug = :slug", slug=org)
        if organization_id is None:
            raise NotFound(f"There is no organization called {org}.")
    if not email:
        if organization_id is None:
            raise Invalid("Name an account (--email) or an organization (--org).")
        return None, organization_id
    user = account_queries.user_by_email(reader, email.strip())
    home = None
    if user is not None:
        home = organization_id or account_queries.membership(reader, user.id)
    if user is None or home is None:
        raise NotFound(f"There is no account with the e-mail address {email}.")
    if not any(member.user_id == user.id for member in account_queries.members(reader, home)):
        raise NotFound(f"{email} is not a member of {org}.")
    return user.id, home


def _scopes(
    reader: Reader, wanted: Sequence[str], kind: str, organization_id: int, user_id: int | None
) -> tuple[str, ...]:
    """The wanted scopes; Forbidden when one is more than the owner may do."""
    scopes = check_scopes(wanted)
    role, allowed = queries.scopes_of_owner(reader, kind, organization_id, user_id)
    beyond = [scope for scope in scopes if scope not in allowed]
    if beyond:
        whose = f"of a member with the role {role}" if kind == PERSONAL else "of an organization"
        raise Forbidden(
            f"A token {whose} cannot have {', '.join(beyond)}. It can have: "
            + " ".join(sorted(allowed))
        )
    return scopes


def _project_ids(
    reader: Reader, organization_id: int, slugs: Sequence[str]
) -> tuple[int, ...] | None:
    if not slugs:
        return None
    found = project_queries.projects(reader, reach_of_all(reader, organization_id))
    known = {project.slug: project.id for project in found}
    for slug in slugs:
        if slug not in known:
            raise NotFound(f"There is no project called {slug}.")
    return tuple(sorted({known[slug] for slug in slugs}))


def _token(tx: Tx, token_id: int) -> Token:
    token = queries.token_by_id(tx, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    return token
