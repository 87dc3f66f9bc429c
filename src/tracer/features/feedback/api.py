"""Feedback for programs, as Sentry shapes user reports."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tracer import clock
from tracer.features.feedback import queries
from tracer.features.feedback.model import Feedback
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Param, Routes
from tracer.projects.model import Project
from tracer.projects.queries import project_of

routes = Routes()


class IssueRef(msgspec.Struct, rename="camel"):
    """The issue that a message is about."""

    id: str
    short_id: str
    title: str


class UserFeedback(msgspec.Struct, rename="camel"):
    """What a user wrote."""

    id: str
    event_id: str | None = msgspec.field(name="eventID")
    name: str
    email: str
    comments: str
    url: str
    source: str
    status: str
    date_created: datetime
    issue: IssueRef | None


@routes.get(
    "/api/0/projects/{organization_slug}/{project_slug}/user-feedback/",
    can=Permission.EVENT_READ,
    load=project_of,
    doc=Operation(
        "List a project's feedback",
        query=(Param("limit", "Entries a page, 1 to 100.", "integer"),),
        returns=list[UserFeedback],
        errors=(400, 401, 403, 404),
        tag="Feedback",
        paged=True,
    ),
)
def list_feedback(req: Req, project: Project) -> Response:
    found = queries.page(
        req.meta.read(),
        req.reach,
        status=None,
        project_id=project.id,
        after=decode_cursor(req.query.get("cursor"), queries.Position),
        limit=req.query.int("limit", 25, min=1, max=100),
    )
    next_ = encode_cursor(found.next) if found.next else None
    return json(
        [_shape(feedback) for feedback in found.items],
        headers=link_header(req, previous=None, next=next_),
    )


def _shape(feedback: Feedback) -> UserFeedback:
    issue = None
    if feedback.issue_id is not None:
        issue = IssueRef(
            str(feedback.issue_id), feedback.issue_name or "", feedback.issue_title or ""
        )
    return UserFeedback(
        id=str(feedback.id),
        event_id=feedback.event_id,
        name=feedback.name,
        email=feedback.email,
        comments=feedback.message,
        url=feedback.url,
        source=feedback.source,
        status=feedback.status_name,
        date_created=clock.from_ms(feedback.created_at),
        issue=issue,
    )
