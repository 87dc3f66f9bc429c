"""What is kept for how long, and how much of it there is, for the command line. Only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.accounts.model import LOGIN_AGE_MS
from tracer.issues.model import DAY_MS
from tracer.issues.tasks import HOURS_MS, RECENT_MS
from tracer.storage.folder import Folder
from tracer.storage.spool.letters import reading

if TYPE_CHECKING:
    from tracer.settings import Settings
    from tracer.storage.meta import Reader

FOREVER = None


def find(reader: Reader, *, settings: Settings) -> dict[str, Any]:
    """One entry for each kind of data: `days` (None: for ever), `rows`, the oldest (unix ms, None:
    there is none) and what changes it."""
    kept = [
        _entry(reader, "issues and events", FOREVER, "deleting an issue or project", _EVENTS),
        _entry(reader, "recent event ids", RECENT_MS // DAY_MS, "", _RECENT),
        _entry(reader, "hourly counts of issues", HOURS_MS // DAY_MS, "", _HOURS),
        _entry(reader, "accepted and outcomes by hour", FOREVER, "deleting a project", _OUTCOMES),
        _entry(reader, "logins", LOGIN_AGE_MS // DAY_MS, "", _LOGINS),
    ]
    kept.append(_letters(settings))
    for org, slug, days in reader.rows(
        "SELECT id, slug, audit_days FROM organizations WHERE slug NOT LIKE '~%' ORDER BY slug"
    ):
        how = f"tracer audit retention --org {slug} --days N"
        kept.append(_entry(reader, f"audit log of {slug}", days or FOREVER, how, _AUDIT, org=org))
    return {"kept": kept}


_EVENTS = "SELECT coalesce(sum(event_count), 0), min(first_seen_at) FROM issues"
_RECENT = "SELECT count(*), min(received_at) FROM recent_events"
_HOURS = "SELECT count(*), min(hour_at) FROM issue_hours"
_OUTCOMES = "SELECT count(*), min(hour_at) FROM outcomes"
_LOGINS = "SELECT count(*), min(created_at) FROM logins"
_AUDIT = "SELECT count(*), min(at) FROM audit WHERE organization_id = :org"


def _entry(
    reader: Reader, what: str, days: int | None, changed_by: str, sql: str, **params: Any
) -> dict[str, Any]:
    row = reader.row(sql, **params)
    assert row is not None
    return {
        "what": what,
        "days": days,
        "rows": row[0],
        "oldest_at": row[1],
        "changed_by": changed_by,
    }


def _letters(settings: Settings) -> dict[str, Any]:
    """Dead letters lie in the spool's file, which a folder that was never served has not."""
    path = Folder(settings.data).spool
    rows, oldest_at = 0, None
    if path.is_file():
        with reading(path) as letters:
            groups = letters.groups()
        rows = sum(group.count for group in groups)
        oldest_at = min((group.first_try_at for group in groups), default=None)
    return {
        "what": "dead letters",
        "days": settings.dead_letters_days,
        "rows": rows,
        "oldest_at": oldest_at,
        "changed_by": "setting dead_letters_days",
    }
