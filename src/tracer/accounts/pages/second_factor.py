"""Logging in with a second factor after the password, or with a passkey alone."""

from __future__ import annotations

from collections.abc import Callable

from tracer.accounts import queries
from tracer.accounts.factors import ceremonies, flow
from tracer.accounts.factors import queries as factor_queries
from tracer.accounts.factors.model import Pending
from tracer.accounts.factors.passkeys import BODY_BYTES
from tracer.accounts.pages.entry import acting_as, safe_next, sign_in
from tracer.accounts.pages.joining import ticket_at
from tracer.errors import Invalid, Problem, RateLimited
from tracer.kit import audit
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, json, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_ENDED = "This took too long or too many tries. Log in again."


@routes.get(flow.LOGIN_PAGE, can=Permission.PUBLIC)
def show(req: Req) -> Response:
    waiting = flow.pending(req)
    return _over(req) if waiting is None else _page(req, waiting)


@routes.post(flow.LOGIN_PAGE, can=Permission.PUBLIC, body_bytes=BODY_BYTES)
def prove(req: Req) -> Response:
    waiting = flow.pending(req)
    if waiting is None:
        return _over(req)
    try:
        flow.begin_guess(req, waiting.user_id)
    except RateLimited as error:
        return _page(req, waiting, error=error.detail, status=429)
    with req.meta.write(unaudited="tries of a login") as tx:
        may_try = ceremonies.count_try(tx, waiting.token_hash)
    if not may_try:
        return _over(req)
    challenge = flow.challenge_of(req, flow.LOGIN, waiting.token_hash, waiting.user_id)
    try:
        organization_id, wanted = _enter(req, waiting, challenge)
    except Invalid as error:
        flow.failed(req, waiting.user_id, waiting.email)
        return _page(req, waiting, error=error.detail, status=422)
    flow.succeeded(waiting.user_id)
    flow.forget_pending(req)
    sign_in(req, waiting.user_id, organization_id, second_factor=True)
    return redirect(wanted)


@routes.post(flow.LOGIN_PAGE + "/passkey", can=Permission.PUBLIC)
def ask_passkey(req: Req) -> Response:
    return answered(lambda: _ask(req))


@routes.post("/login/passkey/options", can=Permission.PUBLIC)
def offer(req: Req) -> Response:
    return answered(lambda: flow.offer(req))


@routes.post("/login/passkey", can=Permission.PUBLIC, body_bytes=BODY_BYTES)
def log_in(req: Req) -> Response:
    wanted = safe_next(req.form.get("next"))
    try:
        user_id = flow.accept(req)
        organization_id = queries.membership(req.meta.read(), user_id)
        if organization_id is None:
            raise Invalid("This account belongs to no organization.")
    except Invalid as error:
        flash(req, error.detail, "error")
        return redirect("/login")
    sign_in(req, user_id, organization_id, second_factor=True)
    return redirect(wanted)


def answered(make: Callable[[], object]) -> Response:
    """What the page's script asks the authenticator, as JSON; a refusal as `{"detail": …}`."""
    try:
        return json(make())
    except Problem as error:
        return json({"detail": error.detail}, status=error.status)


def _ask(req: Req) -> object:
    waiting = flow.pending(req)
    if waiting is None:
        raise Invalid(_ENDED)
    return flow.ask_passkey(req, flow.LOGIN, waiting.token_hash, waiting.user_id)


def _enter(req: Req, waiting: Pending, challenge: bytes | None) -> tuple[int, str]:
    """The organization that the login is for, and where to go. The proof, the end of what was
    pending and the remembered device stand or fall together, and for an account that belongs
    nowhere the invitation that it came by. Invalid when the factor is not right."""
    reader, wanted = req.meta.read(), waiting.next
    organization_id = queries.membership(reader, waiting.user_id)
    ticket = None if organization_id else ticket_at(reader, wanted, waiting.email)
    if ticket is not None:
        organization_id, wanted = ticket.organization_id, "/issues/"
    if organization_id is None:
        raise Invalid("This account belongs to no organization.")
    user = queries.user(req.meta.read(), waiting.user_id)
    with acting_as(req, user, organization_id), req.meta.write() as tx:
        kind = flow.prove(req, tx, waiting.user_id, challenge)
        if not ceremonies.end_pending(tx, waiting.token_hash):
            raise Invalid(_ENDED)
        audit.record(tx, "factor.use", "user", waiting.user_id, after={"kind": kind})
        if req.form.flag("remember"):
            flow.remember(req, tx, waiting.user_id)
        if ticket is not None:
            ticket.use(tx, ticket.secret, waiting.user_id)
    return organization_id, wanted


def _over(req: Req) -> Response:
    flow.forget_pending(req)
    flash(req, _ENDED, "error")
    return redirect("/login")


def _page(req: Req, waiting: Pending, *, error: str = "", status: int = 200) -> Response:
    answer = page(
        req,
        "accounts/factors_login.html",
        status=status,
        email=waiting.email,
        kinds={f.kind for f in factor_queries.factors(req.meta.read(), waiting.user_id)},
        has_host_name=flow.has_host_name(req),
        recovery=bool(req.form.get("recovery")),
        error=error,
    )
    answer.headers["cache-control"] = "no-store"
    return answer
