"""The issue page: one issue with one of its events, and what is done to it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import queries as accounts
from tracer.accounts.model import Member
from tracer.errors import NotFound
from tracer.issues import actions, queries
from tracer.issues.markdown import issue_markdown
from tracer.issues.model import (
    MAX_COMMENT,
    Activity,
    Attachment,
    EventHead,
    Issue,
    Neighbours,
)
from tracer.issues.pages.event_view import CrumbChoice, EventView, event_view
from tracer.issues.pages.listing import SELECTABLE, SUGGESTED
from tracer.issues.pages.shares import Share, TagFold, breakdowns, tag_folds
from tracer.issues.pages.stack import ORDERS, VIEWS, StackChoice
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.filters import pretty
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes
from tracer.protocol.categories import LEVEL_NAMES

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

routes = Routes()

EVENTS_PER_PAGE = 50
#: Queries of the page on all stores, and those among them on the event store.
QUERY_BUDGET = 14
EVENT_QUERY_BUDGET = 3

_NO_EVENT = "There is no such event in this issue."
#: What htmx asks for by name, to put in place of the same section.
_PARTS = {"stack": "issues/_stack.html", "breadcrumbs": "issues/_breadcrumbs.html"}


@dataclass(frozen=True, slots=True)
class Shown:
    """An event of the issue: what stands around it, its sections if it is still kept."""

    row: EventHead
    level: str
    around: Neighbours
    view: EventView | None
    attachments: list[Attachment]

    @property
    def path(self) -> str:
        return f"events/{self.row.event_id}/"


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """What the page says of the issue beside its event."""

    level: str
    fortnight: list[int]
    breakdowns: list[tuple[str, list[Share], int]]
    folds: list[TagFold]
    activity: list[Activity]
    members: list[Member]
    has_many_members: bool
    newest_release: str | None


def with_event_id(
    reader: Reader, reach: Reach, issue_id: int, event_id: str
) -> tuple[Issue, str] | None:
    """An issue in reach and the event id of the address, which its own query looks up."""
    issue = queries.issue(reader, reach, issue_id)
    return (issue, event_id) if issue is not None else None


@routes.get("/issues/{issue_id:int}/", can=Permission.EVENT_READ, load=queries.issue)
def detail(req: Req, issue: Issue) -> render.Response:
    """The issue with the event that tells most."""
    return _answer(req, issue, "recommended")


@routes.get(
    "/issues/{issue_id:int}/events/{event_id}/",
    can=Permission.EVENT_READ,
    load=with_event_id,
)
def event(req: Req, found: tuple[Issue, str]) -> render.Response:
    """The issue with one event: an id, or latest, oldest, recommended."""
    return _answer(req, *found)


@routes.get(
    "/issues/{issue_id:int}/events/{event_id}/json",
    can=Permission.EVENT_READ,
    load=with_event_id,
)
def event_json(req: Req, found: tuple[Issue, str]) -> render.Response:
    """The stored event as indented JSON, to read or (with ?download) to keep."""
    issue, which = found
    row = queries.find_event(req.tracer, req.reach, issue, which)
    if row is None:
        raise NotFound(_NO_EVENT)
    data = queries.payload(req.tracer, row)
    if data is None:
        raise NotFound("The content of this event is no longer kept.")
    text = pretty(data)
    if "download" in req.query:
        return render.download(text.encode(), f"{row.event_id}.json", "application/json")
    return render.text(text, media_type="application/json")


@routes.get("/issues/{issue_id:int}/events/", can=Permission.EVENT_READ, load=queries.issue)
def events(req: Req, issue: Issue) -> render.Response:
    """All events of the issue, the latest first."""
    rows, following = queries.events_of_issue(
        req.tracer, req.reach, issue, cursor=req.query.get("cursor"), limit=EVENTS_PER_PAGE
    )
    return render.page(
        req,
        "issues/events.html",
        issue=_told(req, issue),
        rows=[(row, LEVEL_NAMES.get(row.level, "error")) for row in rows],
        first=f"/issues/{issue.id}/events/" if req.query.get("cursor") else "",
        next=f"/issues/{issue.id}/events/?cursor={following}" if following else "",
    )


@routes.get("/issues/{issue_id:int}/markdown", can=Permission.EVENT_READ, load=queries.issue)
def markdown(req: Req, issue: Issue) -> render.Response:
    """The issue as Markdown, for a ticket or a prompt."""
    which = req.query.get("event") or "recommended"
    row = queries.find_event(req.tracer, req.reach, issue, which)
    data = queries.payload(req.tracer, row) if row else None
    text = issue_markdown(_told(req, issue), row, data)
    return render.text(text, media_type="text/markdown")


@routes.get("/attachments/{attachment_id:int}", can=Permission.EVENT_READ, load=queries.attachment)
def attachment(req: Req, found: Attachment) -> render.Response:
    """The bytes of an attachment; images may be shown in place."""
    if req.reach.hides(found.project_id) and not queries.find_project_event(
        req.tracer, req.reach, found.project_id, found.event_id
    ):
        raise NotFound("The requested resource does not exist")
    content = req.tracer.blobs.open(found.blob)
    inline = "inline" in req.query
    return render.download(content, found.name, found.content_type, inline=inline)


def _answer(req: Req, issue: Issue, which: str) -> render.Response:
    issue = _told(req, issue)
    part = _PARTS.get(req.query.get("part") or "")
    if part is not None and req.is_htmx:
        return render.page(req, part, part=part, issue=issue, shown=shown(req, issue, which))
    event_shown, about = load(req, issue, which)
    return render.page(req, "issues/detail.html", issue=issue, shown=event_shown, facts=about)


def load(req: Req, issue: Issue, which: str) -> tuple[Shown, IssueFacts]:
    """All that the page shows, within its query budget. NotFound without such an event."""
    return shown(req, issue, which), facts(req, issue)


def shown(req: Req, issue: Issue, which: str) -> Shown:
    """The event and its sections, as the query of the request wants them. NotFound without it."""
    found = queries.find_around(req.tracer, req.reach, issue, which)
    if found is None:
        raise NotFound(_NO_EVENT)
    row, around = found
    stack = StackChoice(
        req.query.choice("view", VIEWS, VIEWS[0]), req.query.choice("order", ORDERS, ORDERS[0])
    )
    crumbs = CrumbChoice(req.query.text("type", max=100), req.query.text("level", max=20))
    data = queries.payload(req.tracer, row)
    return Shown(
        row,
        LEVEL_NAMES.get(row.level, "error"),
        around,
        event_view(data, stack, crumbs) if data is not None else None,
        queries.attachments(req.meta.read(), row.project_id, row.event_id),
    )


def facts(req: Req, issue: Issue) -> IssueFacts:
    """What SQLite knows of the issue."""
    reader = req.meta.read()
    fortnight = queries.sparklines_14d(reader, [issue.id], now_ms=clock.to_ms(req.now))
    members = accounts.assignable(reader, req.reach.organization_id, SELECTABLE + 1)
    has_many = len(members) > SELECTABLE
    return IssueFacts(
        level=LEVEL_NAMES.get(issue.level, "error"),
        fortnight=fortnight[issue.id],
        breakdowns=breakdowns(
            environments=queries.environments(reader, req.reach, issue),
            releases=queries.releases(req.tracer, req.reach, issue),
        ),
        folds=tag_folds(queries.tags(req.tracer, req.reach, issue, top=5)),
        activity=queries.activity(reader, req.reach, issue, limit=50),
        members=members[:SUGGESTED] if has_many else members,
        has_many_members=has_many,
        newest_release=queries.newest_release(reader, issue.project_id),
    )


# What is done to it ------------------------------------------------------------------------------


@routes.post("/issues/{issue_id:int}/resolve", can=Permission.EVENT_WRITE, load=queries.issue)
def resolve(req: Req, issue: Issue) -> render.Response:
    """Resolve; with `release` only an event of a later release opens it again."""
    with req.meta.write() as tx:
        release = req.form.text("release", max=actions.MAX_RELEASE) or None
        issue = actions.resolve(tx, issue, by=req.actor, in_release=release)
    return _done(req, issue, f"{issue.name} resolved.")


@routes.post("/issues/{issue_id:int}/unresolve", can=Permission.EVENT_WRITE, load=queries.issue)
def unresolve(req: Req, issue: Issue) -> render.Response:
    """Open it again."""
    with req.meta.write() as tx:
        issue = actions.unresolve(tx, issue, by=req.actor)
    return _done(req, issue, f"{issue.name} is open again.")


@routes.post("/issues/{issue_id:int}/archive", can=Permission.EVENT_WRITE, load=queries.issue)
def archive(req: Req, issue: Issue) -> render.Response:
    """Put it out of the way; its events are still counted."""
    with req.meta.write() as tx:
        issue = actions.archive(tx, issue, by=req.actor)
    return _done(req, issue, f"{issue.name} archived.")


@routes.post("/issues/{issue_id:int}/assign", can=Permission.EVENT_WRITE, load=queries.issue)
def assign(req: Req, issue: Issue) -> render.Response:
    """Give it to a member; user 0 is nobody."""
    user_id = req.form.int("user") or None
    with req.meta.write() as tx:
        issue = actions.assign(tx, issue, user_id, by=req.actor)
    return _done(req, issue, f"{issue.name} assigned to {issue.assignee or 'nobody'}.")


@routes.post("/issues/{issue_id:int}/comment", can=Permission.EVENT_WRITE, load=queries.issue)
def comment(req: Req, issue: Issue) -> render.Response:
    """Add a comment; htmx gets the activity again."""
    text = req.form.text("text", max=MAX_COMMENT)
    with req.meta.write() as tx:
        actions.comment(tx, issue, text, by=req.actor)
    if req.is_htmx:
        return render.page(
            req,
            "issues/_activity.html",
            part="issues/_activity.html",
            issue=issue,
            facts=facts(req, issue),
        )
    return render.redirect(f"/issues/{issue.id}/#issue-activity")


@routes.post(
    "/issues/{issue_id:int}/delete",
    can=Permission.EVENT_ADMIN,
    load=queries.issue,
    step_up=True,
)
def delete(req: Req, issue: Issue) -> render.Response:
    """Delete it with all its events."""
    with req.meta.write() as tx:
        actions.delete(tx, issue, by=req.actor)
    render.flash(req, f"{issue.name} deleted.", "success")
    return render.redirect("/issues/")


@routes.post(
    "/issues/{issue_id:int}/discard",
    can=Permission.EVENT_ADMIN,
    load=queries.issue,
    step_up=True,
)
def discard(req: Req, issue: Issue) -> render.Response:
    """Delete it, and filter out all events of its kind from now on."""
    with req.meta.write() as tx:
        actions.discard(tx, issue, by=req.actor)
    render.flash(req, f"{issue.name} discarded. New events of its kind are filtered out.")
    return render.redirect("/issues/")


def _done(req: Req, issue: Issue, said: str) -> render.Response:
    """After a change: htmx gets the head of the page and the activity again, others the page."""
    render.flash(req, said, "success")
    issue = _told(req, issue)
    if req.is_htmx:
        return render.page(
            req,
            "issues/changed.html",
            part="issues/changed.html",
            issue=issue,
            facts=facts(req, issue),
        )
    return render.redirect(f"/issues/{issue.id}/")


def _told(req: Req, issue: Issue) -> Issue:
    """The issue as the events tell it that this actor may see."""
    return queries.told(req.tracer, req.reach, [issue])[0]
