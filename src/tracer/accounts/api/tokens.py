"""Tokens in the API, as Sentry shapes them. By login only: no token may make or end another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tracer import clock
from tracer.accounts import queries as account_queries
from tracer.accounts.model import NAME_MAX, Organization
from tracer.accounts.pages.token_forms import allowed_scopes
from tracer.accounts.tokens import actions, queries
from tracer.accounts.tokens.model import (
    ORGANIZATION,
    OVERLAPS_S,
    PERSONAL,
    NewToken,
    Token,
    check_scopes,
    lifetime_ms,
)
from tracer.errors import Forbidden, Invalid, NotFound
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes

routes = Routes()

_PERSONAL = "/api/0/api-tokens/"
_ORGANIZATION = "/api/0/organizations/{organization_slug}/org-auth-tokens/"
_BY_LOGIN = "By login only: a token cannot use this."

Name = Annotated[str, msgspec.Meta(max_length=NAME_MAX)]


class TokenInfo(msgspec.Struct, rename="camel"):
    """A token as lists show it. `projects` is null without a restriction."""

    id: str
    name: str
    scopes: list[str]
    projects: list[str] | None
    date_created: datetime
    expires_at: datetime | None
    ends_at: datetime | None
    date_last_used: datetime | None
    last_used_address: str
    is_active: bool
    signing_key_retires_at: datetime | None
    created_by: str


class TokenMade(TokenInfo, rename="camel"):
    """A new token with its text, which is not shown again."""

    token: str


class TokenCreate(msgspec.Struct, kw_only=True):
    """A new token. `projects` are ids; without them it is for every project in reach."""

    scopes: list[str]
    name: Name = ""
    projects: list[int] | None = None
    lifetime: Literal["30d", "90d", "365d", "never"] = "365d"


class OrganizationTokenCreate(TokenCreate, kw_only=True):
    """A new token of the organization: what a build needs, unless said otherwise."""

    scopes: list[str] = msgspec.field(default_factory=lambda: ["org:ci"])


class TokenRename(msgspec.Struct):
    """Another name."""

    name: Name


class TokenRotate(msgspec.Struct):
    """How long the old token goes on working beside the new one."""

    overlap: Literal["0", "1h", "1d", "7d", "30d"] = "1d"


class TokenEnd(msgspec.Struct, rename="camel"):
    """Which token to revoke, as Sentry's own page names it."""

    token_id: int | str


@routes.get(
    _PERSONAL,
    can=Permission.LOGGED_IN,
    doc=Operation(
        "List your tokens",
        description=_BY_LOGIN,
        returns=list[TokenInfo],
        errors=(401, 403),
        tag="Tokens",
        paged=True,
    ),
)
def list_personal(req: Req) -> Response:
    found = queries.personal_tokens(req.meta.read(), _user_id(req), req.reach.organization_id)
    return json([_info(t) for t in found], headers=link_header(req, previous=None, next=None))


@routes.post(
    _PERSONAL,
    can=Permission.LOGGED_IN,
    step_up=True,
    doc=Operation(
        "Create a token of yours",
        description=_BY_LOGIN,
        body=TokenCreate,
        returns=TokenMade,
        status=201,
        errors=(400, 401, 403, 409),
        tag="Tokens",
    ),
)
def create_personal(req: Req) -> Response:
    return _create(req, PERSONAL, req.decode(TokenCreate))


@routes.delete(
    _PERSONAL,
    can=Permission.LOGGED_IN,
    doc=Operation(
        "Revoke a token of yours",
        description=_BY_LOGIN,
        body=TokenEnd,
        status=204,
        errors=(400, 401, 403, 404),
        tag="Tokens",
    ),
)
def end_personal(req: Req) -> Response:
    user_id = _user_id(req)
    text = str(req.decode(TokenEnd).token_id)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid("tokenId is a number.")
    return _revoke(req, _personal(req, user_id, int(text)))


@routes.delete(
    _PERSONAL + "{token_id:int}/",
    can=Permission.LOGGED_IN,
    doc=Operation(
        "Revoke one of your tokens by its id",
        description=_BY_LOGIN,
        status=204,
        errors=(401, 403, 404),
        tag="Tokens",
    ),
)
def revoke_personal(req: Req, token_id: int) -> Response:
    return _revoke(req, _personal(req, _user_id(req), token_id))


@routes.post(
    _PERSONAL + "{token_id:int}/rotate/",
    can=Permission.LOGGED_IN,
    step_up=True,
    doc=Operation(
        "Rotate a token of yours",
        description=_BY_LOGIN,
        body=TokenRotate,
        returns=TokenMade,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Tokens",
    ),
)
def rotate_personal(req: Req, token_id: int) -> Response:
    return _rotate(req, _personal(req, _user_id(req), token_id))


@routes.get(
    _ORGANIZATION,
    can=Permission.ORG_WRITE,
    load=account_queries.organization_by_slug,
    doc=Operation(
        "List an organization's tokens",
        description=_BY_LOGIN,
        returns=list[TokenInfo],
        errors=(401, 403, 404),
        tag="Tokens",
        paged=True,
    ),
)
def list_organization(req: Req, organization: Organization) -> Response:
    _user_id(req)
    found = queries.organization_tokens(req.meta.read(), organization.id)
    return json([_info(t) for t in found], headers=link_header(req, previous=None, next=None))


@routes.post(
    _ORGANIZATION,
    can=Permission.ORG_WRITE,
    load=account_queries.organization_by_slug,
    step_up=True,
    doc=Operation(
        "Create a token of the organization",
        description=_BY_LOGIN,
        body=OrganizationTokenCreate,
        returns=TokenMade,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Tokens",
    ),
)
def create_organization(req: Req, _organization: Organization) -> Response:
    return _create(req, ORGANIZATION, req.decode(OrganizationTokenCreate))


@routes.get(
    _ORGANIZATION + "{token_id:int}/",
    can=Permission.ORG_WRITE,
    load=queries.token_of,
    doc=Operation(
        "Retrieve a token of the organization",
        description=_BY_LOGIN,
        returns=TokenInfo,
        errors=(401, 403, 404),
        tag="Tokens",
    ),
)
def one_organization(req: Req, token: Token) -> Response:
    _user_id(req)
    return json(_info(token))


@routes.put(
    _ORGANIZATION + "{token_id:int}/",
    can=Permission.ORG_WRITE,
    load=queries.token_of,
    doc=Operation(
        "Rename a token of the organization",
        description=_BY_LOGIN,
        body=TokenRename,
        status=204,
        errors=(400, 401, 403, 404),
        tag="Tokens",
    ),
)
def rename_organization(req: Req, token: Token) -> Response:
    _user_id(req)
    wanted = req.decode(TokenRename)
    with req.meta.write() as tx:
        actions.rename_token(tx, token, wanted.name)
    return empty()


@routes.delete(
    _ORGANIZATION + "{token_id:int}/",
    can=Permission.ORG_WRITE,
    load=queries.token_of,
    doc=Operation(
        "Revoke a token of the organization",
        description=_BY_LOGIN,
        status=204,
        errors=(401, 403, 404),
        tag="Tokens",
    ),
)
def revoke_organization(req: Req, token: Token) -> Response:
    _user_id(req)
    return _revoke(req, token)


@routes.post(
    _ORGANIZATION + "{token_id:int}/rotate/",
    can=Permission.ORG_WRITE,
    load=queries.token_of,
    step_up=True,
    doc=Operation(
        "Rotate a token of the organization",
        description=_BY_LOGIN,
        body=TokenRotate,
        returns=TokenMade,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Tokens",
    ),
)
def rotate_organization(req: Req, token: Token) -> Response:
    return _rotate(req, token)


def _user_id(req: Req) -> int:
    """Who is logged in; Forbidden for a token."""
    if req.actor.kind != "user" or req.actor.user_id is None:
        raise Forbidden("Tokens are made and ended by somebody who is logged in, not by a token.")
    return req.actor.user_id


def _personal(req: Req, user_id: int, token_id: int) -> Token:
    found = queries.personal_token(req.meta.read(), user_id, req.reach.organization_id, token_id)
    if found is None:
        raise NotFound("There is no such token.")
    return found


def _create(req: Req, kind: str, wanted: TokenCreate) -> Response:
    user_id = _user_id(req)
    scopes = check_scopes(wanted.scopes, allowed_scopes(req, kind))
    projects = None if wanted.projects is None else tuple(sorted(set(wanted.projects)))
    if projects and not all(req.reach.holds(id_) for id_ in projects):
        raise Invalid("There is no such project.")
    new = NewToken(
        kind,
        user_id,
        req.reach.organization_id,
        wanted.name,
        scopes,
        projects,
        lifetime_ms(wanted.lifetime),
    )
    with req.meta.write() as tx:
        made = actions.create_token(tx, req.tracer.vault, new)
    return _shown_once(made.token, made.text)


def _rotate(req: Req, token: Token) -> Response:
    _user_id(req)
    overlap_s = OVERLAPS_S[req.decode(TokenRotate).overlap]
    allowed = allowed_scopes(req, token.kind)
    with req.meta.write() as tx:
        made = actions.rotate_token(tx, req.tracer.vault, token, overlap_s, allowed)
    return _shown_once(made.token, made.text)


def _revoke(req: Req, token: Token) -> Response:
    with req.meta.write() as tx:
        actions.revoke_token(tx, token)
    return empty()


def _shown_once(token: Token, text: str) -> Response:
    made = TokenMade(**msgspec.structs.asdict(_info(token)), token=text)
    return json(made, status=201, headers={"cache-control": "no-store"})


def _info(token: Token) -> TokenInfo:
    return TokenInfo(
        id=str(token.id),
        name=token.name,
        scopes=list(token.scopes),
        projects=None if token.project_ids is None else [str(id_) for id_ in token.project_ids],
        date_created=clock.from_ms(token.created_at),
        expires_at=_moment(token.expires_at),
        ends_at=_moment(token.ends_at),
        date_last_used=_moment(token.used_at),
        last_used_address=token.used_address,
        is_active=token.works(clock.now_ms()),
        signing_key_retires_at=_moment(token.key_retires_at),
        created_by=token.email,
    )


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else clock.from_ms(ms)
