"""A project's settings: name, slug, platform, what is scrubbed, who may send; and its deletion."""

from __future__ import annotations

from dataclasses import replace

from tracer.accounts import actions as account_actions
from tracer.accounts import queries as accounts
from tracer.accounts.membership import Team
from tracer.accounts.model import check_slug
from tracer.accounts.pages.suggestions import OFFERED
from tracer.accounts.team_rights import check_team
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


@routes.post(
    "/projects/{slug}/delete",
    can=Permission.PROJECT_ADMIN,
    load=queries.project,
    step_up=True,
)
def delete(req: Req, project: Project) -> Response:
    form = Checked(req.form)
    if req.form.get("confirm").strip() != project.slug:
        form.errors["confirm"] = f"Type {project.slug} to confirm."
        return _page(req, project, form, project, status=422)
    with req.meta.write() as tx:
        actions.delete_project(tx, project)
    flash(req, f"{project.name} is deleted. Its events are being erased.")
    return redirect("/projects/")


@routes.post("/projects/{slug}/teams", can=Permission.PROJECT_WRITE, load=queries.project)
def add_team(req: Req, project: Project) -> Response:
    form = Checked(req.form)
    slug = req.form.text("team", max=100).lower()
    team = accounts.team(req.meta.read(), req.reach, slug) if slug else None
    if team is None:
        form.errors["team"] = "There is no such team."
        return _page(req, project, form, project, status=422)
    check_team(req.actor, team)
    with req.meta.write() as tx:
        account_actions.add_team_project(tx, team, project.id)
    flash(req, f"{project.name} belongs to the team {team.name} as well.")
    return redirect(f"/projects/{project.slug}/")


@routes.post(
    "/projects/{slug}/teams/{team_slug}/remove",
    can=Permission.PROJECT_WRITE,
    load=queries.project_and_team,
)
def remove_team(req: Req, found: tuple[Project, Team]) -> Response:
    project, team = found
    check_team(req.actor, team)
    with req.meta.write() as tx:
        account_actions.remove_team_project(tx, team, project.id)
    flash(req, f"{project.name} does not belong to the team {team.name} any more.")
    # Who took it from the team through which they saw it does not see it any more.
    return redirect("/projects/")


def _page(
    req: Req, project: Project, form: Checked, shown: Project, *, status: int = 200
) -> Response:
    """`shown` is what the fields hold: the stored settings, or those that were refused."""
    reader = req.meta.read()
    return page(
        req,
        "projects/settings.html",
        status=status,
        project=project,
        shown=shown,
        form=form,
        platforms=_platform_options(project),
        teams=[
            (team, req.actor.can_with_team(Permission.TEAM_WRITE, team.id))
            for team in accounts.teams_of_project(reader, project.id)
        ],
        offered_teams=accounts.teams(reader, project.organization_id, limit=OFFERED),
    )


def _platform_options(project: Project) -> list[tuple[str, str]]:
    options = [(platform.id, platform.name) for platform in PLATFORMS.values()]
    if project.platform not in PLATFORMS:
        options.append((project.platform, project.platform))
    return options
