"""The page of the audit log: search, export, and how long it is kept."""

from __future__ import annotations

from urllib.parse import urlencode

from tracer import clock
from tracer.accounts.actions.retention import set_audit_days
from tracer.errors import Invalid
from tracer.features.audit import export, queries, reading
from tracer.features.audit.model import Position
from tracer.issues.pages.listing import SELECTABLE, SUGGESTED
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes

routes = Routes()

PATH = "/settings/audit/"
#: The fields of the search, as they stand in the address and in the form of the export.
FIELDS = (
    "query",
    "actor",
    "action",
    "object_type",
    "object_id",
    "project",
    "start",
    "end",
    "server",
)


@routes.get(PATH, can=Permission.ORG_WRITE)
def index(req: Req) -> render.Response:
    """Entries that fit the search, the newest first; htmx gets the list alone."""
    return _page(req)


@routes.post(PATH + "export", can=Permission.ORG_WRITE, step_up=True)
def export_file(req: Req) -> render.Response:
    """All that fits the search as a file."""
    format_ = req.form.choice("format", export.FORMATS)
    server = req.form.flag("server")
    return reading.stream(req, reading.wanted(req.form, req.projects), format_, server=server)


@routes.post(PATH + "retention", can=Permission.ORG_ADMIN, step_up=True)
def set_retention(req: Req) -> render.Response:
    """Keep entries for so many days; 0 is for ever."""
    try:
        days = req.form.int("days", min=0)
        with req.meta.write() as tx:
            set_audit_days(tx, req.reach.organization_id, days)
    except Invalid as error:
        return _page(req, status=422, error=error.detail, typed=req.form.text("days", max=20))
    kept = f"Entries are kept for {days:,} days." if days else "Entries are kept for ever."
    render.flash(req, kept)
    return render.redirect(PATH)


def _page(
    req: Req, *, status: int = 200, error: str = "", typed: str | None = None
) -> render.Response:
    scope = queries.scope_of(req, server=req.query.flag("server"))
    reader, search = req.meta.read(), reading.wanted(req.query, req.projects)
    has_many = len(req.projects) > SELECTABLE
    found = queries.page(
        reader,
        scope,
        search,
        after=decode_cursor(req.query.get("cursor"), Position),
    )
    chosen = {name: req.query.text(name, max=reading.TEXT_MAX) for name in FIELDS}
    return render.page(
        req,
        "audit/index.html",
        part="audit/_list.html",
        status=status,
        entries=found.entries,
        chosen=chosen,
        is_filtered=any(chosen.values()),
        action_options=_options("Any action", queries.actions(reader, scope)),
        type_options=_options("Any object", queries.object_types(reader, scope)),
        project=search.project_id or "",
        has_many_projects=has_many,
        offered=req.projects[:SUGGESTED],
        project_options=[]
        if has_many
        else [("", "Any project"), *((ref.id, ref.name) for ref in req.projects)],
        project_names={ref.id: ref.name for ref in req.projects},
        first=_address(chosen) if req.query.get("cursor") else "",
        next=_address(chosen, encode_cursor(found.next)) if found.next else "",
        looked_until=clock.from_ms(found.looked_until) if found.looked_until else None,
        days=queries.audit_days(reader, req.reach.organization_id),
        typed=typed,
        error=error,
        entry_address=lambda **of: _address({**of, "server": chosen["server"]}),
    )


def _options(none: str, values: list[str]) -> list[tuple[str, str]]:
    return [("", none), *((value, value) for value in values)]


def _address(chosen: dict[str, str], cursor: str = "") -> str:
    query = urlencode(
        {name: value for name, value in {**chosen, "cursor": cursor}.items() if value}
    )
    return f"{PATH}?{query}" if query else PATH
