"""The feedback page and the panel of an issue's feedback."""

from __future__ import annotations

from urllib.parse import urlencode

from tracer.errors import NotFound
from tracer.features.feedback import actions, queries
from tracer.features.feedback.model import STATUSES, Feedback
from tracer.issues import queries as issues
from tracer.issues.model import Issue
from tracer.issues.pages.listing import SELECTABLE, SUGGESTED
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.directory import ProjectRef
from tracer.kit.paging import decode_cursor, encode_cursor
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes

routes = Routes()

_CHOICES: dict[str, int | None] = {**STATUSES, "all": None}


@routes.get("/feedback/", can=Permission.EVENT_READ)
def index(req: Req) -> render.Response:
    """Messages of one status, the newest first."""
    status = req.query.choice("status", _CHOICES, "open")
    chosen = _project(req)
    project = chosen.id if chosen else 0
    has_many = len(req.projects) > SELECTABLE
    page = queries.page(
        req.meta.read(),
        req.reach,
        status=_CHOICES[status],
        project_id=project or None,
        after=decode_cursor(req.query.get("cursor"), queries.Position),
    )
    next_ = _address(status, project, encode_cursor(page.next)) if page.next else ""
    return render.page(
        req,
        "feedback/index.html",
        items=page.items,
        chosen=status,
        project=project,
        project_slug=chosen.slug if chosen else "",
        has_many_projects=has_many,
        offered=req.projects[:SUGGESTED],
        project_options=[]
        if has_many
        else [(0, "All projects"), *((ref.id, ref.name) for ref in req.projects)],
        tabs_shown=[
            {"title": name.capitalize(), "href": _address(name, project), "active": name == status}
            for name in _CHOICES
        ],
        empty_title="No feedback" if status == "all" else f"No {status} feedback",
        first=_address(status, project) if req.query.get("cursor") else "",
        next=next_,
    )


def _project(req: Req) -> ProjectRef | None:
    """The project to narrow to, by slug or id. NotFound when it is out of reach."""
    name = req.query.text("project", max=100)
    if name in ("", "0"):
        return None
    for ref in req.projects:
        if name in (ref.slug, str(ref.id)):
            return ref
    raise NotFound("There is no such project.")


@routes.post(
    "/feedback/{feedback_id:int}/status", can=Permission.EVENT_WRITE, load=queries.feedback
)
def set_status(req: Req, feedback: Feedback) -> render.Response:
    """Mark a message open, done or spam; htmx gets it again."""
    status = STATUSES[req.form.choice("status", STATUSES)]
    with req.meta.write() as tx:
        feedback = actions.set_status(tx, feedback, status)
    if req.is_htmx:
        return render.page(
            req, "feedback/_item.html", part="feedback/_item.html", feedback=feedback
        )
    return render.redirect("/feedback/")


@routes.get("/feedback/of-issue/{issue_id:int}/", can=Permission.EVENT_READ, load=issues.issue)
def panel(req: Req, issue: Issue) -> render.Response:
    """The panel of an issue page."""
    items = queries.of_issue(req.meta.read(), req.reach, issue.id)
    return render.page(
        req, "feedback/_panel.html", part="feedback/_panel.html", items=items, issue=issue
    )


def _address(status: str, project: int, cursor: str = "") -> str:
    chosen = {"status": status if status != "open" else "", "project": project, "cursor": cursor}
    query = urlencode({name: value for name, value in chosen.items() if value})
    return f"/feedback/?{query}" if query else "/feedback/"
