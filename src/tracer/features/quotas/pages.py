"""The pages of quotas: the organization's, each project's, and what is told above other pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tracer.accounts.pages.organization import own_organization
from tracer.errors import Conflict, Invalid
from tracer.features.quotas import queries, view
from tracer.features.quotas.model import Draft, Effect
from tracer.kit import render
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes
from tracer.projects import actions as projects
from tracer.projects import queries as project_queries
from tracer.projects.model import Project
from tracer.projects.quotas import actions
from tracer.projects.quotas.model import Quota

routes = Routes()

PATH = "/settings/quotas/"
OF_PROJECT = "/projects/{slug}/quotas/"
NOTICES = "/quotas/notices"


@routes.get(PATH, can=Permission.ORG_READ)
def index(req: Req) -> render.Response:
    return _organization_page(req)


@routes.post(PATH, can=Permission.ORG_WRITE)
def set_for_organization(req: Req) -> render.Response:
    """Shows what the quota would have dropped; sets it once that was shown."""
    return _set(req, None)


@routes.post(
    PATH + "{quota_id:int}/remove", can=Permission.ORG_WRITE, load=queries.organization_quota
)
def remove_from_organization(req: Req, quota: Quota) -> render.Response:
    return _remove(req, quota, PATH)


@routes.get(OF_PROJECT, can=Permission.PROJECT_READ, load=project_queries.project)
def of_project(req: Req, project: Project) -> render.Response:
    return _project_page(req, project)


@routes.post(OF_PROJECT, can=Permission.PROJECT_WRITE, load=project_queries.project)
def set_for_project(req: Req, project: Project) -> render.Response:
    """As for the organization; a quota may be one of the project's keys."""
    return _set(req, project)


@routes.post(
    OF_PROJECT + "{quota_id:int}/remove", can=Permission.PROJECT_WRITE, load=queries.project_quota
)
def remove_from_project(req: Req, found: tuple[Project, Quota]) -> render.Response:
    project, quota = found
    return _remove(req, quota, f"/projects/{project.slug}/quotas/")


@routes.post(OF_PROJECT + "protection", can=Permission.PROJECT_WRITE, load=project_queries.project)
def protect(req: Req, project: Project) -> render.Response:
    """Switches spike protection on or off."""
    is_on = req.form.flag("spike_protection")
    with req.meta.write() as tx:
        projects.update_project(tx, project, replace(project, spike_protection=is_on))
    render.flash(req, f"Spike protection is {'on' if is_on else 'off'}.")
    return render.redirect(f"/projects/{project.slug}/quotas/")


@routes.get(NOTICES, can=Permission.EVENT_READ)
def notices(req: Req) -> render.Response:
    """What is told above other pages: quotas that are exceeded, spikes that last."""
    part = "quotas/_notices.html"
    return render.page(req, part, part=part, **view.notices(req))


def _set(req: Req, project: Project | None) -> render.Response:
    form = Checked(req.form)
    try:
        draft = view.draft(req, form, project)
    except Invalid as error:
        if not form.errors:
            form.errors["category"] = error.detail
        return _again(req, project, form=form, status=422)
    if req.form.get("tried") != draft.tried:
        return _again(req, project, form=form, draft=draft, effect=view.effect(req, draft, project))
    try:
        with req.meta.write() as tx:
            quota = actions.set_quota(
                tx,
                req.reach.organization_id,
                project.id if project else None,
                draft.key_id,
                category=draft.category,
                window_s=draft.window_s,
                amount=draft.amount,
                is_hard=draft.is_hard,
            )
    except Conflict as error:
        form.errors["category"] = error.detail
        return _again(req, project, form=form, status=409)
    render.flash(req, f"The quota of {quota.text} holds.")
    return render.redirect(f"/projects/{project.slug}/quotas/" if project else PATH)


def _remove(req: Req, quota: Quota, path: str) -> render.Response:
    with req.meta.write() as tx:
        actions.remove_quota(tx, quota)
    render.flash(req, f"The quota of {quota.text} is removed.")
    return render.redirect(path)


def _again(req: Req, project: Project | None, **shown: Any) -> render.Response:
    return (
        _organization_page(req, **shown)
        if project is None
        else _project_page(req, project, **shown)
    )


def _organization_page(
    req: Req,
    *,
    form: Checked | None = None,
    draft: Draft | None = None,
    effect: Effect | None = None,
    status: int = 200,
) -> render.Response:
    return render.page(
        req,
        "quotas/index.html",
        status=status,
        organization=own_organization(req),
        form=Checked(req.form) if form is None else form,
        draft=draft,
        effect=effect,
        **view.organization(req),
    )


def _project_page(
    req: Req,
    project: Project,
    *,
    form: Checked | None = None,
    draft: Draft | None = None,
    effect: Effect | None = None,
    status: int = 200,
) -> render.Response:
    return render.page(
        req,
        "quotas/project.html",
        status=status,
        project=project,
        form=Checked(req.form) if form is None else form,
        draft=draft,
        effect=effect,
        **view.project(req, project),
    )
