"""Search terms as SQL clauses on issues. Knows no database: text and parameters only.

A clause speaks of `i` (issues) or of `{t}`, the table whose columns are listed: `i`, or `e`
(issue_environments) when one environment was chosen.
"""

# ruff: noqa: S608 - only this package's own constants and numbers are put into SQL

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tracer.errors import Invalid
from tracer.issues.model import DAY_MS, IGNORED, STATUSES
from tracer.issues.queries.rows import split_short_id
from tracer.protocol.categories import LEVELS
from tracer.search import Term, sql, tag_name, wildcards

#: `is:new`: first seen this short a time ago.
NEW_MS = DAY_MS
_TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition on `i`, and, if it can lead to its issues by itself, the SELECT of their ids."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)
    source: str | None = None


class Clauses:
    """Collects clauses, giving every parameter a name of its own."""

    def __init__(
        self, user_id: int | None, now_ms: int, numbers: Iterator[int] | None = None
    ) -> None:
        self.items: list[Clause] = []
        self.user_id = user_id
        self.now_ms = now_ms
        self.reads_content = False
        self._numbers = numbers or count(1)

    def branch(self) -> Clauses:
        """Clauses of one alternative; their parameters have other names than all these."""
        return Clauses(self.user_id, self.now_ms, self._numbers)

    def name(self) -> str:
        return f"c{next(self._numbers)}"

    def add(
        self, condition: str, params: dict[str, Any] | None = None, source: str | None = None
    ) -> None:
        self.items.append(Clause(condition, params or {}, source))

    def exists(self, source: str, probe: str, params: dict[str, Any], *, negated: bool) -> None:
        """`source` selects ids of issues, `probe` asks of `i` whether it is one of them."""
        if negated:
            self.add(f"NOT {probe}", params)
        else:
            self.add(probe, params, source)


def add_term(build: Clauses, term: Term) -> None:
    """The clause of one term: of a known key, else of a tag. Raises Invalid."""
    build.reads_content |= term.key not in _OF_THE_ISSUE
    _KEYS.get(term.key, _tag)(build, term)


def add_status(build: Clauses, term: Term, statuses: set[int]) -> set[int]:
    """Of these statuses those that an `is:` leaves; `is:new` and the like become a clause and
    leave the very same set. Raises Invalid."""
    wanted: set[int] = set()
    for name in term.values:
        if name in STATUSES or name == "archived":
            wanted.add(STATUSES.get(name, IGNORED))
        elif name in _IS and len(term.values) == 1:
            build.add(_not(f"({_IS[name]})", term), {"new_since": build.now_ms - NEW_MS})
            return statuses
        else:
            raise Invalid(
                f"is:{name} stands alone or is not known. Statuses: {', '.join(STATUSES)}."
            )
    return statuses - wanted if term.negated else statuses & wanted


_IS = {
    "assigned": "i.assignee_id IS NOT NULL",
    "unassigned": "i.assignee_id IS NULL",
    "regressed": "i.status = 0 AND i.regressed_at IS NOT NULL",
    "handled": "i.is_handled = 1",
    "unhandled": "i.is_handled = 0",
    "new": "{t}.first_seen_at >= :new_since",
}


def literal(text: str) -> str:
    """A value of a form field as a pattern that means just itself."""
    return text.replace("\\", "\\\\").replace("*", "\\*")


def _level(build: Clauses, term: Term) -> None:
    number_in(build, "i.level", tuple(LEVELS[name] for name in term.values), negated=term.negated)


def number_in(
    build: Clauses, column: str, numbers: tuple[int, ...], *, negated: bool = False
) -> None:
    listed = ", ".join(f"{number:d}" for number in numbers)
    build.add(f"{column} {'NOT ' if negated else ''}IN ({listed})")


def _number(column: str) -> Callable[[Clauses, Term], None]:
    def clause(build: Clauses, term: Term) -> None:
        condition, params = sql.number(column, term, build.name())
        # SQLite's integers have 64 bits; nothing was seen that often.
        build.add(condition, {name: min(int(value), 2**62) for name, value in params.items()})

    return clause


def _moment(column: str) -> Callable[[Clauses, Term], None]:
    return lambda build, term: build.add(*sql.moment(column, term, build.name(), build.now_ms))


def _column(column: str) -> Callable[[Clauses, Term], None]:
    return lambda build, term: build.add(*sql.text(column, term, build.name()))


def _assigned(build: Clauses, term: Term) -> None:
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for value in term.values:
        name = build.name()
        if value == "none":
            conditions.append("{a} IS NULL")
        elif value == "me":
            # A token without a user is nobody: nothing is assigned to 0.
            params[name] = build.user_id or 0
            conditions.append(f"{{a}} = :{name}")
        else:
            params[name] = value
            conditions.append(f"{{a}} = (SELECT id FROM users WHERE email = :{name})")
    condition = f"({' OR '.join(conditions)})"
    # `+` keeps a walk on the list's own index. NOT alone would drop those assigned to nobody.
    probe = condition.replace("{a}", "+i.assignee_id")
    source = None
    if not term.negated and "{a} IS NULL" not in conditions:
        source = (
            f"SELECT i.id AS id FROM issues i WHERE {condition.replace('{a}', 'i.assignee_id')}"
        )
    build.add(_not(probe, term), params, source)


def _environment(build: Clauses, term: Term) -> None:
    _related(build, term, "issue_environments", "environment")


def _release(build: Clauses, term: Term) -> None:
    _related(build, term, "issue_releases", "release")


def _related(build: Clauses, term: Term, table: str, column: str) -> None:
    condition, params = match(build, f"x.{column}", term)
    exists_related(build, table, condition, params, negated=term.negated)


def exists_related(
    build: Clauses, table: str, condition: str, params: dict[str, Any], *, negated: bool
) -> None:
    build.exists(
        f"SELECT x.issue_id AS id FROM {table} x WHERE {condition}",
        f"EXISTS (SELECT 1 FROM {table} x WHERE x.issue_id = i.id AND {condition})",
        params,
        negated=negated,
    )


def _tag(build: Clauses, term: Term) -> None:
    condition, params = match(build, "x.value", term)
    _tagged(build, tag_name(term.key) or term.key, condition, params, negated=term.negated)


def _has(build: Clauses, term: Term) -> None:
    for value in term.values:
        key = wildcards.plain(value) or value
        _tagged(build, tag_name(key) or key, "1", {}, negated=term.negated)


def _user(build: Clauses, term: Term) -> None:
    kind = term.key.partition(".")[2]
    _tag(build, Term("user", "=", tuple(f"{kind}:{value}" for value in term.values), term.negated))


def _tagged(
    build: Clauses, key: str, condition: str, params: dict[str, Any], *, negated: bool
) -> None:
    name = build.name()
    build.exists(
        f"SELECT x.issue_id AS id FROM issue_tags x WHERE x.key = :{name} AND {condition}",
        f"EXISTS (SELECT 1 FROM issue_tags x WHERE x.issue_id = i.id AND x.key = :{name}"
        f" AND {condition})",
        {**params, name: key},
        negated=negated,
    )


def _name(build: Clauses, term: Term) -> None:
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for value in term.values:
        parts = split_short_id(value)
        if parts is None and not (value.isascii() and value.isdigit() and len(value) < 19):
            raise Invalid(f"{value} is not an issue. Use a short id such as SHOP-12, or a number.")
        name, other = build.name(), build.name()
        if parts is None:
            conditions.append(f"i.id = :{name}")
            params[name] = int(value)
        else:
            conditions.append(f"i.id IN ({_BY_SHORT_ID.format(name, other)})")
            params |= {name: parts[0], other: parts[1]}
    condition = f"({' OR '.join(conditions)})"
    source = f"SELECT i.id AS id FROM issues i WHERE {condition}"
    build.add(_not(condition, term), params, None if term.negated else source)


_BY_SHORT_ID = """
    SELECT s.id
    FROM projects sp
    JOIN issues s ON s.project_id = sp.id AND s.short_id = :{1}
    WHERE sp.slug = :{0} COLLATE NOCASE"""


def _message(build: Clauses, term: Term) -> None:
    build.add(*sql.text(_TEXT, term, build.name(), contains=True))


#: What free text is looked for in; the same words stand in `issue_text`.
_TEXT = "(i.title || char(10) || i.culprit || char(10) || i.type || char(10) || i.value)"


def add_text(build: Clauses, text: str) -> None:
    """Text that title, type, value or culprit contain, in any case; or a short id."""
    build.reads_content = True
    text = text.replace("\x00", "")
    if not text:
        return
    name = build.name()
    like = f"{_TEXT} LIKE :{name} ESCAPE '\\'"
    params: dict[str, Any] = {name: f"%{wildcards.like(literal(text))}%"}
    short_id = split_short_id(text)
    if short_id is not None:
        slug, number = build.name(), build.name()
        by_name = _BY_SHORT_ID.format(slug, number)
        params |= {slug: short_id[0], number: short_id[1]}
        like = f"({like} OR i.id IN ({by_name}))"
    if len(text) < _TRIGRAM:
        build.add(like, params)
        return
    match = build.name()
    params[match] = '"' + text.replace('"', '""') + '"'
    source = f"SELECT rowid AS id FROM issue_text WHERE issue_text MATCH :{match}"
    if short_id is not None:
        source = f"SELECT id FROM ({source}) UNION {by_name}"
    build.add(like, params, source)


def match(build: Clauses, column: str, term: Term) -> tuple[str, dict[str, Any]]:
    """A condition that a column is one of a term's values; an index can be used for plain ones."""
    return sql.text(column, Term(term.key, term.op, term.values, negated=False), build.name())


def _not(condition: str, term: Term) -> str:
    return f"NOT coalesce({condition}, FALSE)" if term.negated else condition


#: What is known of an issue without any of its events.
_OF_THE_ISSUE = frozenset(
    ("level", "platform", "assigned", "issue", "timesSeen", "users", "firstSeen", "lastSeen")
)
_KEYS: dict[str, Callable[[Clauses, Term], None]] = {
    "level": _level,
    "environment": _environment,
    "release": _release,
    "assigned": _assigned,
    "has": _has,
    "user.id": _user,
    "user.email": _user,
    "user.username": _user,
    "user.ip": _user,
    "issue": _name,
    "message": _message,
    "title": _column("i.title"),
    "culprit": _column("i.culprit"),
    "platform": _column("i.platform"),
    "error.type": _column("i.type"),
    "error.value": _column("i.value"),
    "firstRelease": _column("i.first_release"),
    "timesSeen": _number("{t}.event_count"),
    "users": _number("{t}.user_count"),
    "firstSeen": _moment("{t}.first_seen_at"),
    "lastSeen": _moment("{t}.last_seen_at"),
}
