"""The audit log for programs: a page of it at a time, or all of it as a file."""

from __future__ import annotations

import msgspec

from tracer.accounts.actions.retention import set_audit_days
from tracer.accounts.model import Organization
from tracer.accounts.queries import organization_by_slug
from tracer.features.audit import export, queries, reading
from tracer.features.audit.model import Position, Wanted
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Param, Routes

routes = Routes()

PATH = "/api/0/organizations/{organization_slug}/audit-logs/"

_FILTERS = (
    Param("query", "Only entries that hold all these words."),
    Param("actor", "Only entries whose actor's name or e-mail contains this."),
    Param("event", "Only this action, such as `project.update`."),
    Param("target_type", "Only objects of this type, such as `project`."),
    Param("target_id", "Only the object with this id."),
    Param("project", "Only this project, by slug or id; one that is gone, by id."),
    Param("start", "Only entries from this date or moment on (ISO 8601)."),
    Param("end", "Only entries before this moment; a date includes its day."),
)


class AuditLog(msgspec.Struct):
    """A page of entries, the newest first; `options` are the actions that occur."""

    rows: list[export.Row]
    options: list[str]


class Retention(msgspec.Struct, rename="camel"):
    """How many days entries are kept; 0 is for ever."""

    audit_days: int


@routes.get(
    PATH,
    can=Permission.ORG_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "List an organization's audit log",
        description="The newest first. A page may be short, or empty, while `Link` names a next "
        "one: it stops after it has looked through 50,000 entries.",
        query=(*_FILTERS, Param("limit", "Entries a page, 1 to 100.", "integer")),
        returns=AuditLog,
        errors=(400, 401, 403, 404),
        tag="Audit log",
        paged=True,
    ),
)
def list_entries(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    scope = queries.scope_of(req)
    reader = req.meta.read()
    found = queries.page(
        reader,
        scope,
        _wanted(req),
        after=decode_cursor(req.query.get("cursor"), Position),
        limit=req.query.int("limit", 50, min=1, max=100),
    )
    log = AuditLog([export.row(entry) for entry in found.entries], queries.actions(reader, scope))
    next_ = encode_cursor(found.next) if found.next else None
    return json(log, headers=link_header(req, previous=None, next=next_))


@routes.get(
    PATH + "export/",
    can=Permission.ORG_WRITE,
    load=organization_by_slug,
    step_up=True,
    doc=Operation(
        "Export an organization's audit log",
        description="All that fits the filters, the oldest first, as JSON Lines or CSV. "
        "In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe. "
        "The export is recorded itself.",
        query=(
            Param("format", "JSON Lines or CSV.", values=tuple(export.FORMATS)),
            *_FILTERS,
        ),
        errors=(400, 401, 403, 404),
        tag="Audit log",
    ),
)
def export_entries(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return reading.stream(req, _wanted(req), req.query.choice("format", export.FORMATS, "jsonl"))


@routes.get(
    PATH + "retention/",
    can=Permission.ORG_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "Retrieve how long the audit log is kept",
        returns=Retention,
        errors=(401, 403, 404),
        tag="Audit log",
    ),
)
def retention(req: Req, organization: Organization) -> Response:
    return json(Retention(queries.audit_days(req.meta.read(), organization.id)))


@routes.put(
    PATH + "retention/",
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    step_up=True,
    doc=Operation(
        "Change how long the audit log is kept",
        description="30 to 3,650 days, or 0 for ever.",
        body=Retention,
        returns=Retention,
        errors=(400, 401, 403, 404),
        tag="Audit log",
    ),
)
def set_retention(req: Req, organization: Organization) -> Response:
    wanted = req.decode(Retention)
    with req.meta.write() as tx:
        set_audit_days(tx, organization.id, wanted.audit_days)
    return json(wanted)


def _wanted(req: Req) -> Wanted:
    return reading.wanted(req.query, req.projects, action="event", prefix="target")
