"""One issue: detail, change, delete, group hashes, tags, comments."""

from __future__ import annotations

from typing import Any

from tracer import clock
from tracer.accounts import queries as accounts
from tracer.errors import NotFound
from tracer.issues import actions, queries
from tracer.issues.api import reading
from tracer.issues.api.reading import At, issue_routes
from tracer.issues.api.shapes import (
    HashEvent,
    HashInfo,
    IssueDetail,
    IssueUpdate,
    Note,
    NoteText,
    TagInfo,
    TagShare,
    issue_detail,
    note,
    tag_info,
    tag_share,
)
from tracer.issues.model import DAY_MS, HOUR_MS, Activity, Issue, Tag
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes

routes = Routes()

_READ_ERRORS = (400, 401, 403, 404)


def _doc(summary: str, **rules: Any) -> Operation:
    return Operation(summary, errors=_READ_ERRORS, tag="Issues", **rules)


@issue_routes(
    routes, "GET", "", can=Permission.EVENT_READ, doc=_doc("Retrieve an issue", returns=IssueDetail)
)
def one(req: Req, at: At) -> Response:
    return json(_detail(req, at.issue))


@issue_routes(
    routes,
    "PUT",
    "",
    can=Permission.EVENT_WRITE,
    doc=_doc("Change an issue", body=IssueUpdate, returns=IssueDetail),
)
def update(req: Req, at: At) -> Response:
    wanted = req.decode(IssueUpdate)
    with req.meta.write() as tx:
        issue = reading.apply_update(tx, at.issue, update=wanted, req=req)
    return json(_detail(req, issue))


@issue_routes(
    routes,
    "DELETE",
    "",
    can=Permission.EVENT_ADMIN,
    doc=_doc(
        "Delete an issue",
        description="It is gone at once; its events and files are erased shortly after.",
        status=202,
    ),
    step_up=True,
)
def delete(req: Req, at: At) -> Response:
    with req.meta.write() as tx:
        actions.delete(tx, at.issue, by=req.actor)
    return empty(202)


@issue_routes(
    routes,
    "GET",
    "hashes/",
    can=Permission.EVENT_READ,
    doc=_doc("List an issue's group hashes", returns=list[HashInfo], paged=True),
)
def hashes(req: Req, at: At) -> Response:
    found = queries.hashes(req.meta.read(), at.issue)
    latest = queries.latest_by_hash(req.tracer, req.reach, at.issue, found)
    shown = [
        HashInfo(hash_, HashEvent(event_id=latest[hash_][0], date_created=latest[hash_][1]))
        if hash_ in latest
        else HashInfo(hash_, None)
        for hash_ in found
    ]
    return json(shown, headers=link_header(req, previous=None, next=None))


@issue_routes(
    routes,
    "GET",
    "tags/",
    can=Permission.EVENT_READ,
    doc=_doc("List an issue's tags", returns=list[TagInfo]),
)
def tags(req: Req, at: At) -> Response:
    return json([tag_info(tag) for tag in queries.tags(req.tracer, req.reach, at.issue)])


@issue_routes(
    routes,
    "GET",
    "tags/{key}/",
    can=Permission.EVENT_READ,
    doc=_doc("Retrieve a tag of an issue", returns=TagInfo),
)
def tag(req: Req, at: At) -> Response:
    return json(tag_info(_tag(req, at)))


@issue_routes(
    routes,
    "GET",
    "tags/{key}/values/",
    can=Permission.EVENT_READ,
    doc=_doc(
        "List a tag's values over an issue",
        query=(reading.LIMIT,),
        returns=list[TagShare],
        paged=True,
    ),
)
def tag_values(req: Req, at: At) -> Response:
    limit = reading.limit(req, default=100)
    offset = decode_cursor(req.query.get("cursor"), int) or 0
    found = _tag(req, at, top=limit + 1, offset=max(0, min(offset, 2**31)))
    headers = link_header(
        req,
        previous=encode_cursor(max(0, offset - limit)) if offset > 0 else None,
        next=encode_cursor(offset + limit) if len(found.values) > limit else None,
    )
    return json([tag_share(found.key, value) for value in found.values[:limit]], headers=headers)


@issue_routes(
    routes,
    "GET",
    "comments/",
    can=Permission.EVENT_READ,
    doc=_doc("List an issue's comments", query=(reading.LIMIT,), returns=list[Note], paged=True),
)
def list_comments(req: Req, at: At) -> Response:
    limit = reading.limit(req, default=100)
    before = decode_cursor(req.query.get("cursor"), int)
    if before is not None:
        before = max(1, min(before, 2**62))
    found = queries.activity(
        req.meta.read(), req.reach, at.issue, kind="comment", limit=limit + 1, before=before
    )
    next_ = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return json(
        [note(entry) for entry in found[:limit]],
        headers=link_header(req, previous=None, next=next_),
    )


@issue_routes(
    routes,
    "POST",
    "comments/",
    can=Permission.EVENT_WRITE,
    doc=_doc("Comment on an issue", body=NoteText, returns=Note, status=201),
)
def add_comment(req: Req, at: At) -> Response:
    wanted = req.decode(NoteText)
    with req.meta.write() as tx:
        entry = actions.comment(tx, at.issue, wanted.text, by=req.actor)
    return json(note(entry), status=201)


@issue_routes(
    routes,
    "PUT",
    "comments/{comment_id:int}/",
    can=Permission.EVENT_WRITE,
    doc=_doc("Change one's own comment", body=NoteText, returns=Note),
)
def edit_comment(req: Req, at: At) -> Response:
    wanted = req.decode(NoteText)
    with req.meta.write() as tx:
        entry = actions.edit_comment(tx, at.issue, _comment(req, at), wanted.text, by=req.actor)
    return json(note(entry))


@issue_routes(
    routes,
    "DELETE",
    "comments/{comment_id:int}/",
    can=Permission.EVENT_WRITE,
    doc=_doc("Delete one's own comment", status=204),
)
def delete_comment(req: Req, at: At) -> Response:
    with req.meta.write() as tx:
        actions.delete_comment(tx, at.issue, _comment(req, at), by=req.actor)
    return empty()


def _detail(req: Req, issue: Issue) -> IssueDetail:
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    issue = queries.told(req.tracer, req.reach, [issue])[0]
    day = queries.sparklines_24h(reader, [issue.id], now_ms=now_ms)[issue.id]
    fortnight = queries.sparklines_14d(reader, [issue.id], now_ms=now_ms)[issue.id]
    stats = {
        "24h": reading.points(day, HOUR_MS, now_ms),
        "14d": reading.points(fortnight, DAY_MS, now_ms),
    }
    detail = issue_detail(
        issue,
        reading.project_refs(req)[issue.project_id],
        req.base_url,
        stats,
        activity=queries.activity(reader, req.reach, issue),
        tags=queries.tags(req.tracer, req.reach, issue),
    )
    if detail.assigned_to is not None and issue.assignee_id is not None:
        user = accounts.user(reader, issue.assignee_id)
        detail.assigned_to.email = user.email if user else None
    return detail


def _tag(req: Req, at: At, *, top: int = 10, offset: int = 0) -> Tag:
    found = queries.tag(req.tracer, req.reach, at.issue, at.value, top=top, offset=offset)
    if found is None:
        raise NotFound("The issue has no such tag.")
    return found


def _comment(req: Req, at: At) -> Activity:
    found = queries.comment(req.meta.read(), at.issue, int(at.value))
    if found is None:
        raise NotFound("The issue has no such comment.")
    return found
