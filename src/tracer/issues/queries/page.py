"""One page of an issue list: which issues, in which order, whose counts. Never writes.

The smaller side first: a condition that few issues meet yields ids, which are sorted; else issues
are walked in the list's order and tried, and a walk that gives up after WINDOW issues says so.
"""

# ruff: noqa: S608 - only this package's own constants and numbers are put into SQL

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tracer import clock
from tracer.errors import Invalid
from tracer.issues.model import Issue
from tracer.issues.queries import hidden
from tracer.issues.queries.clauses import Clause
from tracer.issues.queries.filters import Filters, Narrowed, narrow
from tracer.issues.queries.rows import JOINS, columns
from tracer.search import wildcards

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

Sort = Literal["last_seen", "first_seen", "events", "users"]
SORTS: dict[str, str] = {
    "last_seen": "last_seen_at",
    "first_seen": "first_seen_at",
    "events": "event_count",
    "users": "user_count",
}

PAGE_SIZE = 25
#: A first page also counts what matches, up to this many.
COUNT_CAP = 1000
#: How many issues a walk looks at before it gives up.
WINDOW = 10_000
#: A source with fewer ids than this is sorted instead of walked past.
FEW = 5000
# SQLite joins at most 500 SELECTs; past this the list is sorted as a whole, correct but slow.
_MAX_RANGES = 400


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two issues of a list: the sort key and id of the issue beside it."""

    key: int
    id: int
    is_back: bool = False

    def __str__(self) -> str:
        return f"{self.key}:{self.id}:{int(self.is_back)}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """A cursor as it was printed; None for "". Raises Invalid."""
        if not text:
            return None
        parts = text.split(":")
        if len(parts) != 3 or parts[2] not in {"0", "1"} or not all(_is_int(p) for p in parts):
            raise Invalid("The cursor is not one of this list.")
        return cls(int(parts[0]), int(parts[1]), parts[2] == "1")


@dataclass(frozen=True, slots=True)
class Page:
    """Issues in order. Counts and times are those of `environment` if one was chosen.

    `total` is how many match, None beyond the first page; when `is_capped`, there are more.
    `is_partial`: the walk gave up before the page was full; `next` goes on from there.
    """

    issues: list[Issue]
    next: Cursor | None
    previous: Cursor | None
    total: int | None
    is_capped: bool
    is_partial: bool
    environment: str | None


def page(
    reader: Reader,
    reach: Reach,
    filters: Filters,
    *,
    sort: str = "last_seen",
    cursor: Cursor | None = None,
    limit: int = PAGE_SIZE,
    user_id: int | None = None,
) -> Page:
    """The issues in reach that match, at most `limit`; `user_id` is who "me" is. Raises Invalid.

    At most four queries: projects by name, sizes of sources, the window's end, the page.
    """
    if sort not in SORTS:
        raise Invalid(f"Sort by one of: {', '.join(SORTS)}.")
    narrowed = narrow(filters, user_id=user_id, now_ms=clock.now_ms())
    projects = _projects(reader, reach, filters, narrowed)
    if reach.hidden:
        narrowed, projects = _kept_back(reach, narrowed, projects)
    if not projects or not narrowed.statuses:
        return Page([], None, None, 0, False, False, narrowed.environment)
    listing = _listing(narrowed, projects, sort, cursor)
    source = _smallest_source(reader, listing)
    floor = None
    if source is not None:
        matched = _by_source(listing, source)
    else:
        floor = _window_end(reader, listing)
        matched = _by_walk(listing, floor)
    rows = _load(reader, listing, matched, limit)
    return _page(rows, listing, floor, limit)


# Planning ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Listing:
    """A list to read: `t` is the table with the counts (alias), `id` its issue id, `key` the sort
    key. `bounds` are conditions on an index range, `clauses` those tried on each issue."""

    t: str
    id: str
    key: str
    projects: tuple[int, ...]
    statuses: tuple[int, ...]
    environment: str | None
    clauses: list[Clause]
    bounds: list[str]
    cursor: Cursor | None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def is_back(self) -> bool:
        return self.cursor is not None and self.cursor.is_back

    @property
    def direction(self) -> str:
        return "ASC" if self.is_back else "DESC"

    @property
    def place(self) -> str:
        return f"({self.t}.{self.key}, {self.id})"


def _listing(
    narrowed: Narrowed, projects: tuple[int, ...], sort: str, cursor: Cursor | None
) -> _Listing:
    t, id_ = ("i", "i.id") if narrowed.environment is None else ("e", "e.issue_id")
    listing = _Listing(
        t, id_, SORTS[sort], projects, narrowed.statuses, narrowed.environment,
        list(narrowed.clauses), [], cursor,
    )  # fmt: skip
    for op, name, moment in (
        (">=", "since", narrowed.since_ms),
        ("<=", "until", narrowed.until_ms),
    ):
        if moment is None:
            continue
        listing.params[name] = moment
        condition = f"{t}.last_seen_at {op} :{name}"
        if sort == "last_seen":
            listing.bounds.append(condition)
        else:
            listing.clauses.append(Clause(condition, {}, _seen_in_time(listing, condition)))
    for clause in listing.clauses:
        listing.params |= clause.params
    if narrowed.environment is not None:
        listing.params["environment"] = narrowed.environment
    if cursor is not None:
        listing.params |= {"key": cursor.key, "id": cursor.id}
        listing.bounds.append(f"{listing.place} {'>' if cursor.is_back else '<'} (:key, :id)")
    return listing


def _seen_in_time(listing: _Listing, condition: str) -> str:
    where = [f"{listing.t}.project_id IN ({_listed(listing.projects)})"]
    if listing.environment is not None:
        where.append("e.environment = :environment")
    where += [f"{listing.t}.status IN ({_listed(listing.statuses)})", condition]
    return f"SELECT {listing.id} AS id FROM {_table(listing)} WHERE {' AND '.join(where)}"


def _projects(
    reader: Reader, reach: Reach, filters: Filters, narrowed: Narrowed
) -> tuple[int, ...]:
    chosen = reach.project_ids
    if filters.project_ids is not None:
        chosen = tuple(id_ for id_ in filters.project_ids if reach.holds(id_))
    if narrowed.project_slugs and chosen:
        slugs = reader.rows(f"SELECT id, slug FROM projects WHERE id IN ({_listed(chosen)})")
        for names, is_negated in narrowed.project_slugs:
            slugs = [
                (id_, slug)
                for id_, slug in slugs
                if any(wildcards.matches(name, slug) for name in names) != is_negated
            ]
        chosen = tuple(id_ for id_, _ in slugs)
    return chosen


def _kept_back(
    reach: Reach, narrowed: Narrowed, projects: tuple[int, ...]
) -> tuple[Narrowed, tuple[int, ...]]:
    """Without issues that are hidden; and what asks for the content of events finds only issues
    none of whose events are, or a search would tell what they hold."""
    chosen = narrowed.environment
    if chosen is not None:
        projects = tuple(id_ for id_ in projects if chosen not in reach.hides(id_))
    condition = hidden.HAS_NO_HIDDEN if narrowed.reads_content else hidden.HAS_SEEN
    clause = Clause(condition, {"hidden": hidden.parameter(reach)})
    return replace(narrowed, clauses=(*narrowed.clauses, clause)), projects


def _smallest_source(reader: Reader, listing: _Listing) -> str | None:
    """The source with the fewest ids, if those are few enough to be sorted."""
    sources = [clause.source for clause in listing.clauses if clause.source]
    if not sources:
        return None
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM ({_on(listing, source)}) LIMIT {FEW}))"
        for source in sources
    )
    sizes = reader.row(f"SELECT {counts}", **listing.params)
    assert sizes is not None
    size, source = min(zip(sizes, sources, strict=True))
    return source if size < FEW else None


def _window_end(reader: Reader, listing: _Listing) -> tuple[int, int] | None:
    """The place of the last issue a walk looks at; None when it may go to the end."""
    if not listing.clauses:
        return None
    sql = f"{_ranges(listing, with_clauses=False)} LIMIT 1 OFFSET {WINDOW - 1}"
    row = reader.row(sql, **listing.params)
    return None if row is None else (row[1], row[0])


# SQL --------------------------------------------------------------------------------------------


def _by_walk(listing: _Listing, floor: tuple[int, int] | None) -> str:
    if floor is not None:
        listing.params |= {"floor_key": floor[0], "floor_id": floor[1]}
        op = "<=" if listing.is_back else ">="
        listing.bounds.append(f"{listing.place} {op} (:floor_key, :floor_id)")
    return _ranges(listing, with_clauses=True)


def _ranges(listing: _Listing, *, with_clauses: bool) -> str:
    """(id, key) in the list's order: one index range per project and status, merged."""
    tables = _table(listing)
    conditions = list(listing.bounds)
    if with_clauses and listing.clauses:
        if listing.t == "e":
            tables += " CROSS JOIN issues i ON i.id = e.issue_id"
        conditions += [_on(listing, clause.sql) for clause in listing.clauses]
    if listing.environment is not None:
        conditions.insert(0, "e.environment = :environment")
    t = listing.t
    ranges = [
        f"{t}.project_id = {project:d} AND {t}.status = {status:d}"
        for project in listing.projects
        for status in listing.statuses
    ]
    if len(ranges) > _MAX_RANGES:
        projects, statuses = _listed(listing.projects), _listed(listing.statuses)
        ranges = [f"{t}.project_id IN ({projects}) AND {t}.status IN ({statuses})"]
    selects = [
        f"SELECT {listing.id} AS id, {t}.{listing.key} AS key FROM {tables}"
        f" WHERE {' AND '.join([range_, *conditions])}"
        for range_ in ranges
    ]
    order = f"ORDER BY 2 {listing.direction}, 1 {listing.direction}"
    return f"{' UNION ALL '.join(selects)} {order}"


def _by_source(listing: _Listing, source: str) -> str:
    tables = f"(SELECT DISTINCT * FROM ({_on(listing, source)})) s CROSS JOIN issues i"
    tables += " ON i.id = s.id"
    conditions = [
        f"+i.project_id IN ({_listed(listing.projects)})",
        f"+i.status IN ({_listed(listing.statuses)})",
    ]
    if listing.t == "e":
        tables += " CROSS JOIN issue_environments e ON e.issue_id = i.id"
        conditions.append("e.environment = :environment")
    conditions += listing.bounds
    conditions += [_on(listing, clause.sql) for clause in listing.clauses]
    return (
        f"SELECT i.id AS id, {listing.t}.{listing.key} AS key FROM {tables}"
        f" WHERE {' AND '.join(conditions)}"
        f" ORDER BY 2 {listing.direction}, 1 {listing.direction}"
    )


def _load(reader: Reader, listing: _Listing, matched: str, limit: int) -> list[tuple[Any, ...]]:
    """The issues' columns, then their key, then how many match; one more than `limit`."""
    cap = limit + 1 if listing.cursor is not None else max(COUNT_CAP + 1, limit + 1)
    direction, joins = listing.direction, JOINS
    if listing.t == "e":
        joins += "\n    JOIN issue_environments e ON e.issue_id = i.id"
        joins += " AND e.environment = :environment"
    sql = f"""
        WITH matched AS MATERIALIZED ({matched} LIMIT {cap}),
        shown AS MATERIALIZED (
            SELECT id, key
            FROM matched
            ORDER BY key {direction}, id {direction}
            LIMIT {limit + 1}
        )
        SELECT {columns(listing.t)}, shown.key, (SELECT count(*) FROM matched)
        FROM shown
        CROSS JOIN issues i ON i.id = shown.id {joins}
        ORDER BY shown.key {direction}, shown.id {direction}
    """
    return reader.rows(sql, **listing.params)


def _page(
    rows: list[tuple[Any, ...]], listing: _Listing, floor: tuple[int, int] | None, limit: int
) -> Page:
    has_more = len(rows) > limit
    total = (rows[0][-1] if rows else 0) if listing.cursor is None else None
    places = [(row[-2], row[0]) for row in rows[:limit]]
    issues = [Issue(*row[:-2]) for row in rows[:limit]]
    is_partial = floor is not None and not has_more
    onward = places[-1] if has_more else floor
    back = places[0] if places else None
    if listing.cursor is not None and back is None:
        back = (listing.cursor.key, listing.cursor.id)
    ahead = Cursor(onward[0], onward[1], listing.is_back) if onward is not None else None
    behind = Cursor(back[0], back[1], not listing.is_back) if listing.cursor and back else None
    if listing.is_back:
        issues.reverse()
        ahead, behind = behind, ahead
    return Page(
        issues,
        ahead,
        behind,
        None if total is None else min(total, COUNT_CAP),
        total is not None and (total > COUNT_CAP or floor is not None),
        is_partial,
        listing.environment,
    )


def _table(listing: _Listing) -> str:
    return "issues i" if listing.t == "i" else "issue_environments e"


def _on(listing: _Listing, sql: str) -> str:
    return sql.replace("{t}", listing.t)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:d}" for number in numbers)


def _is_int(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19
