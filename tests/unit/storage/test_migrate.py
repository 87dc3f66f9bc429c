"""Bringing a SQLite file up to this program's schema."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tracer.errors import Invalid
from tracer.storage.meta import Meta
from tracer.storage.migrate import Migration, migrate, migrations

ONE = Migration(1, "0001_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;")
TWO = Migration(2, "0002_b.sql", "CREATE TABLE b (id INTEGER); INSERT INTO a VALUES (1);")
PATH = Path("meta.db")


@pytest.fixture
def connection() -> apsw.Connection:
    return apsw.Connection(":memory:")


def names(connection: apsw.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}


def test_only_what_is_missing_is_applied(connection: apsw.Connection) -> None:
    assert migrate(connection, PATH, [ONE]) == 1
    assert migrate(connection, PATH, [ONE, TWO]) == 1
    assert migrate(connection, PATH, [ONE, TWO]) == 0
    assert names(connection) == {"a", "b"}
    assert connection.pragma("user_version") == 2


def test_a_step_that_fails_leaves_no_trace(connection: apsw.Connection) -> None:
    broken = Migration(
        2, "0002_b.sql", "CREATE TABLE b (id INTEGER); INSERT INTO nowhere VALUES (1)"
    )
    with pytest.raises(apsw.SQLError):
        migrate(connection, PATH, [ONE, broken])
    assert names(connection) == {"a"}
    assert connection.pragma("user_version") == 1


def test_a_step_that_breaks_a_reference_is_refused(connection: apsw.Connection) -> None:
    broken = Migration(
        2, "0002_c.sql", "CREATE TABLE c (a INTEGER REFERENCES a (id)); INSERT INTO c VALUES (7)"
    )
    with pytest.raises(Invalid, match="0002_c"):
        migrate(connection, PATH, [ONE, broken])
    assert names(connection) == {"a"}


def test_a_file_of_a_newer_program_is_refused(connection: apsw.Connection) -> None:
    migrate(connection, PATH, [ONE, TWO])
    with pytest.raises(Invalid, match=r"meta\.db was written by a newer tracer"):
        migrate(connection, PATH, [ONE])


def test_a_store_of_a_newer_program_is_refused_when_opened(tmp_path: Path) -> None:
    Meta(tmp_path / "meta.db").close()
    connection = apsw.Connection(str(tmp_path / "meta.db"))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(Invalid, match=r"meta\.db was written by a newer tracer \(schema 999"):
        Meta(tmp_path / "meta.db")


def test_steps_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0002_b.sql", "0001_a.sql", "notes.txt"):
        (tmp_path / name).write_text("SELECT 1")
    assert [step.name for step in migrations(tmp_path)] == ["0001_a.sql", "0002_b.sql"]


def test_a_gap_in_the_numbers_is_a_bug(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0003_c.sql"):
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(ValueError, match="not numbered"):
        migrations(tmp_path)
