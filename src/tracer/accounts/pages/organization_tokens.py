"""The organization's own tokens, for builds and other machines."""

from __future__ import annotations

from tracer import clock
from tracer.accounts.pages import token_forms
from tracer.accounts.pages.account import own_user
from tracer.accounts.pages.token_forms import (
    OVERLAPS,
    TokenForm,
    made_page,
    read_form,
)
from tracer.accounts.tokens import actions, queries
from tracer.accounts.tokens.model import ORGANIZATION, Token
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_HOME = "/settings/tokens/"
_TOKEN = _HOME + "{token_id:int}/"


@routes.get(_HOME, can=Permission.ORG_WRITE)
def index(req: Req) -> Response:
    return _page(req)


@routes.get(_HOME + "new", can=Permission.ORG_WRITE, step_up=True)
def new(req: Req) -> Response:
    own_user(req)
    return _form(req, TokenForm.empty(req, ORGANIZATION))


@routes.post(_HOME, can=Permission.ORG_WRITE, step_up=True)
def create(req: Req) -> Response:
    user = own_user(req)
    wanted = read_form(req, ORGANIZATION)
    if not wanted.checked:
        return _form(req, wanted, status=422)
    made = token_forms.create(req, ORGANIZATION, user.id, wanted)
    return made_page(_page(req, created=made, status=201))


@routes.post(
    _TOKEN + "rotate", can=Permission.ORG_WRITE, load=queries.organization_token, step_up=True
)
def rotate(req: Req, token: Token) -> Response:
    own_user(req)
    made = token_forms.rotate(req, token)
    return made_page(_page(req, created=made, status=201))


@routes.post(_TOKEN + "revoke", can=Permission.ORG_WRITE, load=queries.organization_token)
def revoke(req: Req, token: Token) -> Response:
    own_user(req)
    with req.meta.write() as tx:
        actions.revoke_token(tx, token)
    flash(req, "The token is revoked.")
    return redirect(_HOME)


def _page(req: Req, *, created: str = "", status: int = 200) -> Response:
    return page(
        req,
        "accounts/organization_tokens.html",
        status=status,
        created=created,
        overlaps=OVERLAPS,
        now_ms=clock.now_ms(),
        root=_HOME,
        slugs={ref.id: ref.slug for ref in req.projects},
        tokens=queries.organization_tokens(req.meta.read(), req.reach.organization_id),
    )


def _form(req: Req, form: TokenForm, *, status: int = 200) -> Response:
    return page(req, "accounts/organization_token_new.html", status=status, form=form, root=_HOME)
