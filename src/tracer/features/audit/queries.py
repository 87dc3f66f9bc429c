"""Reads of the audit log: pages of it, the choices of its filters, everything for an export.

Never writes. What an actor sees is bounded by `Scope`: one organization, its projects in reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.features.audit.model import COLUMNS, DAY_MS, Entry, Position, Wanted

if TYPE_CHECKING:
    from tracer.kit.context import Reach, Req
    from tracer.storage.meta import Reader

PAGE_SIZE = 50
#: Statements for one page of the log, who asks and whether they may included.
QUERY_BUDGET = 12
#: A page looks through so many entries at most; it says so when there are more.
LOOK_AT = 50_000
CHUNK = 1000
CHOICES = 200

_SEARCHED = (
    "actor || char(10) || action || char(10) || object_type || ' ' || object_id || char(10)"
    " || object || char(10) || address || char(10) || device || char(10)"
    " || coalesce(before, '') || char(10) || coalesce(after, '')"
)
_IN_REACH = "(project_id IS NULL OR project_id IN (SELECT value FROM json_each(:reach)))"
_IN_REACH_OR_GONE = """(
    project_id IS NULL
    OR project_id IN (SELECT value FROM json_each(:reach))
    OR project_id NOT IN (
        SELECT id FROM projects WHERE organization_id = :organization AND deleted_at IS NULL
    )
)"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose entries. `reach` None is the command line's: everything of the organization.

    `server`: the entries of no organization. `only_reach`: nothing of projects that are gone.
    """

    organization_id: int | None
    reach: Reach | None = None
    server: bool = False
    only_reach: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the newest first. `next` is where the next page begins; `looked_until` (unix ms) is
    set when this one stopped looking before it was full."""

    entries: list[Entry]
    next: Position | None
    looked_until: int | None = None


def scope_of(req: Req, *, server: bool = False) -> Scope:
    """What this request may see; the server's own entries for its administrators only."""
    identity = req.actor.identity
    limited = identity is not None and identity.project_ids is not None
    return Scope(
        req.reach.organization_id, req.reach, server and req.actor.is_server_admin, limited
    )


def page(
    reader: Reader,
    scope: Scope,
    wanted: Wanted,
    *,
    after: Position | None = None,
    limit: int = PAGE_SIZE,
) -> Page:
    """One page. It looks at no more than LOOK_AT entries: then `next` goes on from there."""
    newest = (reader.value("SELECT max(id) FROM audit") or 0) + 1
    top = min(newest, after.id if after is not None else newest)
    if wanted.until_ms is not None:
        at = "SELECT id FROM audit WHERE at < :until ORDER BY at DESC, id DESC LIMIT 1"
        top = min(top, (reader.value(at, until=wanted.until_ms) or 0) + 1)
    index = _index(scope, wanted)
    narrowed = wanted.text or wanted.actor or wanted.object_id or wanted.project_id
    floor = 0 if index and not narrowed else max(0, top - LOOK_AT)
    conditions, params = _conditions(reader, scope, wanted)
    found = reader.load(
        Entry,
        f"""
        SELECT {", ".join(COLUMNS)}
        FROM audit {index}
        WHERE {" AND ".join(conditions)} AND id < :top AND id >= :floor
        ORDER BY id DESC
        LIMIT :limit
        """,  # noqa: S608
        **params,
        top=top,
        floor=floor,
        limit=limit + 1,
    )
    entries = found[:limit]
    if len(found) > limit:
        return Page(entries, Position(entries[-1].id))
    row = reader.row("SELECT id, at FROM audit WHERE id < :floor ORDER BY id DESC", floor=floor)
    since = wanted.since_ms or 0
    if row is None or row[1] < since:
        return Page(entries, None)
    return Page(entries, Position(floor), row[1])


def export(
    reader: Callable[[], Reader], scope: Scope, wanted: Wanted, *, until_id: int | None = None
) -> Iterator[list[Entry]]:
    """Every entry that fits, the oldest first, some at a time. `reader` gives the one to use by
    the thread that asks for the next. It ends at the newest entry there is at the beginning."""
    conditions, params = _conditions(reader(), scope, wanted)
    last = until_id or reader().value("SELECT max(id) FROM audit") or 0
    sql = f"""
        SELECT {", ".join(COLUMNS)}
        FROM audit
        WHERE {" AND ".join(conditions)} AND id > :from AND id <= :last
        ORDER BY id
        LIMIT {CHUNK}
        """  # noqa: S608
    start = 0
    while True:
        found = reader().load(Entry, sql, **params, **{"from": start, "last": last})
        if found:
            yield found
        if len(found) < CHUNK:
            return
        start = found[-1].id


def actions(reader: Reader, scope: Scope) -> list[str]:
    """The actions that occur, by name."""
    return _distinct(reader, scope, "action")


def object_types(reader: Reader, scope: Scope) -> list[str]:
    """The types of objects that occur, by name."""
    return _distinct(reader, scope, "object_type")


def audit_days(reader: Reader, organization_id: int) -> int:
    """How many days the organization keeps its entries; 0 is for ever."""
    found: int | None = reader.value(
        "SELECT audit_days FROM organizations WHERE id = :id", id=organization_id
    )
    return found or 0


def _distinct(reader: Reader, scope: Scope, column: str) -> list[str]:
    # Jumps from value to value along the index, whatever the number of entries.
    of = "organization_id IS :organization"
    rows = reader.rows(
        f"""
        WITH RECURSIVE found (value, n) AS (
            SELECT (SELECT min({column}) FROM audit WHERE {of}), 1
            UNION ALL
            SELECT (SELECT min({column}) FROM audit WHERE {of} AND {column} > value), n + 1
            FROM found
            WHERE value IS NOT NULL AND n < {CHOICES}
        )
        SELECT value FROM found WHERE value IS NOT NULL
        """,  # noqa: S608
        organization=None if scope.server else scope.organization_id,
    )
    return [row[0] for row in rows]


def _index(scope: Scope, wanted: Wanted) -> str:
    """The index that leads straight to what is wanted; left alone, SQLite walks by id."""
    if scope.organization_id is None and not scope.server:
        return ""
    if wanted.action:
        return "INDEXED BY audit_action"
    return "INDEXED BY audit_object_type" if wanted.object_type else ""


def _conditions(reader: Reader, scope: Scope, wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    """The WHERE of a scope and a search; params are named as in it."""
    conditions, params = _of(reader, scope)
    for column in ("action", "object_type", "object_id", "project_id"):
        value = getattr(wanted, column)
        if value not in ("", None):
            conditions.append(f"{column} = :{column}")
            params[column] = value
    if wanted.actor:
        conditions.append("actor LIKE :actor ESCAPE '\\'")
        params["actor"] = _like(wanted.actor)
    for number, word in enumerate(wanted.text.split()):
        conditions.append(f"{_SEARCHED} LIKE :word{number} ESCAPE '\\'")
        params[f"word{number}"] = _like(word)
    if wanted.since_ms is not None:
        conditions.append("at >= :since")
        params["since"] = wanted.since_ms
    if wanted.until_ms is not None:
        conditions.append("at < :until")
        params["until"] = wanted.until_ms
    return conditions, params


def _of(reader: Reader, scope: Scope) -> tuple[list[str], dict[str, Any]]:
    if scope.server:
        return ["organization_id IS NULL"], {}
    if scope.organization_id is None:
        return ["1"], {}
    params: dict[str, Any] = {"organization": scope.organization_id}
    conditions = ["organization_id = :organization"]
    days = audit_days(reader, scope.organization_id)
    if days and scope.reach is not None:
        # Past its retention an entry may still wait until those before it may go too.
        conditions.append("at >= :kept")
        params["kept"] = clock.now_ms() - days * DAY_MS
    if scope.reach is not None:
        conditions.append(_IN_REACH if scope.only_reach else _IN_REACH_OR_GONE)
        params["reach"] = str(list(scope.reach.project_ids))
    return conditions, params


def _like(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, "\\" + sign)
    return f"%{text}%"
