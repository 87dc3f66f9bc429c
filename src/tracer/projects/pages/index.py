"""The list of projects, and making one."""

from __future__ import annotations

from tracer.accounts.model import check_slug
from tracer.errors import Conflict, Invalid
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page, redirect
from tracer.kit.routes import Routes
from tracer.projects import actions, queries
from tracer.projects.model import check_name
from tracer.projects.platforms import FAMILIES, PLATFORMS, platform

routes = Routes()


@routes.get("/projects/", can=Permission.PROJECT_READ)
def index(req: Req) -> Response:
    reader = req.meta.read()
    return page(
        req,
        "projects/index.html",
        rows=queries.projects(reader, req.reach),
        counts=queries.counts(reader, req.reach),
        platform=platform,
    )


@routes.get("/projects/new", can=Permission.PROJECT_WRITE)
def new(req: Req) -> Response:
    return _form(req, Checked(req.form))


@routes.post("/projects/new", can=Permission.PROJECT_WRITE)
def create(req: Req) -> Response:
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    slug = form.read("slug", lambda text: check_slug(text) if text.strip() else None, None)
    chosen = form.read("platform", _listed, "other")
    if not form:
        return _form(req, form, status=422)
    try:
        with req.meta.write() as tx:
            project = actions.create_project(tx, req.reach.organization_id, slug, name, chosen)
    except (Conflict, Invalid) as error:
        form.errors["slug"] = error.detail
        return _form(req, form, status=error.status if error.status == 409 else 422)
    return redirect(f"/projects/{project.slug}/start/{platform(project.platform).id}/")


def _listed(text: str) -> str:
    if text not in PLATFORMS:
        raise Invalid("Choose a platform.")
    return text


def _form(req: Req, form: Checked, *, status: int = 200) -> Response:
    return page(
        req,
        "projects/new.html",
        status=status,
        form=form,
        families=FAMILIES,
        platforms=PLATFORMS.values(),
    )
