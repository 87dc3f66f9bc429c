"""Reads of the server's own project: which it is, who sees it, where an error of it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.kit import noted

if TYPE_CHECKING:
    from tracer.storage.meta import Reader

OWN_FACT = "own_project"


@dataclass(frozen=True, slots=True)
class OwnProject:
    """The project that holds this server's own errors."""

    id: int
    organization_id: int
    slug: str
    organization_slug: str


def own_project(reader: Reader) -> OwnProject | None:
    """None until the first error, or when somebody deleted it."""
    text = noted.load(reader, OWN_FACT) or ""
    if not text.isascii() or not text.isdigit():
        return None
    return reader.find(
        OwnProject,
        """
        SELECT p.id, p.organization_id, p.slug, o.slug
        FROM projects p
        JOIN organizations o ON o.id = p.organization_id
        WHERE p.id = :id AND p.deleted_at IS NULL
        """,
        id=int(text),
    )


def slug_is_taken(reader: Reader, slug: str) -> bool:
    """Whether an organization has it."""
    return reader.value("SELECT 1 FROM organizations WHERE slug = :slug", slug=slug) is not None


def server_admin_ids(reader: Reader) -> set[int]:
    """Everybody who administers the server."""
    return {row[0] for row in reader.rows("SELECT id FROM users WHERE is_server_admin")}


def issue_of(reader: Reader, project_id: int, event_id: str) -> int | None:
    """The issue that an event of the project is in; None while it is not digested."""
    found: int | None = reader.value(
        "SELECT issue_id FROM recent_events WHERE project_id = :project AND event_id = :event",
        project=project_id,
        event=bytes.fromhex(event_id),
    )
    return found
