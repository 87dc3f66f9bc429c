"""One's own account: name and theme. For people at a browser, not for tokens."""

from __future__ import annotations

from tracer.accounts import actions, queries
from tracer.accounts.model import THEMES, User
from tracer.accounts.pages.entry import safe_next
from tracer.accounts.pages.setup import check_name
from tracer.errors import Forbidden
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


def own_user(req: Req) -> User:
    """The user at this browser. A token may not change the account that made it."""
    actor = req.actor
    user = None
    if actor.kind == "user" and actor.user_id is not None:
        user = queries.user(req.meta.read(), actor.user_id)
    if user is None:
        raise Forbidden("Log in with a browser to change your account.")
    return user


def _page(req: Req, user: User, form: Checked, *, status: int = 200) -> Response:
    return page(req, "accounts/account.html", status=status, user=user, form=form)
