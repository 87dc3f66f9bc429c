"""A project's settings: name, slug, platform, what is scrubbed, who may send; and its deletion."""

from __future__ import annotations

from dataclasses import replace

from tracer.accounts.model import check_slug
from tracer.errors import Conflict, Invalid
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes
from tracer.projects import actions, queries
from tracer.projects.model import (
    Project,
    check_domains,
    check_name,
    check_platform,
    entries,
)
from tracer.projects.platforms import PLATFORMS

routes = Routes()


@routes.get("/projects/{slug}/", can=Permission.PROJECT_READ, load=queries.project)
def show(req: Req, project: Project) -> Response:
    return _page(req, project, Checked(req.form), project)


@routes.post("/projects/{slug}/", can=Permission.PROJECT_WRITE, load=queries.project)
def update(req: Req, project: Project) -> Response:
    form = Checked(req.form)
    wanted = replace(
        project,
        name=form.read("name", check_name, form.typed("name")),
        slug=form.read("slug", check_slug, form.typed("slug")),
        platform=form.read("platform", check_platform, project.platform),
        scrub_defaults=req.form.flag("scrub_defaults"),
        scrub_ip=req.form.flag("scrub_ip"),
        sensitive_names=form.read("sensitive_names", entries, ()),
        safe_names=form.read("safe_names", entries, ()),
        allowed_domains=form.read("allowed_domains", lambda t: check_domains(entries(t)), ()),
    )
    if not form:
        return _page(req, project, form, wanted, status=422)
    try:
        with req.meta.write() as tx:
            saved = actions.update_project(tx, project, wanted)
    except (Conflict, Invalid) as error:
        form.errors["slug"] = error.detail
        return _page(req, project, form, wanted, status=max(error.status, 409))
    flash(req, "The settings are saved.")
    return redirect(f"/projects/{saved.slug}/")


@routes.post("/projects/{slug}/delete", can=Permission.PROJECT_ADMIN, load=queries.project)
def delete(req: Req, project: Project) -> Response:
    form = Checked(req.form)
    if req.form.get("confirm").strip() != project.slug:
        form.errors["confirm"] = f"Type {project.slug} to confirm."
        return _page(req, project, form, project, status=422)
    with req.meta.write() as tx:
        actions.delete_project(tx, project)
    flash(req, f"{project.name} is deleted. Its events are being erased.")
    return redirect("/projects/")


def _page(
    req: Req, project: Project, form: Checked, shown: Project, *, status: int = 200
) -> Response:
    """`shown` is what the fields hold: the stored settings, or those that were refused."""
    return page(
        req,
        "projects/settings.html",
        status=status,
        project=project,
        shown=shown,
        form=form,
        platforms=_platform_options(project),
    )


def _platform_options(project: Project) -> list[tuple[str, str]]:
    options = [(platform.id, platform.name) for platform in PLATFORMS.values()]
    if project.platform not in PLATFORMS:
        options.append((project.platform, project.platform))
    return options
