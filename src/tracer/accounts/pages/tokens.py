"""One's own API tokens: list, create (shown once), rotate, revoke."""

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
from tracer.accounts.tokens.model import PERSONAL, Token
from tracer.errors import NotFound
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_HOME = "/account/tokens/"


@routes.get(_HOME, can=Permission.LOGGED_IN)
def index(req: Req) -> Response:
    return _page(req)


@routes.get(_HOME + "new", can=Permission.LOGGED_IN, step_up=True)
def new(req: Req) -> Response:
    own_user(req)
    return _form(req, TokenForm.empty(req, PERSONAL))


@routes.post(_HOME, can=Permission.LOGGED_IN, step_up=True)
def create(req: Req) -> Response:
    user = own_user(req)
    wanted = read_form(req, PERSONAL)
    if not wanted.checked:
        return _form(req, wanted, status=422)
    made = token_forms.create(req, PERSONAL, user.id, wanted)
    return made_page(_page(req, created=made, status=201))


@routes.post(_HOME + "{token_id:int}/rotate", can=Permission.LOGGED_IN, step_up=True)
def rotate(req: Req, token_id: int) -> Response:
    made = token_forms.rotate(req, _own(req, token_id))
    return made_page(_page(req, created=made, status=201))


@routes.post(_HOME + "{token_id:int}/revoke", can=Permission.LOGGED_IN)
def revoke(req: Req, token_id: int) -> Response:
    token = _own(req, token_id)
    with req.meta.write() as tx:
        actions.revoke_token(tx, token)
    flash(req, "The token is revoked.")
    return redirect(_HOME)


def _own(req: Req, token_id: int) -> Token:
    user = own_user(req)
    found = queries.personal_token(req.meta.read(), user.id, req.reach.organization_id, token_id)
    if found is None:
        raise NotFound("There is no such token.")
    return found


def _page(req: Req, *, created: str = "", status: int = 200) -> Response:
    user = own_user(req)
    return page(
        req,
        "accounts/tokens.html",
        status=status,
        created=created,
        overlaps=OVERLAPS,
        now_ms=clock.now_ms(),
        root=_HOME,
        slugs={ref.id: ref.slug for ref in req.projects},
        tokens=queries.personal_tokens(req.meta.read(), user.id, req.reach.organization_id),
    )


def _form(req: Req, form: TokenForm, *, status: int = 200) -> Response:
    return page(req, "accounts/token_new.html", status=status, form=form, root=_HOME)
