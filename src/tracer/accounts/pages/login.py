"""Logging in and out. Guessing is slowed down; an unknown account looks like a wrong password."""

from __future__ import annotations

from tracer.accounts import actions, passwords, queries
from tracer.accounts.factors import flow
from tracer.accounts.model import User
from tracer.accounts.pages.entry import password_is_right, proven, safe_next, sign_in
from tracer.accounts.throttle import guesses as throttle
from tracer.errors import Invalid, RateLimited, Unavailable
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page, redirect
from tracer.kit.routes import Routes

__all__ = ["routes", "safe_next", "sign_in", "throttle"]

routes = Routes()


@routes.get("/login", can=Permission.PUBLIC)
def show(req: Req) -> Response:
    wanted = safe_next(req.query.get("next"))
    if not req.actor.is_anonymous:
        return redirect(wanted)
    return _form(req, wanted=wanted)


@routes.post("/login", can=Permission.PUBLIC)
def log_in(req: Req) -> Response:
    email = req.form.get("email").replace("\x00", "").strip()[:300]
    password = req.form.get("password")
    wanted = safe_next(req.form.get("next"))
    user = queries.user_by_email(req.meta.read(), email)
    try:
        if not password_is_right(req, email, user, password) or user is None:
            raise Invalid("The e-mail address or the password is wrong.")
        _renew_hash(req, user, password)
        return proven(req, user, wanted)
    except RateLimited as error:
        answer = _form(req, email=email, wanted=wanted, error=error.detail, status=429)
        answer.headers["retry-after"] = str(error.retry_after_s)
        return answer
    except Invalid as error:
        return _form(req, email=email, wanted=wanted, error=error.detail, status=422)


@routes.post("/logout", can=Permission.PUBLIC)
def log_out(req: Req) -> Response:
    if req.actor.kind == "user":
        with req.meta.write() as tx:
            actions.end_login(tx, req.actor.ref)
    req.set_cookie(req.login_cookie, "", max_age_s=0)
    return redirect("/login")


def _renew_hash(req: Req, user: User, password: str) -> None:
    """Hashes the password anew if that was done at other costs than today's; at the next login if
    there is no room for it now."""
    if passwords.is_outdated(user.password_hash or ""):
        try:
            renewed = passwords.hash_password(password)
        except Unavailable:
            return
        with req.meta.write(unaudited="the same password, hashed at today's costs") as tx:
            actions.renew_hash(tx, user.id, renewed)


def _form(
    req: Req, *, email: str = "", wanted: str = "/", error: str = "", status: int = 200
) -> Response:
    return page(
        req,
        "accounts/login.html",
        status=status,
        email=email,
        next=wanted,
        error=error,
        has_users=queries.has_users(req.meta.read()),
        has_passkeys=flow.offers_passkeys(req),
    )
