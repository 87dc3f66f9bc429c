"""The page of the server, for its administrators: how it does, what is wrong, what to do."""

from __future__ import annotations

import re

from tracer import clock
from tracer.accounts import actions as accounts
from tracer.accounts.model import LOGIN_AGE_MS
from tracer.accounts.pages.entry import keep_login
from tracer.errors import NotFound
from tracer.features.operations import queries
from tracer.kit import render, status, tasks
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes

routes = Routes()

PATH = "/settings/server/"
#: Queries of the page at most.
BUDGET = 12
FAILED = 20
_EVENT = re.compile(r"[0-9a-f]{32}\Z")


@routes.get(PATH, can=Permission.SERVER_ADMIN)
def show(req: Req) -> render.Response:
    """How the server does; htmx gets the part that changes."""
    tracer, reader = req.tracer, req.meta.read()
    return render.page(
        req,
        "operations/index.html",
        part="operations/_state.html",
        state=status.gather(tracer),
        routes=status.slowest_routes(tracer),
        statements=tracer.samples.slowest_statements(status.SLOWEST),
        requests=tracer.samples.slowest_requests(status.SLOWEST),
        failed=tasks.failed_tasks(reader, limit=FAILED),
        own=queries.own_project(reader),
        left_out=tracer.own_errors.left_out,
    )


@routes.post(PATH + "tasks/{task_id:int}/retry", can=Permission.SERVER_ADMIN)
def retry(req: Req, task_id: int) -> render.Response:
    """Put a failed task back into the queue."""
    try:
        with req.meta.write() as tx:
            tasks.retry(tx, task_id)
    except NotFound:
        render.flash(req, "This task is no longer among the failed ones.", "warning")
        return render.redirect(PATH)
    req.tracer.worker.wake()
    render.flash(req, "The task is tried again.")
    return render.redirect(PATH)


@routes.get(PATH + "errors/{event_id}", can=Permission.SERVER_ADMIN)
def error(req: Req, event_id: str) -> render.Response:
    """Where an error of this server is, by the id that its page showed."""
    own, issue_id = _find(req, event_id)
    if own and issue_id and own.organization_id == req.reach.organization_id:
        return render.redirect(_event_path(issue_id, event_id))
    return render.page(
        req, "operations/error.html", event_id=event_id, is_there=issue_id is not None
    )


@routes.post(PATH + "errors/{event_id}", can=Permission.SERVER_ADMIN)
def open_error(req: Req, event_id: str) -> render.Response:
    """Change to the organization of the server itself, and show the error."""
    own, issue_id = _find(req, event_id)
    if own is None or issue_id is None or req.actor.user_id is None:
        return render.redirect(f"{PATH}errors/{event_id}")
    with req.meta.write() as tx:
        cookie = accounts.switch_login(tx, req.actor.ref, req.actor.user_id, own.organization_id)
    keep_login(req, cookie, clock.now_ms() + LOGIN_AGE_MS)
    return render.redirect(_event_path(issue_id, event_id))


def _find(req: Req, event_id: str) -> tuple[queries.OwnProject | None, int | None]:
    """The server's own project and the issue that the event is in, where they are there."""
    if not _EVENT.match(event_id):
        raise NotFound("This is no id of an error.")
    own = queries.own_project(req.meta.read())
    return own, queries.issue_of(req.meta.read(), own.id, event_id) if own else None


def _event_path(issue_id: int, event_id: str) -> str:
    return f"/issues/{issue_id}/events/{event_id}/"
