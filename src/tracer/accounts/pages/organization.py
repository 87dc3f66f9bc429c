"""The organization's settings, switching to another one, making and deleting one."""

from __future__ import annotations

from typing import Any

from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.membership import (
    JOIN_ROLES,
    SECOND_FACTOR,
    OrganizationSettings,
    check_domains,
    check_second_factor,
)
from tracer.accounts.model import LOGIN_AGE_MS, check_slug, slug_from
from tracer.accounts.pages.account import own_user
from tracer.accounts.pages.entry import keep_login
from tracer.accounts.pages.setup import check_name
from tracer.errors import Conflict, Forbidden, Invalid, NotFound
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()


@routes.get("/settings/", can=Permission.ORG_READ)
def show(req: Req) -> Response:
    return settings_page(req, own_organization(req), Checked(req.form))


def _decides_access(req: Req) -> bool:
    """Whether the form changes who gets in, and not names only."""
    organization, form = own_organization(req), Checked(req.form)
    return (
        req.form.get("second_factor") != organization.second_factor
        or req.form.get("join_role") != organization.join_role
        or req.form.flag("is_open") != organization.is_open
        or form.read("join_domains", check_domains, organization.join_domains[:0])
        != organization.join_domains
    )


@routes.post("/settings/", can=Permission.ORG_WRITE, step_up=_decides_access)
def update(req: Req) -> Response:
    organization = own_organization(req)
    form = Checked(req.form)
    wanted: dict[str, Any] = {
        "name": form.read("name", _name, organization.name),
        "slug": form.read("slug", check_slug, organization.slug),
        "is_open": req.form.flag("is_open"),
        "second_factor": form.read("second_factor", _one_of(SECOND_FACTOR), "optional"),
        "join_domains": form.read("join_domains", check_domains, organization.join_domains),
        "join_role": form.read("join_role", _one_of(JOIN_ROLES), "member"),
    }
    asked = wanted["second_factor"]
    if asked != organization.second_factor:
        form.read("second_factor", lambda text: _may_ask(req, text), None)
    if not form:
        return settings_page(req, organization, form, status=422)
    try:
        with req.meta.write() as tx:
            actions.update_organization(tx, organization, **wanted)
    except Conflict as error:
        form.errors["slug"] = error.detail
        return settings_page(req, organization, form, status=409)
    flash(req, "The settings are saved.")
    return redirect("/settings/")


@routes.get("/organizations/", can=Permission.LOGGED_IN)
def index(req: Req) -> Response:
    user = own_user(req)
    return page(
        req,
        "accounts/organizations.html",
        part="accounts/_organizations.html",
        organizations=queries.organizations_of(req.meta.read(), user.id),
        may_create=_may_create(req),
        form=Checked(req.form),
    )


@routes.post("/organizations/", can=Permission.LOGGED_IN)
def create(req: Req) -> Response:
    user = own_user(req)
    if not _may_create(req):
        raise Forbidden("Only who manages an organization or this server may make another one.")
    form = Checked(req.form)
    name = form.read("name", _name, "")
    if form:
        try:
            with req.meta.write() as tx:
                slug = slug_from(name, "organization")
                organization_id = actions.create_organization(tx, slug, name)
                actions.add_member(tx, organization_id, user.id, "owner")
                cookie = actions.switch_login(tx, req.actor.ref, user.id, organization_id)
        except (Conflict, Invalid) as error:
            form.errors["name"] = error.detail
        else:
            keep_login(req, cookie, clock.now_ms() + LOGIN_AGE_MS)
            flash(req, f"{name} is ready. Make its first project.")
            return redirect("/projects/new")
    return page(
        req,
        "accounts/organizations.html",
        status=422,
        organizations=queries.organizations_of(req.meta.read(), user.id),
        may_create=True,
        form=form,
    )


@routes.post("/organizations/{organization_id:int}/switch", can=Permission.LOGGED_IN)
def switch(req: Req, organization_id: int) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        cookie = actions.switch_login(tx, req.actor.ref, user.id, organization_id)
    keep_login(req, cookie, clock.now_ms() + LOGIN_AGE_MS)
    return redirect("/issues/")


@routes.post("/organizations/{organization_id:int}/leave", can=Permission.LOGGED_IN, step_up=True)
def leave(req: Req, organization_id: int) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        found = queries.member(tx, organization_id, user.id)
        if found is None:
            raise NotFound("There is no such organization.")
        actions.leave(tx, organization_id, found)
    flash(req, "You have left the organization.")
    return redirect("/organizations/")


def _may_ask(req: Req, wanted: str) -> None:
    check_second_factor(wanted, has_own=req.actor.second_factor)


def own_organization(req: Req) -> OrganizationSettings:
    """The organization of the request, with its settings."""
    found = queries.organization_settings(req.meta.read(), req.reach.organization_id)
    if found is None:
        raise NotFound("There is no such organization.")
    return found


def _may_create(req: Req) -> bool:
    return req.actor.is_server_admin or req.actor.can(Permission.ORG_WRITE)


def _name(text: str) -> str:
    name = check_name(text)
    if not name:
        raise Invalid("Enter a name.")
    return name


def _one_of(values: tuple[str, ...]) -> Any:
    def check(text: str) -> str:
        if text not in values:
            raise Invalid(f"Choose one of: {', '.join(values)}.")
        return text

    return check


def settings_page(
    req: Req, organization: OrganizationSettings, form: Checked, *, status: int = 200
) -> Response:
    """The general settings, with what is wrong in the form."""
    reader = req.meta.read()
    return page(
        req,
        "accounts/organization.html",
        status=status,
        organization=organization,
        form=form,
        deletable=queries.count_organizations(reader) > 1,
    )
