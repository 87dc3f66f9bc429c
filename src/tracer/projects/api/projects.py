"""Projects: list, one, create, update, delete."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import Any

from msgspec import UNSET

from tracer.accounts.api import scopes
from tracer.accounts.membership import Team
from tracer.accounts.model import Organization
from tracer.accounts.queries import organization_by_slug, team_of
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Param, Routes
from tracer.projects import actions, queries
from tracer.projects.api.shapes import (
    ProjectCreate,
    ProjectDetail,
    ProjectSummary,
    ProjectUpdate,
    project_detail,
    project_summary,
)
from tracer.projects.model import Project
from tracer.projects.owning import create_owned, team_for

routes = Routes()

PAGE = 100
_LIST_QUERY = (Param("query", "Only projects whose name or slug contains this."),)


@routes.get(
    "/api/0/projects/",
    can=Permission.PROJECT_READ,
    doc=Operation(
        "List projects",
        query=_LIST_QUERY,
        returns=list[ProjectSummary],
        errors=(400, 401, 403),
        tag="Projects",
        paged=True,
    ),
)
def list_projects(req: Req) -> Response:
    return _page(req)


@routes.get(
    "/api/0/organizations/{organization_slug}/projects/",
    can=Permission.PROJECT_READ,
    load=organization_by_slug,
    doc=Operation(
        "List an organization's projects",
        query=_LIST_QUERY,
        returns=list[ProjectSummary],
        errors=(400, 401, 403, 404),
        tag="Projects",
        paged=True,
    ),
)
def list_organization_projects(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _page(req)


@routes.post(
    "/api/0/organizations/{organization_slug}/projects/",
    can=Permission.PROJECT_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "Create a project",
        description="`team` is needed from who sees the projects of their teams only.",
        body=ProjectCreate,
        returns=ProjectDetail,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Projects",
    ),
)
def create(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    wanted = req.decode(ProjectCreate)
    return _created(req, wanted, team_for(req, wanted.team))


@routes.post(
    "/api/0/teams/{organization_slug}/{team_slug}/projects/",
    can=Permission.PROJECT_WRITE,
    load=team_of,
    doc=Operation(
        "Create a project for a team",
        body=ProjectCreate,
        returns=ProjectDetail,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Projects",
    ),
)
def create_for_team(req: Req, team: Team) -> Response:
    return _created(req, req.decode(ProjectCreate), team_for(req, team.slug))


def _created(req: Req, wanted: ProjectCreate, team: Team | None) -> Response:
    platform = wanted.platform or "other"
    with req.meta.write() as tx:
        project = create_owned(tx, req, team, wanted.slug, wanted.name, platform)
    shown = project_detail(project, req.actor.organization_slug, scopes(req))
    return json(shown, status=201)


@routes.get(
    "/api/0/projects/{organization_slug}/{project_slug}/",
    can=Permission.PROJECT_READ,
    load=queries.project_of,
    doc=Operation(
        "Retrieve a project", returns=ProjectDetail, errors=(401, 403, 404), tag="Projects"
    ),
)
def one(req: Req, project: Project) -> Response:
    return json(project_detail(project, req.actor.organization_slug, scopes(req)))


@routes.put(
    "/api/0/projects/{organization_slug}/{project_slug}/",
    can=Permission.PROJECT_WRITE,
    load=queries.project_of,
    doc=Operation(
        "Update a project",
        body=ProjectUpdate,
        returns=ProjectDetail,
        errors=(400, 401, 403, 404, 409),
        tag="Projects",
    ),
)
def update(req: Req, project: Project) -> Response:
    wanted = replace(project, **_changes(req.decode(ProjectUpdate)))
    with req.meta.write() as tx:
        project = actions.update_project(tx, project, wanted)
    return json(project_detail(project, req.actor.organization_slug, scopes(req)))


@routes.delete(
    "/api/0/projects/{organization_slug}/{project_slug}/",
    can=Permission.PROJECT_ADMIN,
    load=queries.project_of,
    step_up=True,
    doc=Operation(
        "Delete a project",
        description="Its keys stop working at once; its events and files are erased shortly after.",
        status=204,
        errors=(401, 403, 404),
        tag="Projects",
    ),
)
def delete(req: Req, project: Project) -> Response:
    with req.meta.write() as tx:
        actions.delete_project(tx, project)
    return empty()


def _page(req: Req) -> Response:
    slug, is_back = decode_cursor(req.query.get("cursor"), tuple[str, bool]) or ("", False)
    text = req.query.text("query", max=200).lower()
    found = [
        project
        for project in queries.projects(req.meta.read(), req.reach)
        if text in project.slug or text in project.name.lower()
    ]
    place = bisect_right(found, slug, key=lambda project: project.slug)
    if is_back:
        place = max(0, bisect_left(found, slug, key=lambda project: project.slug) - PAGE)
    shown = found[place : place + PAGE]
    previous = encode_cursor((shown[0].slug if shown else slug, True)) if place else None
    has_more = place + PAGE < len(found)
    following = encode_cursor((shown[-1].slug, False)) if has_more else None
    access = scopes(req)
    return json(
        [project_summary(project, req.actor.organization_slug, access) for project in shown],
        headers=link_header(req, previous=previous, next=following),
    )


def _changes(update: ProjectUpdate) -> dict[str, Any]:
    """The fields of `Project` that an update sets."""
    given = {
        "name": update.name,
        "slug": update.slug,
        "platform": update.platform or "other" if update.platform is not UNSET else UNSET,
        "scrub_defaults": update.data_scrubber_defaults,
        "scrub_ip": update.scrub_ip_addresses,
        "sensitive_names": update.sensitive_fields,
        "safe_names": update.safe_fields,
        "allowed_domains": update.allowed_domains,
    }
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not UNSET
    }
