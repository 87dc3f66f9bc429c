"""Coming in by password: how a guess is counted, and how a browser gets its login and keeps it."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tracer import clock
from tracer.accounts import actions, passwords, queries
from tracer.accounts.factors import flow
from tracer.accounts.failures import failures
from tracer.accounts.model import LOGIN_AGE_MS, PASSWORD_MAX, User
from tracer.accounts.throttle import Who, guesses, same_place
from tracer.errors import Invalid
from tracer.kit import audit, csrf
from tracer.kit.render import Response, redirect

if TYPE_CHECKING:
    from tracer.kit.context import Req

KNOWN_BROWSER_S = 365 * 86_400
KNOWN_USERS = 5
NEXT_MAX = 2000

_PURPOSE = "known browser"


def password_is_right(req: Req, email: str, user: User | None, password: str) -> bool:
    """Whether the password is this user's (None: nobody goes by this e-mail; never right). It takes
    the same time and leaves the same traces for both. RateLimited when it is too soon to ask."""
    reader = req.meta.read()
    user_id = user.id if user else None
    near = any(same_place(req.client_ip, at) for at in queries.login_addresses(reader, user_id))
    who = Who(email, req.client_ip, _known_as(req, user_id), near)
    guesses.begin(who)
    try:
        is_right = passwords.verify_password(
            user.password_hash if user else None,
            password[: PASSWORD_MAX + 1],
            known=bool(who.browser),
        )
    except BaseException:
        guesses.cancelled(who)
        raise
    if is_right:
        guesses.passed(who)
    else:
        device = req.headers.get("user-agent", "")
        failures.note("password", email, req.client_ip, device, user_id)
    return is_right


def proven(req: Req, user: User, wanted: str) -> Response:
    """Where to go after the right password: the login has begun, or waits for a second factor.
    Invalid when the user belongs nowhere."""
    organization_id = queries.membership(req.meta.read(), user.id)
    if organization_id is None:
        raise Invalid("Your account belongs to no organization. Ask for an invitation.")
    if flow.needs(req, user.id):
        return flow.begin(req, user.id, wanted)
    sign_in(req, user.id, organization_id, second_factor=flow.use_device(req, user.id))
    return redirect(wanted)


def sign_in(req: Req, user_id: int, organization_id: int, *, second_factor: bool = False) -> None:
    """Starts a login for this browser, in place of the one it had. `second_factor`: it showed one.

    Where a second factor may be needed, ask `flow.needs` first.
    """
    user = queries.user(req.meta.read(), user_id)
    with acting_as(req, user, organization_id), req.meta.write() as tx:
        cookie = actions.start_login(
            tx,
            user_id,
            organization_id,
            address=req.client_ip,
            user_agent=req.headers.get("user-agent", ""),
            replaces=req.cookies.get(req.login_cookie),
            second_factor=second_factor,
        )
    keep_login(req, cookie, clock.now_ms() + LOGIN_AGE_MS)
    know_browser(req, user_id)


def keep_login(req: Req, cookie: str, expires_at: int) -> None:
    """Has this browser keep the cookie of a login until it expires (unix ms)."""
    left_s = max(1, (expires_at - clock.now_ms()) // 1000)
    req.set_cookie(req.login_cookie, cookie, max_age_s=left_s)


def know_browser(req: Req, user_id: int) -> None:
    """Has this browser known as one that logged in as the user: what others guess wrongly does not
    slow it down. The cookie proves that and opens nothing."""
    name, users = _known(req)
    users = [user_id, *(other for other in users if other != user_id)][:KNOWN_USERS]
    value = "-".join([name or secrets.token_hex(16), *map(str, users)])
    req.set_cookie(
        _known_cookie(req),
        csrf.sign(req.tracer.secret, _PURPOSE, value),
        max_age_s=KNOWN_BROWSER_S,
    )


def acting_as(
    req: Req, user: User | None, organization_id: int | None
) -> AbstractContextManager[None]:
    """Audit entries made inside are this user's, at this browser, though it has no login yet."""
    return audit.acting(
        audit.Acting(
            kind="anonymous" if user is None else "user",
            id=user.id if user else None,
            name=user.email if user else "",
            address=req.client_ip,
            device=req.headers.get("user-agent", ""),
            organization_id=organization_id,
        )
    )


def safe_next(text: str) -> str:
    """Where to go after the login: a path of this site, never another one; "/" otherwise."""
    if len(text) > NEXT_MAX or "\\" in text or any(ord(c) < 33 or ord(c) == 127 for c in text):
        return "/"
    # Cut by hand: a parser would take what follows `///` for a path of this site.
    path = text.partition("#")[0].partition("?")[0]
    if not _is_own_path(path) or path.rstrip("/") in ("/login", "/logout"):
        return "/"
    return text


def _is_own_path(path: str) -> bool:
    """Whether a path stays one however often something on the way decodes it."""
    for _ in range(4):
        if not path.startswith("/") or path.startswith("//"):
            return False
        if "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
            return False
        path = unquote(path)
    return True


def _known_as(req: Req, user_id: int | None) -> str:
    """What this browser is called if it logged in as the user before; else ""."""
    name, users = _known(req)
    return name if user_id in users else ""


def _known(req: Req) -> tuple[str, list[int]]:
    """What this browser is called, and the users who logged in with it."""
    signed = req.cookies.get(_known_cookie(req), "")
    value = csrf.unsign(req.tracer.secret, _PURPOSE, signed) if signed else None
    name, *users = (value or "").split("-")
    return name, [int(user) for user in users]


def _known_cookie(req: Req) -> str:
    return "__Host-tracer_known" if req.is_https else "tracer_known"
