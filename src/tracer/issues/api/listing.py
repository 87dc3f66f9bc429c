"""Lists of issues, and changes to several at once."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from tracer.accounts.model import Organization
from tracer.accounts.queries import organization_by_slug
from tracer.errors import Invalid
from tracer.issues import actions, queries
from tracer.issues.api import reading
from tracer.issues.api.shapes import BulkResult, IssueSummary, IssueUpdate, StatusDetails, UserRef
from tracer.issues.model import STATUSES, Issue
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Param, Routes
from tracer.projects.model import Project
from tracer.projects.queries import project_of

routes = Routes()

OF_PROJECT = "/api/0/projects/{organization_slug}/{project_slug}/issues/"
OF_ORGANIZATION = "/api/0/organizations/{organization_slug}/issues/"

_PROJECT = Param("project", "Only these projects, by id or slug; -1 for all.", repeated=True)
_IDS = Param("id", "The issues to change; without it, all that match.", "integer", repeated=True)
_STATUS = Param("status", "Only issues with this status.", values=tuple(STATUSES))
_QUERY = Param("query", "Only issues that match this search.")
_CHANGE = (_IDS, _STATUS, _QUERY)
_LIST = (
    "Without a `query`, unresolved issues. The `Link` header has the cursor of the next page. With "
    "several environments, counts and times are of these together, and the order is that of all."
)
_BULK = (
    "The issues are those of `id`, or the first 1,000 that match `status` and `query`. "
    "Ids out of reach are passed over."
)


@routes.get(
    OF_PROJECT,
    can=Permission.EVENT_READ,
    load=project_of,
    doc=Operation(
        "List a project's issues",
        description=_LIST,
        query=reading.FILTERS,
        returns=list[IssueSummary],
        errors=(400, 401, 403, 404),
        tag="Issues",
        paged=True,
    ),
)
def list_project_issues(req: Req, project: Project) -> Response:
    return _list(req, (project.id,))


@routes.get(
    OF_ORGANIZATION,
    can=Permission.EVENT_READ,
    load=organization_by_slug,
    doc=Operation(
        "List an organization's issues",
        description=_LIST,
        query=(*reading.FILTERS, _PROJECT),
        returns=list[IssueSummary],
        errors=(400, 401, 403, 404),
        tag="Issues",
        paged=True,
    ),
)
def list_organization_issues(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _list(req, _projects(req))


@routes.put(
    OF_PROJECT,
    can=Permission.EVENT_WRITE,
    load=project_of,
    doc=Operation(
        "Change several of a project's issues",
        description=_BULK,
        query=_CHANGE,
        body=IssueUpdate,
        returns=BulkResult,
        errors=(400, 401, 403, 404),
        tag="Issues",
    ),
)
def update_project_issues(req: Req, project: Project) -> Response:
    return _update(req, (project.id,))


@routes.put(
    OF_ORGANIZATION,
    can=Permission.EVENT_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "Change several of an organization's issues",
        description=_BULK,
        query=(*_CHANGE, _PROJECT),
        body=IssueUpdate,
        returns=BulkResult,
        errors=(400, 401, 403, 404),
        tag="Issues",
    ),
)
def update_organization_issues(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _update(req, _projects(req))


@routes.delete(
    OF_PROJECT,
    can=Permission.EVENT_ADMIN,
    load=project_of,
    step_up=True,
    doc=Operation(
        "Delete several of a project's issues",
        query=(_IDS,),
        status=204,
        errors=(400, 401, 403, 404),
        tag="Issues",
    ),
)
def delete_project_issues(req: Req, project: Project) -> Response:
    return _delete(req, (project.id,))


@routes.delete(
    OF_ORGANIZATION,
    can=Permission.EVENT_ADMIN,
    load=organization_by_slug,
    step_up=True,
    doc=Operation(
        "Delete several of an organization's issues",
        query=(_IDS, _PROJECT),
        status=204,
        errors=(400, 401, 403, 404),
        tag="Issues",
    ),
)
def delete_organization_issues(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _delete(req, _projects(req))


def _list(req: Req, project_ids: tuple[int, ...] | None) -> Response:
    sort = reading.SORTS[req.query.choice("sort", reading.SORTS, "date")]
    cursor = decode_cursor(req.query.get("cursor"), str)
    wanted = reading.filters(req, project_ids)
    found = queries.page(
        req.meta.read(),
        req.reach,
        wanted,
        sort=sort,
        cursor=queries.Cursor.parse(cursor) if cursor else None,
        limit=reading.limit(req),
        user_id=req.actor.user_id,
    )
    headers = link_header(req, previous=_encoded(found.previous), next=_encoded(found.next))
    chosen = (found.environment,) if found.environment else wanted.environments
    return json(reading.summaries(req, found.issues, chosen), headers=headers)


def _encoded(cursor: queries.Cursor | None) -> str | None:
    return None if cursor is None else encode_cursor(str(cursor))


def _update(req: Req, project_ids: tuple[int, ...] | None) -> Response:
    update = req.decode(IssueUpdate)
    chosen = _chosen(req, project_ids)
    with req.meta.write() as tx:
        done = actions.bulk(tx, req.reach, chosen, reading.apply_update, update=update, req=req)
    return json(_result(update, done))


def _result(update: IssueUpdate, done: list[Issue]) -> BulkResult:
    result = BulkResult([str(issue.id) for issue in done])
    if not done:
        return result
    issue = done[0]
    if update.status is not UNSET:
        result.status = issue.status_name
        result.status_details = StatusDetails(in_release=issue.resolved_in)
    if update.assigned_to is not UNSET:
        result.assigned_to = None
        if issue.assignee_id is not None:
            result.assigned_to = UserRef("user", str(issue.assignee_id), issue.assignee or "")
    return result


def _delete(req: Req, project_ids: tuple[int, ...] | None) -> Response:
    if "id" not in req.query:
        raise Invalid("Name the issues to delete with `id`.")
    chosen = _chosen(req, project_ids)
    with req.meta.write() as tx:
        actions.bulk(tx, req.reach, chosen, actions.delete, by=req.actor)
    return empty()


def _chosen(req: Req, project_ids: tuple[int, ...] | None) -> list[int]:
    """The ids of a change that lie in its projects: those named, or all that match."""
    reader = req.meta.read()
    if "id" in req.query:
        ids = req.query.ids("id", limit=actions.MAX_BULK)
        found = queries.issues_by_id(reader, req.reach, ids)
        return [
            issue.id for issue in found if project_ids is None or issue.project_id in project_ids
        ]
    options: dict[str, Any] = {}
    if status := req.query.choice("status", STATUSES, ""):
        options["statuses"] = (STATUSES[status],)
    wanted = queries.Filters(
        query=reading.parsed(req, default=""), project_ids=project_ids, **options
    )
    page = queries.page(
        reader, req.reach, wanted, limit=actions.MAX_BULK, user_id=req.actor.user_id
    )
    return [issue.id for issue in page.issues]


def _projects(req: Req) -> tuple[int, ...] | None:
    """The projects a request names, by id or slug; None for all. Raises Invalid."""
    names = [name for name in req.query.all("project") if name]
    if not names or "-1" in names:
        return None
    known = {name: ref.id for ref in req.projects for name in (ref.slug, str(ref.id))}
    for name in names:
        if name not in known:
            raise Invalid(f"project: {name[:60]!r} is not one of yours.")
    return tuple(dict.fromkeys(known[name] for name in names))
