"""The list of projects, and making one."""

from __future__ import annotations

from itertools import islice

from tracer.accounts.model import check_slug
from tracer.errors import Conflict, Invalid
from tracer.kit.checking import Checked
from tracer.kit.context import Reach, Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page, redirect
from tracer.kit.routes import Routes
from tracer.projects import queries
from tracer.projects.model import check_name
from tracer.projects.owning import create_owned, must_name_team, own_teams, team_for
from tracer.projects.platforms import FAMILIES, PLATFORMS, platform

routes = Routes()

PAGE = 50
OFFERED = 20


@routes.get("/projects/", can=Permission.PROJECT_READ)
def index(req: Req) -> Response:
    reader = req.meta.read()
    text = req.query.text("query", max=200)
    number = req.query.int("page", 1, min=1, max=10_000)
    found = [
        project
        for project in queries.projects(reader, req.reach)
        if text.lower() in project.slug or text.lower() in project.name.lower()
    ]
    rows = found[(number - 1) * PAGE : number * PAGE]
    shown = Reach(req.reach.organization_id, tuple(project.id for project in rows))
    return page(
        req,
        "projects/index.html",
        rows=rows,
        counts=queries.counts(reader, shown),
        unused_keys=queries.unused_keys(reader, shown),
        platform=platform,
        text=text,
        number=number,
        count=len(found),
        pages=-(-len(found) // PAGE),
    )


@routes.get("/projects/suggest", can=Permission.PROJECT_READ)
def suggest(req: Req) -> Response:
    """What a field called `project` offers as one types: a few projects in reach."""
    text = req.query.text("project", max=200).lower()
    found = (ref for ref in req.projects if text in ref.slug or text in ref.name.lower())
    part = "projects/_names.html"
    return page(req, part, part=part, offered=list(islice(found, OFFERED)))


@routes.get("/projects/new", can=Permission.PROJECT_WRITE)
def new(req: Req) -> Response:
    return _form(req, Checked(req.form))


@routes.post("/projects/new", can=Permission.PROJECT_WRITE)
def create(req: Req) -> Response:
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    slug = form.read("slug", lambda text: check_slug(text) if text.strip() else None, None)
    chosen = form.read("platform", _listed, "other")
    team = form.read("team", lambda text: team_for(req, text.strip()), None)
    if not form:
        return _form(req, form, status=422)
    try:
        with req.meta.write() as tx:
            project = create_owned(tx, req, team, slug, name, chosen)
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
        own_teams=[(team.slug, team.name) for team in own_teams(req.meta.read(), req.actor)],
        must_name_team=must_name_team(req.meta.read(), req.actor),
        families=FAMILIES,
        platforms=PLATFORMS.values(),
    )
