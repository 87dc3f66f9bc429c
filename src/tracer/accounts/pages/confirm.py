"""Step-up: the password or a second factor once more, before something dangerous."""

from __future__ import annotations

from tracer.accounts import queries
from tracer.accounts.factors import flow
from tracer.accounts.factors import queries as factor_queries
from tracer.accounts.factors.passkeys import BODY_BYTES
from tracer.accounts.pages.entry import password_is_right, safe_next
from tracer.accounts.pages.second_factor import answered
from tracer.errors import Forbidden, Invalid, RateLimited
from tracer.kit import audit
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_DONE = "Confirmed for 15 minutes. Nothing was changed yet: repeat what you were about to do."


@routes.get("/account/confirm/", can=Permission.LOGGED_IN)
def show(req: Req) -> Response:
    own_id(req)
    return _page(req, safe_next(req.query.get("next")))


@routes.post("/account/confirm/", can=Permission.LOGGED_IN, body_bytes=BODY_BYTES)
def confirm(req: Req) -> Response:
    user_id = own_id(req)
    wanted = safe_next(req.form.get("next"))
    has_factor = factor_queries.has_factor(req.meta.read(), user_id)
    try:
        if has_factor:
            _by_factor(req, user_id)
        else:
            _by_password(req, user_id)
    except RateLimited as error:
        return _page(req, wanted, error=error.detail, status=429)
    except Invalid as error:
        return _page(req, wanted, error=error.detail, status=422)
    if not _asks_again(req, wanted):
        flash(req, _DONE)
    return redirect(wanted)


@routes.post("/account/confirm/passkey", can=Permission.LOGGED_IN)
def ask_passkey(req: Req) -> Response:
    user_id = own_id(req)
    return answered(lambda: flow.ask_passkey(req, flow.CONFIRM, req.actor.ref, user_id))


def own_id(req: Req) -> int:
    """The user at this browser; a token may not change how the account is kept."""
    if req.actor.kind != "user" or req.actor.user_id is None:
        raise Forbidden("Log in with a browser to do this.")
    return req.actor.user_id


def _by_factor(req: Req, user_id: int) -> None:
    flow.begin_guess(req, user_id)
    challenge = flow.challenge_of(req, flow.CONFIRM, req.actor.ref, user_id)
    try:
        with req.meta.write() as tx:
            kind = flow.prove(req, tx, user_id, challenge)
            audit.record(tx, "login.confirm", "user", user_id, after={"by": kind})
            flow.mark(req, tx, second_factor=True)
    except Invalid:
        flow.failed(req, user_id, req.actor.email)
        raise
    flow.succeeded(user_id)


def _by_password(req: Req, user_id: int) -> None:
    user = queries.user(req.meta.read(), user_id)
    if not password_is_right(req, req.actor.email, user, req.form.get("password")):
        raise Invalid("This is not your password.")
    with req.meta.write() as tx:
        audit.record(tx, "login.confirm", "user", user_id, after={"by": "password"})
        flow.mark(req, tx, second_factor=False)


def _asks_again(req: Req, wanted: str) -> bool:
    """Whether the address itself was what needed the confirmation: it goes on by itself then."""
    found = req.tracer.table.find("GET", wanted.partition("?")[0])
    return not isinstance(found, set) and found.route.step_up is True


def _page(req: Req, wanted: str, *, error: str = "", status: int = 200) -> Response:
    own = factor_queries.factors(req.meta.read(), req.actor.user_id or 0)
    answer = page(
        req,
        "accounts/factors_confirm.html",
        status=status,
        next=wanted,
        goes_on=_asks_again(req, wanted),
        kinds={factor.kind for factor in own},
        has_host_name=flow.has_host_name(req),
        recovery=bool(req.form.get("recovery")),
        error=error,
    )
    answer.headers["cache-control"] = "no-store"
    return answer
