"""Reads of dead letters for an actor: bounded by the projects in reach, or all for the server's
administrators. Never writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer.kit.permissions import Permission
from tracer.storage.spool.letters import Wanted

if TYPE_CHECKING:
    from tracer.kit.context import Reach, Req, Tracer
    from tracer.storage.meta import Reader
    from tracer.storage.spool import DeadLetter

PAGE_SIZE = 50
#: Statements for a page, who asks and whether they may included.
QUERY_BUDGET = 14
_SETTINGS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Setting:
    """A change of a project's settings: what was done and to which fields; `at` is unix ms."""

    at: int
    action: str
    fields: tuple[str, ...]


def letter(tracer: Tracer, reach: Reach, letter_id: int) -> DeadLetter | None:
    """A dead letter of a project in reach."""
    found = tracer.spool.letters.read.find(letter_id)
    return found if found is not None and reach.holds(found.project_id) else None


def any_letter(tracer: Tracer, _reach: Reach, letter_id: int) -> DeadLetter | None:
    """A dead letter of any project, for the server's administrators."""
    return tracer.spool.letters.read.find(letter_id)


def is_server(req: Req) -> bool:
    """Whether this request is about the dead letters of the whole server."""
    return req.route is not None and req.route.can is Permission.SERVER_ADMIN


def wanted(req: Req, project_id: int | None, reason: str | None) -> Wanted:
    """What the request asks for, of what it may see."""
    ids = None if is_server(req) else req.reach.project_ids
    if project_id is not None:
        ids = (project_id,) if ids is None or project_id in ids else ()
    return Wanted(ids, reason)


def up_to_now(tracer: Tracer, asked: Wanted) -> Wanted:
    """The same without letters that come later, such as a replay that fails again."""
    return replace(asked, through=tracer.spool.letters.read.newest())


def project_names(reader: Reader) -> dict[int, str]:
    """Every project of the server by id, as `organization/project`."""
    rows = reader.rows(
        """
        SELECT p.id, o.slug || '/' || p.slug
        FROM projects p
        JOIN organizations o ON o.id = p.organization_id
        """
    )
    return dict(rows)


def settings_since(reader: Reader, project_id: int, since_ms: int) -> list[Setting]:
    """What was changed in a project's settings after a moment, the latest first."""
    rows = reader.rows(
        """
        SELECT a.at, a.action,
            (SELECT group_concat(key, ',') FROM json_each(coalesce(a.after, '{}')))
        FROM audit a
        JOIN projects p ON p.id = a.project_id AND p.organization_id = a.organization_id
        WHERE a.organization_id = (SELECT organization_id FROM projects WHERE id = :project)
            AND a.object_type IN ('project', 'project_key')
            AND a.project_id = :project
            AND a.at > :since
        ORDER BY a.id DESC
        LIMIT :limit
        """,
        project=project_id,
        since=since_ms,
        limit=_SETTINGS_SHOWN,
    )
    return [Setting(at, action, tuple((names or "").split(","))) for at, action, names in rows]
