"""The issue list: what it shows, and what is done to the selected issues."""

from __future__ import annotations

from collections.abc import Callable

from tracer.accounts import queries as accounts
from tracer.errors import Forbidden, Invalid
from tracer.issues import actions
from tracer.issues.model import Issue
from tracer.issues.pages import listing
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.forms import Query
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes

routes = Routes()

ACTIONS: dict[str, tuple[Callable[..., Issue], str]] = {
    "resolve": (actions.resolve, "resolved"),
    "unresolve": (actions.unresolve, "unresolved"),
    "archive": (actions.archive, "archived"),
    "delete": (actions.delete, "deleted"),
    "discard": (actions.discard, "discarded"),
}


@routes.get("/", can=Permission.LOGGED_IN)
def home(req: Req) -> render.Response:  # noqa: ARG001
    """The start page is the issue list."""
    return render.redirect("/issues/")


@routes.get("/issues/", can=Permission.EVENT_READ)
def index(req: Req) -> render.Response:
    """The list; htmx gets everything that a filter changes."""
    return _answer(req, req.query)


#: What takes more than the permission to write, and a fresh proof of identity.
_DELETING = ("delete", "discard")


def _deletes(req: Req) -> bool:
    return req.form.get("action") in _DELETING


@routes.post("/issues/bulk", can=Permission.EVENT_WRITE, step_up=_deletes)
def bulk(req: Req) -> render.Response:
    """Resolve, unresolve, archive, delete, discard or assign the selected issues; then the list.

    `back` is the query string of the list; `assign` is a user id, 0 for nobody.
    """
    ids = req.form.ids("id", limit=actions.MAX_BULK)
    if not ids:
        render.flash(req, "Select an issue first.", "error")
    elif "assign" in req.form:
        user_id = req.form.int("assign") or None
        with req.meta.write() as tx:
            done = actions.bulk(tx, req.reach, ids, actions.assign, user_id, by=req.actor)
        render.flash(req, _said(done, "assigned" if user_id else "assigned to nobody"))
    else:
        action = req.form.choice("action", ACTIONS)
        reach = req.reach
        if action in _DELETING:
            if not req.actor.can(Permission.EVENT_ADMIN):
                raise Forbidden("You do not have permission to delete issues.")
            reach = req.actor.access.reach_for(Permission.EVENT_ADMIN)
        function, word = ACTIONS[action]
        with req.meta.write() as tx:
            done = actions.bulk(tx, reach, ids, function, by=req.actor)
        render.flash(req, _said(done, word))
    back = req.form.text("back", max=8000)
    if not req.is_htmx:
        return render.redirect(f"/issues/?{back}" if back else "/issues/")
    return _answer(req, Query.parse_query(back.encode()))


@routes.get("/issues/assignees", can=Permission.EVENT_WRITE)
def assignees(req: Req) -> render.Response:
    """The members whose name or address holds `find`, as buttons that give them `issue`, or the
    selected issues of a list."""
    reader, organization_id = req.meta.read(), req.reach.organization_id
    text, limit = req.query.text("find", max=200), listing.SUGGESTED
    if text:
        people = accounts.members_page(reader, organization_id, text=text, limit=limit)
    else:
        people = accounts.assignable(reader, organization_id, limit)
    part = "issues/_assignees.html"
    return render.page(req, part, part=part, people=people, issue_id=req.query.int("issue", 0))


def _answer(req: Req, params: Query) -> render.Response:
    view = listing.load(req, params)
    return render.page(req, "issues/index.html", part="issues/_list.html", view=view)


def _said(done: list[Issue], word: str) -> str:
    if not done:
        raise Invalid("None of the selected issues is there any more.")
    return f"{done[0].name} {word}." if len(done) == 1 else f"{len(done):,} issues {word}."
