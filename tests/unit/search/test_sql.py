"""Terms as conditions: the same rows in SQLite and in DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Invalid
from tracer.search import parse
from tracer.search.model import Term
from tracer.search.sql import Clause, moment, number, text
from tracer.search.wildcards import like, matches, plain

DAY = 86_400_000
NOW = 1_769_860_800_000  # 2026-01-31T12:00:00Z
NAMES = ["Chrome", "chrome mobile", "100%", "100 pure", "a_b", "axb", r"back\slash", "5*3", None]

Select = Callable[[str, Clause], list[object]]


@pytest.fixture(params=["sqlite", "duckdb"])
def select(request: pytest.FixtureRequest) -> Iterator[Select]:
    """Values of one column that meet a condition."""
    database = sqlite3.connect(":memory:") if request.param == "sqlite" else duckdb.connect()
    database.execute("CREATE TABLE t (name TEXT, size BIGINT)")
    rows = [*((name, None) for name in NAMES), *((None, n) for n in (1, 5, 10))]
    times = (NOW - 3 * DAY, NOW - 3_600_000, NOW - 43_200_000, NOW)
    database.executemany("INSERT INTO t VALUES (?, ?)", [*rows, *((None, at) for at in times)])

    def run(column: str, clause: Clause) -> list[object]:
        where = f"{clause.sql} AND {column} IS NOT NULL"
        sql = f"SELECT {column} FROM t WHERE {where} ORDER BY {column}"
        return [row[0] for row in database.execute(sql, clause.params).fetchall()]

    yield run
    database.close()


def only(query: str) -> Term:
    return parse(query).terms[0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("b:Chrome", ["Chrome"]),
        ("b:chrome*", ["Chrome", "chrome mobile"]),
        ("b:*MOBILE", ["chrome mobile"]),
        ("b:100%*", ["100%"]),
        ("b:a_*", ["a_b"]),
        (r"b:back\slash", [r"back\slash"]),
        (r"b:5\*3", ["5*3"]),
        ('b:[Chrome, "a_b"]', ["Chrome", "a_b"]),
        ("b:nothing", []),
        ("!b:*", []),
        ("!b:[Chrome, *0*, a*, back*, 5*]", ["chrome mobile"]),
    ],
)
def test_text(select: Select, query: str, expected: list[str]) -> None:
    assert select("name", text("name", only(query), "p")) == expected


def test_text_contains(select: Select) -> None:
    assert select("name", text("name", only("title:MOB"), "p", contains=True)) == ["chrome mobile"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("users:5", [5]),
        ("users:[1, 10]", [1, 10]),
        ("users:<5", [1]),
        ("users:<=5", [1, 5]),
        ("!users:>5", [1, 5]),
    ],
)
def test_number(select: Select, query: str, expected: list[int]) -> None:
    assert select("size", number("size", only(query), "p")) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lastSeen:-24h", [NOW - 43_200_000, NOW - 3_600_000, NOW]),
        ("!lastSeen:+24h", [NOW - 43_200_000, NOW - 3_600_000, NOW]),
        ("lastSeen:-1h", [NOW - 3_600_000, NOW]),
        ("lastSeen:2026-01-28", [NOW - 3 * DAY]),
        ("lastSeen:2026-01-31T12:00", [NOW]),
        ("lastSeen:2026-01-31T13:00:00+01:00", [NOW]),
        ("lastSeen:>2026-01-28", [NOW - 43_200_000, NOW - 3_600_000, NOW]),
        ("lastSeen:>=2026-01-31T12:00:00Z", [NOW]),
    ],
)
def test_moment(select: Select, query: str, expected: list[int]) -> None:
    assert select("size", moment("size", only(query), "p", NOW)) == expected


def test_row_without_a_value_meets_a_negated_condition() -> None:
    database = sqlite3.connect(":memory:")
    clause = text("NULL", only("!b:Chrome"), "p")
    assert database.execute(f"SELECT {clause.sql}", clause.params).fetchone() == (1,)
    database.close()


def test_relative_time_is_not_compared() -> None:
    with pytest.raises(Invalid, match="without >"):
        moment("size", only("lastSeen:>-24h"), "p", NOW)


@pytest.mark.parametrize(
    ("value", "expected_plain", "expected_like"),
    [
        ("a", "a", "a"),
        ("a*b", None, "a%b"),
        (r"a\*b", "a*b", "a*b"),
        (r"a\\b", r"a\b", r"a\\b"),
        (r"a\b", r"a\b", r"a\\b"),
        ("50%_", "50%_", r"50\%\_"),
    ],
)
def test_wildcards(value: str, expected_plain: str | None, expected_like: str) -> None:
    assert plain(value) == expected_plain
    assert like(value) == expected_like


@given(st.text(alphabet="ab*\\%_", max_size=8), st.text(alphabet="ab*\\%_", max_size=8))
def test_wildcards_match_in_memory_as_they_do_in_the_database(value: str, candidate: str) -> None:
    database = sqlite3.connect(":memory:")
    clause = text("$candidate", Term("b", "=", (value,), False), "p")
    row = database.execute(
        f"SELECT {clause.sql}", {**clause.params, "candidate": candidate}
    ).fetchone()
    database.close()
    assert bool(row[0]) == matches(value, candidate)
