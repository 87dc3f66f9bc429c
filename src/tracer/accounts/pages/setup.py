"""The set-up link: the first account, without mail. It works once."""

from __future__ import annotations

from tracer.accounts import actions, queries
from tracer.accounts.model import NAME_MAX, check_email, one_line
from tracer.accounts.pages.entry import sign_in
from tracer.accounts.passwords import hash_password, new_password
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.directory import projects
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()


@routes.get("/setup/{token}", can=Permission.PUBLIC)
def show(req: Req, token: str) -> Response:
    if not queries.setup_link_is_open(req.meta.read(), token):
        return _closed(req)
    return _form(req, Checked(req.form))


@routes.post("/setup/{token}", can=Permission.PUBLIC)
def set_up(req: Req, token: str) -> Response:
    if not queries.setup_link_is_open(req.meta.read(), token):
        return _closed(req)
    form = Checked(req.form)
    email = form.read("email", check_email, "")
    name = form.read("name", check_name, "")
    organization = form.read("organization", check_name, "")
    password = form.read("password", lambda text: new_password(text, email, organization), "")
    if not form:
        return _form(req, form, status=422)
    password_hash = hash_password(password)
    try:
        with req.meta.write() as tx:
            user_id, organization_id = actions.set_up(
                tx,
                token,
                email=email,
                password_hash=password_hash,
                name=name,
                organization=organization,
            )
    except NotFound:
        return _closed(req)
    except Conflict as error:
        form.errors["email"] = error.detail
        return _form(req, form, status=422)
    sign_in(req, user_id, organization_id)
    flash(req, "Your account is ready.")
    first = next(iter(projects(req.meta.read(), organization_id)), None)
    return redirect(f"/projects/{first.slug}/start/" if first else "/projects/new")


def check_name(text: str) -> str:
    """A shown name, trimmed; blank is allowed."""
    name = one_line(text)
    if len(name) > NAME_MAX:
        raise Invalid(f"Use at most {NAME_MAX} characters.")
    return name


def _form(req: Req, form: Checked, *, status: int = 200) -> Response:
    home = queries.first_organization(req.meta.read())
    return page(
        req,
        "accounts/setup.html",
        status=status,
        form=form,
        organization=home.name if home else "",
    )


def _closed(req: Req) -> Response:
    return page(
        req,
        "accounts/setup_closed.html",
        status=404,
        has_users=queries.has_users(req.meta.read()),
    )
