"""What page and API ask for: a request's search, its scope, and the answer that streams a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tracer import clock
from tracer.errors import Invalid
from tracer.features.audit import actions, export, queries
from tracer.features.audit.model import Wanted
from tracer.kit.render import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.kit.context import Req
    from tracer.kit.directory import ProjectRef
    from tracer.kit.forms import Query
    from tracer.kit.render import Response

TEXT_MAX = 200


def wanted(
    params: Query,
    projects: Sequence[ProjectRef] = (),
    *,
    action: str = "action",
    prefix: str = "object",
) -> Wanted:
    """The search in a query string or form; `projects` are those known by slug. Raises Invalid."""
    return Wanted(
        text=params.text("query", max=TEXT_MAX),
        actor=params.text("actor", max=TEXT_MAX),
        action=params.text(action, max=TEXT_MAX),
        object_type=params.text(f"{prefix}_type", max=TEXT_MAX),
        object_id=params.text(f"{prefix}_id", max=TEXT_MAX),
        project_id=_project(params.text("project", max=TEXT_MAX), projects),
        since_ms=moment(params, "start"),
        until_ms=moment(params, "end", is_end=True),
    )


def moment(params: Query, name: str, *, is_end: bool = False) -> int | None:
    """A date or moment in ISO 8601 as unix milliseconds; UTC where it names no zone. An end that
    is a date includes its day. Raises Invalid."""
    text = params.text(name, max=40)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        if is_end and len(text) == len("2026-01-31"):
            found += timedelta(days=1)
        return max(0, clock.to_ms(found if found.tzinfo else found.replace(tzinfo=UTC)))
    except (ValueError, OverflowError):
        raise Invalid(f"{name}: write a date as 2026-01-31 or 2026-01-31T12:00:00Z.") from None


def _project(text: str, projects: Sequence[ProjectRef]) -> int | None:
    """A project by id, also one that is gone, or by slug."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    for ref in projects:
        if ref.slug == text:
            return ref.id
    raise Invalid(f"There is no project called {text}. One that is gone has its id only.")


def stream(req: Req, search: Wanted, format: str, *, server: bool = False) -> Response:
    """All that fits as a file, the oldest first. The export itself is recorded before it begins."""
    scope = queries.scope_of(req, server=server)
    chunks: export.Chunks = ()
    if req.method != "HEAD":
        with req.meta.write() as tx:
            newest = actions.note_export(tx, scope.organization_id, search, format)
        chunks = queries.export(req.meta.read, scope, search, until_id=newest)
    day = req.now.strftime("%Y-%m-%d")
    return StreamingResponse(
        export.lines(chunks, format),
        200,
        {
            "content-disposition": f'attachment; filename="audit-{day}.{format}"',
            "content-security-policy": "default-src 'none'; sandbox",
            "cache-control": "private, no-store",
        },
        export.FORMATS[format],
    )
