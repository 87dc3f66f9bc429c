"""Logging in and out. Guessing is slowed down; an unknown account looks like a wrong password."""

from __future__ import annotations

from urllib.parse import urlsplit

from tracer.accounts import actions, passwords, queries
from tracer.accounts.model import LOGIN_AGE_MS, PASSWORD_MAX
from tracer.accounts.throttle import Throttle
from tracer.errors import RateLimited
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

throttle = Throttle()


@routes.get("/login", can=Permission.PUBLIC)
def show(req: Req) -> Response:
    wanted = safe_next(req.query.get("next"))
    if not req.actor.is_anonymous:
        return redirect(wanted)
    return _form(req, wanted=wanted)


@routes.post("/login", can=Permission.PUBLIC)
def log_in(req: Req) -> Response:
    email = req.form.get("email").strip()[:300]
    wanted = safe_next(req.form.get("next"))
    try:
        throttle.check(email, req.client_ip)
    except RateLimited as error:
        answer = _form(req, email=email, wanted=wanted, error=error.detail, status=429)
        answer.headers["retry-after"] = str(error.retry_after_s)
        return answer
    if not _enter(req, email, req.form.get("password")):
        throttle.failed(email, req.client_ip)
        error_text = "The e-mail address or the password is wrong."
        return _form(req, email=email, wanted=wanted, error=error_text, status=422)
    throttle.succeeded(email, req.client_ip)
    return redirect(wanted)


@routes.post("/logout", can=Permission.PUBLIC)
def log_out(req: Req) -> Response:
    if req.actor.kind == "user":
        with req.meta.write() as tx:
            actions.end_login(tx, req.actor.ref)
    req.set_cookie(req.login_cookie, "", max_age_s=0)
    return redirect("/login")


def sign_in(req: Req, user_id: int, organization_id: int) -> None:
    """Starts a login for this browser, in place of the one it had."""
    with req.meta.write() as tx:
        cookie = actions.start_login(
            tx,
            user_id,
            organization_id,
            address=req.client_ip,
            user_agent=req.headers.get("user-agent", ""),
            replaces=req.cookies.get(req.login_cookie),
        )
    req.set_cookie(req.login_cookie, cookie, max_age_s=LOGIN_AGE_MS // 1000)


def safe_next(text: str) -> str:
    """Where to go after the login: a path of this site, never another one; "/" otherwise."""
    if not text.startswith("/") or text.startswith("//") or len(text) > 2000:
        return "/"
    if "\\" in text or any(ord(char) < 33 or ord(char) == 127 for char in text):
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or parts.path in ("/login", "/logout"):
        return "/"
    return text


def _enter(req: Req, email: str, password: str) -> bool:
    """Whether the password is right and the user belongs somewhere; then the login has begun."""
    reader = req.meta.read()
    user = queries.user_by_email(reader, email)
    is_right = passwords.verify_password(
        user.password_hash if user else None, password[: PASSWORD_MAX + 1]
    )
    if user is None or not is_right:
        return False
    organization_id = queries.membership(reader, user.id)
    if organization_id is None:
        return False
    if passwords.is_outdated(user.password_hash or ""):
        renewed = passwords.hash_password(password)
        with req.meta.write() as tx:
            actions.set_password(tx, user.id, renewed)
    sign_in(req, user.id, organization_id)
    return True


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
    )
