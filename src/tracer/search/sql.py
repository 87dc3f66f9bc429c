"""Terms as portable WHERE fragments with named parameters. No database: text and values only.

The caller names the column and gives each term a parameter prefix of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tracer.errors import Invalid
from tracer.search.model import Term
from tracer.search.wildcards import like, plain

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DAY_MS = 86_400_000


class Clause(NamedTuple):
    """A condition and its parameters, `$name` in the text."""

    sql: str
    params: dict[str, str | int]


def number(column: str, term: Term, name: str) -> Clause:
    """`timesSeen:>10`, `users:[1, 2]`."""
    params: dict[str, str | int] = {f"{name}_{i}": int(v) for i, v in enumerate(term.values)}
    tests = [f"{column} {term.op} ${key}" for key in params]
    return Clause(_join(tests, term), params)


def moment(column: str, term: Term, name: str, now_ms: int) -> Clause:
    """`lastSeen:-24h` (since), `+7d` (before), `2026-01-31` (that day), `>2026-01-31`; unix ms."""
    tests: list[str] = []
    params: dict[str, str | int] = {}
    for index, value in enumerate(term.values):
        key = f"{name}_{index}"
        if value[0] in "+-":
            if term.op != "=":
                raise Invalid(f"{term.key} takes {value} without {term.op}: - is since, + before.")
            age_ms = int(value[1:-1]) * _UNITS_MS[value[-1]]
            params[key] = max(0, now_ms - age_ms)
            tests.append(f"{column} {'>=' if value[0] == '-' else '<'} ${key}")
            continue
        start_ms, length_ms = _span(value)
        if term.op == "=":
            params |= {key: start_ms, f"{key}_end": start_ms + length_ms}
            tests.append(f"({column} >= ${key} AND {column} < ${key}_end)")
        else:
            is_past_end = term.op in (">", "<=")
            params[key] = start_ms + length_ms if is_past_end else start_ms
            tests.append(f"{column} {'>=' if term.op in ('>', '>=') else '<'} ${key}")
    return Clause(_join(tests, term), params)


def text(column: str, term: Term, name: str, *, contains: bool = False) -> Clause:
    """Equal, or like it where the value has wildcards or `contains` is asked for.

    A row without a value matches only negated terms.
    """
    tests: list[str] = []
    params: dict[str, str | int] = {}
    for index, value in enumerate(term.values):
        key = f"{name}_{index}"
        literal = plain(value)
        if literal is not None and not contains:
            params[key] = literal
            tests.append(f"{column} = ${key}")
        else:
            pattern = like(value)
            params[key] = f"%{pattern}%" if contains else pattern
            tests.append(f"lower({column}) LIKE lower(${key}) ESCAPE '\\'")
    return Clause(_join(tests, term), params)


def _join(tests: list[str], term: Term) -> str:
    joined = tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"
    return f"NOT coalesce({joined}, FALSE)" if term.negated else joined


def _span(value: str) -> tuple[int, int]:
    """(start, length) in ms of the day, minute or second that a time names, UTC without a zone."""
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    start = (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if "T" not in value:
        return start, _DAY_MS
    has_seconds = value.partition("T")[2][5:6] == ":"
    return start, 1000 if has_seconds else 60_000
