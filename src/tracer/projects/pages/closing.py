"""Deleting an organization: its projects go first, as whoever deletes them one by one."""

from __future__ import annotations

from tracer.accounts import actions as accounts
from tracer.accounts.pages.organization import own_organization, settings_page
from tracer.errors import Conflict
from tracer.kit.access import reach_of_all
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, redirect
from tracer.kit.routes import Routes
from tracer.projects import actions, queries

routes = Routes()


@routes.post("/settings/delete", can=Permission.ORG_ADMIN, step_up=True)
def delete(req: Req) -> Response:
    organization = own_organization(req)
    form = Checked(req.form)
    if req.form.get("confirm").strip() != organization.slug:
        form.errors["confirm"] = f"Type {organization.slug} to confirm."
        return settings_page(req, organization, form, status=422)
    try:
        with req.meta.write() as tx:
            for project in queries.projects(tx, reach_of_all(tx, organization.id)):
                actions.delete_project(tx, project)
            accounts.delete_organization(tx, organization)
    except Conflict as error:
        form.errors["confirm"] = error.detail
        return settings_page(req, organization, form, status=409)
    flash(req, f"{organization.name} is deleted. What its projects held is being erased.")
    return redirect("/organizations/")
