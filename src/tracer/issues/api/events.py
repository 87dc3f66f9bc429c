"""Events of an issue and of a project: lists, one, its JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracer.errors import NotFound
from tracer.issues import queries
from tracer.issues.api import reading
from tracer.issues.api.event_shapes import EventDetail, EventSummary, event_detail, event_summary
from tracer.issues.api.reading import At, issue_routes
from tracer.issues.model import EventRow
from tracer.kit.context import Reach, Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Routes
from tracer.projects.model import Project
from tracer.projects.queries import project_of
from tracer.storage.meta import Reader

routes = Routes()

OF_PROJECT = "/api/0/projects/{organization_slug}/{project_slug}/events/"
_QUERY = (reading.ENVIRONMENT, reading.LIMIT)
_ERRORS = (400, 401, 403, 404)


class EventAt(NamedTuple):
    """The project of a path and the event id that stands after it."""

    project: Project
    event_id: str


def _load_event_at(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str, event_id: str
) -> EventAt | None:
    project = project_of(reader, reach, organization_slug, project_slug)
    return EventAt(project, event_id) if project else None


@issue_routes(
    routes,
    "GET",
    "events/",
    can=Permission.EVENT_READ,
    doc=Operation(
        "List an issue's events",
        query=_QUERY,
        returns=list[EventSummary],
        errors=_ERRORS,
        tag="Events",
        paged=True,
    ),
)
def list_issue_events(req: Req, at: At) -> Response:
    events, next_ = queries.events_of_issue(
        req.tracer,
        req.reach,
        at.issue,
        cursor=decode_cursor(req.query.get("cursor"), str) or "",
        limit=reading.limit(req, default=50),
        environments=reading.environments(req),
    )
    return _page(req, events, dict.fromkeys((e.group_hash for e in events), at.issue.id), next_)


@issue_routes(
    routes,
    "GET",
    "events/{event_id}/",
    can=Permission.EVENT_READ,
    doc=Operation(
        "Retrieve an event of an issue",
        description="`event_id` may be `latest`, `oldest` or `recommended`.",
        returns=EventDetail,
        errors=_ERRORS,
        tag="Events",
    ),
)
def issue_event(req: Req, at: At) -> Response:
    hashes = queries.hashes(req.meta.read(), at.issue)
    event = queries.find_event(req.tracer, req.reach, at.issue, at.value, hashes)
    if event is None:
        raise NotFound("The issue has no such event.")
    around = queries.neighbours(req.tracer, req.reach, at.issue, event, hashes)
    data = queries.payload(req.tracer, event)
    return json(event_detail(event, at.issue.id, data, around))


@routes.get(
    OF_PROJECT,
    can=Permission.EVENT_READ,
    load=project_of,
    doc=Operation(
        "List a project's events",
        query=_QUERY,
        returns=list[EventSummary],
        errors=_ERRORS,
        tag="Events",
        paged=True,
    ),
)
def list_project_events(req: Req, project: Project) -> Response:
    events, next_ = queries.events_of_project(
        req.tracer,
        req.reach,
        project.id,
        cursor=decode_cursor(req.query.get("cursor"), str) or "",
        limit=reading.limit(req, default=50),
        environments=reading.environments(req),
    )
    return _page(req, events, queries.issue_ids_of(req.tracer, events), next_)


@routes.get(
    f"{OF_PROJECT}{{event_id}}/",
    can=Permission.EVENT_READ,
    load=_load_event_at,
    doc=Operation(
        "Retrieve an event of a project", returns=EventDetail, errors=_ERRORS, tag="Events"
    ),
)
def project_event(req: Req, at: EventAt) -> Response:
    event, issue_id = _find(req, at)
    return json(event_detail(event, issue_id, queries.payload(req.tracer, event)))


@routes.get(
    f"{OF_PROJECT}{{event_id}}/json/",
    can=Permission.EVENT_READ,
    load=_load_event_at,
    doc=Operation(
        "Retrieve an event as it is stored",
        description="The normalised event, with why it was grouped under `grouping`.",
        returns=dict[str, Any],
        errors=_ERRORS,
        tag="Events",
    ),
)
def project_event_json(req: Req, at: EventAt) -> Response:
    event, _ = _find(req, at)
    data = queries.payload(req.tracer, event)
    if data is None:
        raise NotFound("The event's payload is no longer kept.")
    return json(data)


def _find(req: Req, at: EventAt) -> tuple[EventRow, int]:
    """The event and its issue. One whose issue is not committed yet, or deleted, is not there."""
    event = queries.find_project_event(req.tracer, req.reach, at.project.id, at.event_id)
    issue_id = queries.issue_id_of(req.tracer, event) if event is not None else None
    if event is None or issue_id is None:
        raise NotFound("The project has no such event.")
    return event, issue_id


def _page(
    req: Req, events: list[EventRow], issue_ids: dict[str, int], cursor: str | None
) -> Response:
    next_ = encode_cursor(cursor) if cursor else None
    return json(
        [
            event_summary(event, issue_ids[event.group_hash])
            for event in events
            if event.group_hash in issue_ids
        ],
        headers=link_header(req, previous=None, next=next_),
    )
