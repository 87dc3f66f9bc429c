"""The security of one's own account: password, second factors, where one is logged in."""

from __future__ import annotations

from tracer.accounts import actions, passwords, queries
from tracer.accounts.factors import view
from tracer.accounts.model import PASSWORD_MIN, User
from tracer.accounts.pages.account import own_user
from tracer.accounts.pages.entry import keep_login, password_is_right
from tracer.errors import Invalid, NotFound, RateLimited
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_PAGE = "/account/security/"


@routes.get(_PAGE, can=Permission.LOGGED_IN)
def show(req: Req) -> Response:
    return _page(req, own_user(req), Checked(req.form))


@routes.post("/account/password", can=Permission.LOGGED_IN)
def set_password(req: Req) -> Response:
    user = own_user(req)
    form = Checked(req.form)
    form.read("current_password", lambda text: _check_current(req, user, text), None)
    password = form.read("new_password", lambda text: _new_password(req, user, text), "")
    if not form:
        return _page(req, user, form, status=422)
    password_hash = passwords.hash_password(password)
    with req.meta.write() as tx:
        actions.set_password(tx, user.id, password_hash)
        actions.end_other_logins(tx, user.id, req.actor.ref)
        cookie, expires_at = actions.rotate(tx, req.actor.ref, confirmed=True)
    keep_login(req, cookie, expires_at)
    flash(req, "Your password is changed. All other browsers are logged out.")
    return redirect(_PAGE)


@routes.post("/account/logins/{ref}/end", can=Permission.LOGGED_IN)
def end_login(req: Req, ref: str) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        if not actions.end_login(tx, ref, user_id=user.id):
            raise NotFound("This browser is logged out already.")
    flash(req, "The browser is logged out.")
    return redirect(_PAGE)


@routes.post("/account/logins/end-others", can=Permission.LOGGED_IN)
def end_other_logins(req: Req) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        actions.end_other_logins(tx, user.id, req.actor.ref)
    flash(req, "All other browsers are logged out.")
    return redirect(_PAGE)


def _check_current(req: Req, user: User, password: str) -> None:
    try:
        if not password_is_right(req, user.email, user, password):
            raise Invalid("This is not your current password.")
    except RateLimited as error:
        raise Invalid(error.detail) from None


def _new_password(req: Req, user: User, text: str) -> str:
    home = queries.organization(req.meta.read(), req.reach)
    return passwords.new_password(text, user.email, home.name if home else "")


def _page(req: Req, user: User, form: Checked, *, status: int = 200) -> Response:
    reader = req.meta.read()
    return page(
        req,
        "accounts/security.html",
        status=status,
        user=user,
        form=form,
        password_min=PASSWORD_MIN,
        password_at=queries.password_at(reader, user.id),
        logins=queries.logins(reader, user.id),
        **view.context(req),
    )
