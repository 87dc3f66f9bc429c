"""Teams: who and which projects belong to them. A lead manages the own team."""

from __future__ import annotations

from itertools import islice
from urllib.parse import quote

from tracer.accounts import actions, queries
from tracer.accounts.membership import TEAM_ROLES, Team
from tracer.accounts.model import Member, check_slug
from tracer.accounts.pages.account import own_user
from tracer.accounts.pages.setup import check_name
from tracer.accounts.pages.suggestions import OFFERED
from tracer.accounts.team_rights import check_project
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.forms import Form
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

PAGE = 50


@routes.get("/teams/", can=Permission.TEAM_READ)
def index(req: Req) -> Response:
    return _list(req, Checked(Form([])))


@routes.post("/teams/", can=Permission.TEAM_WRITE)
def create(req: Req) -> Response:
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    if form:
        try:
            with req.meta.write() as tx:
                team = actions.create_team(tx, req.reach.organization_id, name)
        except (Conflict, Invalid) as error:
            form.errors["name"] = error.detail
        else:
            return redirect(f"/teams/{team.slug}/")
    return _list(req, form, status=422)


@routes.get("/teams/{slug}/", can=Permission.TEAM_READ, load=queries.team)
def show(req: Req, team: Team) -> Response:
    return _page(req, team, Checked(Form([])))


@routes.post("/teams/{slug}/", can=Permission.TEAM_WRITE, load=queries.team)
def update(req: Req, team: Team) -> Response:
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    slug = form.read("slug", check_slug, "")
    if not form:
        return _page(req, team, form, status=422)
    try:
        with req.meta.write() as tx:
            team = actions.update_team(tx, team, name=name, slug=slug)
    except Conflict as error:
        form.errors["slug"] = error.detail
        return _page(req, team, form, status=409)
    flash(req, "The team is saved.")
    return redirect(f"/teams/{team.slug}/")


@routes.post("/teams/{slug}/delete", can=Permission.TEAM_ADMIN, load=queries.team, step_up=True)
def delete(req: Req, team: Team) -> Response:
    with req.meta.write() as tx:
        actions.delete_team(tx, team)
    flash(req, f"The team {team.name} is deleted.")
    return redirect("/teams/")


@routes.post("/teams/{slug}/members", can=Permission.TEAM_WRITE, load=queries.team)
def add_member(req: Req, team: Team) -> Response:
    form = Checked(req.form)
    email = form.read("email", lambda text: text.strip(), "")
    with req.meta.write() as tx:
        found = queries.member_by_email(tx, team.organization_id, email)
        if found is None:
            form.errors["email"] = "There is no member with this e-mail address."
        else:
            role = req.form.choice("role", TEAM_ROLES, "contributor")
            actions.put_team_member(tx, team, found, role)
    if not form:
        return _page(req, team, form, status=422)
    return redirect(f"/teams/{team.slug}/")


@routes.post(
    "/teams/{slug}/members/{user_id:int}", can=Permission.TEAM_WRITE, load=queries.team_and_member
)
def change_member(req: Req, found: tuple[Team, Member]) -> Response:
    team, member = found
    with req.meta.write() as tx:
        if req.form.get("role"):
            if queries.team_role(tx, team.id, member.user_id) is None:
                raise NotFound("This member is not in the team.")
            actions.put_team_member(tx, team, member, req.form.get("role"))
        else:
            actions.remove_team_member(tx, team, member)
    return redirect(f"/teams/{quote(team.slug)}/")


@routes.post("/teams/{slug}/leave", can=Permission.LOGGED_IN, load=queries.team)
def leave(req: Req, team: Team) -> Response:
    with req.meta.write() as tx:
        found = queries.member(tx, team.organization_id, own_user(req).id)
        if found is not None and actions.remove_team_member(tx, team, found):
            flash(req, f"You have left the team {team.name}.")
    return redirect("/teams/")


@routes.post("/teams/{slug}/projects", can=Permission.TEAM_WRITE, load=queries.team)
def add_project(req: Req, team: Team) -> Response:
    slug = req.form.get("project").strip()
    chosen = next((ref for ref in req.projects if ref.slug == slug), None)
    if chosen is None:
        form = Checked(req.form)
        form.errors["project"] = "There is no such project."
        return _page(req, team, form, status=422)
    check_project(req.actor, chosen.id)
    with req.meta.write() as tx:
        actions.add_team_project(tx, team, chosen.id)
    return redirect(f"/teams/{team.slug}/")


@routes.post(
    "/teams/{slug}/projects/{project_id:int}/remove",
    can=Permission.TEAM_WRITE,
    load=queries.team_and_project,
)
def remove_project(req: Req, found: tuple[Team, int]) -> Response:
    team, project_id = found
    check_project(req.actor, project_id)
    with req.meta.write() as tx:
        actions.remove_team_project(tx, team, project_id)
    return redirect(f"/teams/{team.slug}/")


def _list(req: Req, form: Checked, *, status: int = 200) -> Response:
    reader, organization_id = req.meta.read(), req.reach.organization_id
    text = req.query.text("query", max=200)
    number = req.query.int("page", 1, min=1, max=10_000)
    count = queries.count_teams(reader, organization_id, text=text)
    return page(
        req,
        "accounts/teams.html",
        status=status,
        teams=queries.teams(
            reader, organization_id, text=text, limit=PAGE, offset=(number - 1) * PAGE
        ),
        count=count,
        number=number,
        is_last=number * PAGE >= count,
        text=text,
        form=form,
    )


def _page(req: Req, team: Team, form: Checked, *, status: int = 200) -> Response:
    reader = req.meta.read()
    ids = queries.team_project_ids(reader, team.id)
    free = (
        ref
        for ref in req.projects
        if ref.id not in ids and req.actor.can(Permission.PROJECT_WRITE, ref.id)
    )
    return page(
        req,
        "accounts/team.html",
        status=status,
        team=team,
        form=form,
        manages=req.actor.can_with_team(Permission.TEAM_WRITE, team.id),
        members=queries.team_members(reader, team.id),
        team_projects=[ref for ref in req.projects if ref.id in ids],
        offered=list(islice(free, OFFERED)),
        people=queries.members_page(reader, team.organization_id, limit=OFFERED),
    )
