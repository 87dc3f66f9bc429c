"""One's own account: name, theme, password, logins. For people at a browser, not for tokens."""

from __future__ import annotations

from tracer.accounts import actions, passwords, queries
from tracer.accounts.model import PASSWORD_MAX, THEMES, User, check_password
from tracer.accounts.pages.login import safe_next, throttle
from tracer.accounts.pages.setup import check_name
from tracer.errors import Forbidden, Invalid, NotFound, RateLimited
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()


@routes.get("/account/", can=Permission.LOGGED_IN)
def show(req: Req) -> Response:
    return _page(req, own_user(req), Checked(req.form))


@routes.post("/account/", can=Permission.LOGGED_IN)
def update(req: Req) -> Response:
    user = own_user(req)
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    if not form:
        return _page(req, user, form, status=422)
    with req.meta.write() as tx:
        actions.set_name(tx, user.id, name)
        actions.set_theme(tx, user.id, req.form.choice("theme", THEMES, user.theme))
    flash(req, "Saved.")
    return redirect("/account/")


@routes.post("/account/theme", can=Permission.LOGGED_IN)
def set_theme(req: Req) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        actions.set_theme(tx, user.id, req.form.choice("theme", THEMES))
    return empty() if req.is_htmx else redirect(safe_next(req.form.get("next")))


@routes.post("/account/password", can=Permission.LOGGED_IN)
def set_password(req: Req) -> Response:
    user = own_user(req)
    form = Checked(req.form)
    form.read("current_password", lambda text: _check_current(req, user, text), None)
    password = form.read("new_password", check_password, "")
    if not form:
        return _page(req, user, form, status=422)
    password_hash = passwords.hash_password(password)
    with req.meta.write() as tx:
        actions.set_password(tx, user.id, password_hash)
        actions.end_other_logins(tx, user.id, req.actor.ref)
    flash(req, "Your password is changed. All other browsers are logged out.")
    return redirect("/account/")


@routes.post("/account/logins/{ref}/end", can=Permission.LOGGED_IN)
def end_login(req: Req, ref: str) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        if not actions.end_login(tx, ref, user_id=user.id):
            raise NotFound("This browser is logged out already.")
    flash(req, "The browser is logged out.")
    return redirect("/account/")


@routes.post("/account/logins/end-others", can=Permission.LOGGED_IN)
def end_other_logins(req: Req) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        actions.end_other_logins(tx, user.id, req.actor.ref)
    flash(req, "All other browsers are logged out.")
    return redirect("/account/")


def own_user(req: Req) -> User:
    """The user at this browser. A token may not change the account that made it."""
    actor = req.actor
    user = None
    if actor.kind == "user" and actor.user_id is not None:
        user = queries.user(req.meta.read(), actor.user_id)
    if user is None:
        raise Forbidden("Log in with a browser to change your account.")
    return user


def _check_current(req: Req, user: User, password: str) -> None:
    try:
        throttle.check(user.email, req.client_ip)
    except RateLimited as error:
        raise Invalid(error.detail) from None
    if not passwords.verify_password(user.password_hash, password[: PASSWORD_MAX + 1]):
        throttle.failed(user.email, req.client_ip)
        raise Invalid("This is not your current password.")
    throttle.succeeded(user.email, req.client_ip)


def _page(req: Req, user: User, form: Checked, *, status: int = 200) -> Response:
    return page(
        req,
        "accounts/account.html",
        status=status,
        user=user,
        form=form,
        logins=queries.logins(req.meta.read(), user.id),
    )
