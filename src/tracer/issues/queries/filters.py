"""What an issue list is narrowed by: search terms and form fields become SQL clauses.

The clauses of single terms are those of `clauses`; here is how they hold together.
"""

# ruff: noqa: S608 - only this package's own constants and numbers are put into SQL

from __future__ import annotations

from dataclasses import dataclass

from tracer.issues.model import STATUSES
from tracer.issues.queries.clauses import (
    Clause,
    Clauses,
    add_status,
    add_term,
    add_text,
    exists_related,
    literal,
    match,
    number_in,
)
from tracer.search import Query, Term, wildcards

ALL_STATUSES = tuple(STATUSES.values())
EVERYTHING = Query((), ())


@dataclass(frozen=True, slots=True)
class Filters:
    """A chosen subset of issues. `project_ids` None means all in reach; times are unix ms.

    `environment` also decides whose counts and times are shown and sorted by. `environments` are
    several: an issue was seen in one of them.
    """

    query: Query = EVERYTHING
    project_ids: tuple[int, ...] | None = None
    statuses: tuple[int, ...] = ALL_STATUSES
    levels: tuple[int, ...] = ()
    environment: str | None = None
    environments: tuple[str, ...] = ()
    release: str | None = None
    assigned: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Filters with their terms worked out: what the walk is over, and the clauses.

    `reads_content`: a clause asks what events hold, be they hidden or not.
    """

    statuses: tuple[int, ...]
    environment: str | None
    project_slugs: tuple[tuple[tuple[str, ...], bool], ...]
    clauses: tuple[Clause, ...]
    since_ms: int | None
    until_ms: int | None
    reads_content: bool


def narrow(filters: Filters, *, user_id: int | None, now_ms: int) -> Narrowed:
    """Work out statuses, the one environment, project terms and clauses. Raises Invalid."""
    build = Clauses(user_id, now_ms)
    statuses = set(filters.statuses)
    environment = filters.environment
    slugs: list[tuple[tuple[str, ...], bool]] = []
    for term in filters.query.terms:
        if term.key == "is":
            statuses = add_status(build, term, statuses)
        elif term.key == "project":
            slugs.append((term.values, term.negated))
        elif term.key == "environment" and _is_plain(term) and environment is None:
            environment = wildcards.plain(term.values[0])
        else:
            add_term(build, term)
    for text in filters.query.text:
        add_text(build, text)
    for group in filters.query.any_of:
        _any_of(build, group)
    if filters.environments:
        _environments(build, filters)
    if filters.levels:
        number_in(build, "i.level", filters.levels)
    if filters.release:
        add_term(build, Term("release", "=", (literal(filters.release),), False))
    if filters.assigned:
        add_term(build, Term("assigned", "=", (filters.assigned,), False))
    return Narrowed(
        tuple(status for status in ALL_STATUSES if status in statuses),
        environment,
        tuple(slugs),
        tuple(build.items),
        filters.since_ms,
        filters.until_ms,
        build.reads_content,
    )


def _any_of(build: Clauses, group: tuple[Query, ...]) -> None:
    """One of the alternatives holds. They lead to their issues if each of them does."""
    found = []
    for query in group:
        one = build.branch()
        for term in query.terms:
            _alternative(one, term)
        for text in query.text:
            add_text(one, text)
        for inner in query.any_of:
            _any_of(one, inner)
        build.reads_content |= one.reads_content
        found.append(one.items)
    tests = [" AND ".join(clause.sql for clause in items) or "TRUE" for items in found]
    params = {name: value for items in found for c in items for name, value in c.params.items()}
    sources = [next((c.source for c in items if c.source), None) for items in found]
    source = None
    if all(sources):
        source = " UNION ALL ".join(f"SELECT id FROM ({one})" for one in sources)
    build.add(f"({' OR '.join(f'({test})' for test in tests)})", params, source)


def _alternative(build: Clauses, term: Term) -> None:
    """A term that holds for some of the issues only: it cannot choose what a walk is over."""
    if term.key == "is":
        everything = set(ALL_STATUSES)
        statuses = add_status(build, term, everything)
        if statuses is not everything:
            number_in(build, "i.status", tuple(sorted(statuses)))
    elif term.key == "project":
        condition, params = match(build, "sp.slug", term)
        negation = "NOT " if term.negated else ""
        build.add(
            f"i.project_id {negation}IN (SELECT sp.id FROM projects sp WHERE {condition})", params
        )
    else:
        add_term(build, term)


def _environments(build: Clauses, filters: Filters) -> None:
    """Seen in one of several environments, there in the chosen time."""
    build.reads_content = True
    condition, params = match(
        build,
        "x.environment",
        Term("environment", "=", tuple(map(literal, filters.environments)), False),
    )
    for op, moment in ((">=", filters.since_ms), ("<=", filters.until_ms)):
        if moment is not None:
            name = build.name()
            condition += f" AND x.last_seen_at {op} :{name}"
            params[name] = moment
    exists_related(build, "issue_environments", condition, params, negated=False)


def _is_plain(term: Term) -> bool:
    return (
        not term.negated and len(term.values) == 1 and wildcards.plain(term.values[0]) is not None
    )
