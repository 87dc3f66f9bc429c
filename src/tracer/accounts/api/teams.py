"""Teams in the API, with their members and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import actions, queries
from tracer.accounts.api.members import member_of
from tracer.accounts.api.shapes import (
    TeamCreate,
    TeamInfo,
    TeamMemberInfo,
    TeamProject,
    TeamRoleUpdate,
    TeamUpdate,
    team_info,
    team_member_info,
)
from tracer.accounts.membership import Invitation, Team
from tracer.accounts.model import Member, Organization
from tracer.accounts.team_rights import check_project
from tracer.kit.context import Req
from tracer.kit.directory import ProjectRef
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

routes = Routes()

PAGE = 100
_ROOT = "/api/0/organizations/{organization_slug}/teams/"
_ONE = "/api/0/teams/{organization_slug}/{team_slug}/"
_MEMBER = "/api/0/organizations/{organization_slug}/members/{member_id}/teams/{team_slug}/"
_PROJECT = "/api/0/projects/{organization_slug}/{project_slug}/teams/{team_slug}/"
_LEADS = "Administrators may, and the leads of the team."


def team_and_member(
    reader: Reader, reach: Reach, organization_slug: str, member_id: str, team_slug: str
) -> tuple[Team, Member] | None:
    """A team and a member of the organization."""
    team = queries.team_of(reader, reach, organization_slug, team_slug)
    member = member_of(reader, reach, organization_slug, member_id) if team else None
    if team is None or member is None or isinstance(member, Invitation):
        return None
    return team, member


def team_and_project(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str, team_slug: str
) -> tuple[Team, int] | None:
    """A team and the id of a project in reach, named by slug or id."""
    team = queries.team_of(reader, reach, organization_slug, team_slug)
    row = reader.row(
        "SELECT id FROM projects WHERE organization_id = :org AND deleted_at IS NULL "
        "AND (slug = :slug OR CAST(id AS TEXT) = :slug)",
        org=reach.organization_id,
        slug=project_slug,
    )
    return (team, row[0]) if team and row and reach.holds(row[0]) else None


@routes.get(
    _ROOT,
    can=Permission.TEAM_READ,
    load=queries.organization_by_slug,
    doc=Operation(
        "List an organization's teams",
        returns=list[TeamInfo],
        errors=(400, 401, 403, 404),
        tag="Teams",
        paged=True,
    ),
)
def list_teams(req: Req, organization: Organization) -> Response:
    after = decode_cursor(req.query.get("cursor"), str) or ""
    found = queries.teams(req.meta.read(), organization.id, after=after, limit=PAGE + 1)
    shown = found[:PAGE]
    following = encode_cursor(shown[-1].slug) if len(found) > PAGE else None
    return json(
        [_info(req, team) for team in shown],
        headers=link_header(req, previous=None, next=following),
    )


@routes.post(
    _ROOT,
    can=Permission.TEAM_WRITE,
    load=queries.organization_by_slug,
    doc=Operation(
        "Create a team",
        body=TeamCreate,
        returns=TeamInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Teams",
    ),
)
def create(req: Req, organization: Organization) -> Response:
    wanted = req.decode(TeamCreate)
    with req.meta.write() as tx:
        team = actions.create_team(tx, organization.id, wanted.name or "", wanted.slug)
    return json(_info(req, team), status=201)


@routes.get(
    _ONE,
    can=Permission.TEAM_READ,
    load=queries.team_of,
    doc=Operation("Retrieve a team", returns=TeamInfo, errors=(401, 403, 404), tag="Teams"),
)
def one(req: Req, team: Team) -> Response:
    return json(_info(req, team))


@routes.put(
    _ONE,
    can=Permission.TEAM_WRITE,
    load=queries.team_of,
    doc=Operation(
        "Update a team",
        description=_LEADS,
        body=TeamUpdate,
        returns=TeamInfo,
        errors=(400, 401, 403, 404, 409),
        tag="Teams",
    ),
)
def update(req: Req, team: Team) -> Response:
    wanted = req.decode(TeamUpdate)
    name = wanted.name if isinstance(wanted.name, str) else team.name
    slug = wanted.slug if isinstance(wanted.slug, str) else team.slug
    with req.meta.write() as tx:
        team = actions.update_team(tx, team, name=name, slug=slug)
    return json(_info(req, team))


@routes.delete(
    _ONE,
    can=Permission.TEAM_ADMIN,
    load=queries.team_of,
    step_up=True,
    doc=Operation("Delete a team", status=204, errors=(401, 403, 404), tag="Teams"),
)
def delete(req: Req, team: Team) -> Response:
    with req.meta.write() as tx:
        actions.delete_team(tx, team)
    return empty()


@routes.get(
    _ONE + "members/",
    can=Permission.TEAM_READ,
    load=queries.team_of,
    doc=Operation(
        "List a team's members", returns=list[TeamMemberInfo], errors=(401, 403, 404), tag="Teams"
    ),
)
def list_members(req: Req, team: Team) -> Response:
    return json([team_member_info(one) for one in queries.team_members(req.meta.read(), team.id)])


@routes.get(
    _ONE + "projects/",
    can=Permission.TEAM_READ,
    load=queries.team_of,
    doc=Operation(
        "List a team's projects", returns=list[TeamProject], errors=(401, 403, 404), tag="Teams"
    ),
)
def list_projects(req: Req, team: Team) -> Response:
    ids = queries.team_project_ids(req.meta.read(), team.id)
    return json([_project(ref) for ref in req.projects if ref.id in ids])


@routes.post(
    _MEMBER,
    can=Permission.TEAM_WRITE,
    load=team_and_member,
    doc=Operation(
        "Add a member to a team, or change the role there",
        description=_LEADS,
        body=TeamRoleUpdate,
        returns=TeamInfo,
        status=201,
        errors=(400, 401, 403, 404),
        tag="Teams",
    ),
)
def add_member(req: Req, found: tuple[Team, Member]) -> Response:
    team, member = found
    wanted = req.decode(TeamRoleUpdate) if req.body() else TeamRoleUpdate()
    with req.meta.write() as tx:
        actions.put_team_member(tx, team, member, wanted.team_role)
    return json(_info(req, team), status=201)


@routes.delete(
    _MEMBER,
    can=Permission.TEAM_WRITE,
    load=team_and_member,
    doc=Operation(
        "Take a member out of a team",
        description=_LEADS,
        status=204,
        errors=(401, 403, 404),
        tag="Teams",
    ),
)
def remove_member(req: Req, found: tuple[Team, Member]) -> Response:
    team, member = found
    with req.meta.write() as tx:
        actions.remove_team_member(tx, team, member)
    return empty()


@routes.post(
    _PROJECT,
    can=Permission.TEAM_WRITE,
    load=team_and_project,
    doc=Operation(
        "Give a project to a team as well",
        returns=TeamInfo,
        status=201,
        errors=(401, 403, 404),
        tag="Teams",
    ),
)
def add_project(req: Req, found: tuple[Team, int]) -> Response:
    team, project_id = found
    check_project(req.actor, project_id)
    with req.meta.write() as tx:
        actions.add_team_project(tx, team, project_id)
    return json(_info(req, team), status=201)


@routes.delete(
    _PROJECT,
    can=Permission.TEAM_WRITE,
    load=team_and_project,
    doc=Operation("Take a project from a team", status=204, errors=(401, 403, 404), tag="Teams"),
)
def remove_project(req: Req, found: tuple[Team, int]) -> Response:
    team, project_id = found
    check_project(req.actor, project_id)
    with req.meta.write() as tx:
        actions.remove_team_project(tx, team, project_id)
    return empty()


def _info(req: Req, team: Team) -> TeamInfo:
    return team_info(team, req.actor.teams.get(team.id), has_access=True)


def _project(ref: ProjectRef) -> TeamProject:
    return TeamProject(str(ref.id), ref.slug, ref.name, ref.platform)
