"""Transactions, read connections and the query counter of meta.db."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from tracer import clock
from tracer.errors import Conflict, Invalid, Unavailable
from tracer.kit import audit
from tracer.storage import migrate
from tracer.storage.meta import Meta, Tx, Unaudited

COUNT = "SELECT count(*) FROM organizations"


@dataclass(frozen=True)
class Named:
    slug: str
    name: str


@pytest.fixture
def meta(tmp_path: Path) -> Iterator[Meta]:
    meta = Meta(tmp_path / "meta.db")
    yield meta
    meta.close()


def add(tx: Tx, slug: str) -> int:
    return tx.insert(
        "INSERT INTO organizations (slug, name, created_at) VALUES (:slug, :name, :now)",
        slug=slug,
        name=slug.title(),
        now=tx.now_ms,
    )


def test_committed_rows_are_read_at_once_in_every_shape(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        assert (add(tx, "one"), add(tx, "two")) == (1, 2)
    reader = meta.read()

    assert reader.rows("SELECT id, slug FROM organizations ORDER BY id") == [(1, "one"), (2, "two")]
    assert reader.row("SELECT slug FROM organizations WHERE id = :id", id=2) == ("two",)
    assert reader.row("SELECT slug FROM organizations WHERE id = :id", id=3) is None
    assert reader.value("SELECT slug FROM organizations WHERE id = :id", id=1) == "one"
    assert reader.value("SELECT slug FROM organizations WHERE id = :id", id=3) is None
    sql = "SELECT slug, name FROM organizations ORDER BY id"
    assert reader.load(Named, sql) == [Named("one", "One"), Named("two", "Two")]
    assert reader.find(Named, sql) == Named("one", "One")
    assert reader.find(Named, "SELECT slug, name FROM organizations WHERE id = 9") is None


def test_a_raised_exception_rolls_everything_back(meta: Meta) -> None:
    heard: list[object] = []
    meta.on_commit = heard.extend

    def fail() -> None:
        with meta.write(unaudited="test") as tx:
            add(tx, "one")
            tx.enqueue("mail")
            tx.emit("made")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert meta.read().value(COUNT) == 0
    assert meta.read().value("SELECT count(*) FROM tasks") == 0
    assert heard == []


def test_uncommitted_rows_are_seen_by_their_transaction_only(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        add(tx, "one")
        assert tx.value(COUNT) == 1
        assert meta.read().value(COUNT) == 0
    assert meta.read().value(COUNT) == 1


def test_facts_are_handed_over_after_the_commit(meta: Meta) -> None:
    heard: list[tuple[list[object], int]] = []
    meta.on_commit = lambda facts: heard.append((facts, meta.read().value(COUNT)))
    with meta.write(unaudited="test") as tx:
        add(tx, "one")
        tx.emit("made")
        tx.emit("changed")
        assert heard == []
    with meta.write(unaudited="test") as tx:
        add(tx, "two")

    assert heard == [(["made", "changed"], 1)]


def test_who_hears_of_a_commit_may_write(meta: Meta) -> None:
    def hear(_facts: list[object]) -> None:
        with meta.write(unaudited="test") as tx:
            add(tx, "two")

    meta.on_commit = hear
    with meta.write(unaudited="test") as tx:
        add(tx, "one")
        tx.emit("made")

    assert meta.read().value(COUNT) == 2


def test_enqueue_adds_a_task_that_is_due_now(meta: Meta) -> None:
    clock.set_clock(lambda: 1000.5)
    with meta.write(unaudited="test") as tx:
        tx.enqueue("notify", issue_id=7, name="ü")
        assert tx.now_ms == 1_000_500

    name, arguments, status, due_at = meta.read().rows(
        "SELECT name, arguments, status, due_at FROM tasks"
    )[0]
    assert (name, status, due_at) == ("notify", "waiting", 1_000_500)
    assert json.loads(arguments) == {"issue_id": 7, "name": "ü"}


def test_a_taken_value_is_a_conflict_and_the_transaction_goes_on(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        add(tx, "one")
        with pytest.raises(Conflict, match=r"organizations\.slug"):
            add(tx, "one")
        add(tx, "two")
    assert meta.read().value(COUNT) == 2


def test_a_write_without_an_audit_entry_is_rolled_back(meta: Meta) -> None:
    heard: list[object] = []
    meta.on_commit = heard.extend

    def forget() -> None:
        with meta.write() as tx:
            add(tx, "one")
            tx.emit("made")

    with pytest.raises(Unaudited):
        forget()

    assert meta.read().value(COUNT) == 0
    assert heard == []
    with meta.write(unaudited="test") as tx:
        add(tx, "one")
    assert meta.read().value(COUNT) == 1


def test_a_task_or_a_deleted_row_is_a_write_too(meta: Meta) -> None:
    fill(meta)
    for sql in ("DELETE FROM organizations", "UPDATE organizations SET name = name"):
        with pytest.raises(Unaudited), meta.write() as tx:
            tx.execute(sql)
    with pytest.raises(Unaudited), meta.write() as tx:
        tx.enqueue("mail")
    assert meta.read().value(COUNT) == 1000


def test_what_changes_no_row_needs_no_audit_entry(meta: Meta) -> None:
    with meta.write() as tx:
        assert tx.execute("DELETE FROM organizations WHERE id = 99") == 0


def test_an_audit_entry_commits_with_what_it_tells_of(meta: Meta) -> None:
    with meta.write() as tx:
        audit.record(tx, "organization.create", "organization", add(tx, "one"), name="one")
    assert meta.read().value(COUNT) == 1
    assert meta.read().rows("SELECT action, object FROM audit") == [("organization.create", "one")]


def test_an_audit_entry_that_cannot_be_written_undoes_the_write(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        tx.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END"
        )

    def change() -> None:
        with meta.write() as tx:
            add(tx, "one")
            audit.record(tx, "organization.create", "organization", 1)

    with pytest.raises(apsw.ConstraintError):
        change()
    assert meta.read().value(COUNT) == 0


def test_the_audit_log_of_a_file_from_before_it_begins_whole(tmp_path: Path) -> None:
    path = tmp_path / "meta.db"
    with closing(apsw.Connection(str(path))) as connection:
        migrate.migrate(connection, path, migrate.migrations()[:1])
    meta = Meta(path, audit_key=b"key")
    with meta.write() as tx:
        audit.record(tx, "organization.create", "organization", add(tx, "one"))
    assert meta.read().rows("SELECT id, action FROM audit") == [(1, "organization.create")]
    meta.close()


def test_a_reference_to_nothing_is_refused(meta: Meta) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"), meta.write(unaudited="test") as tx:
        tx.execute(
            "INSERT INTO members (organization_id, user_id, role, created_at) "
            "VALUES (9, 9, 'owner', 0)"
        )


def test_execute_counts_the_rows_it_changed_without_cascades(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        tx.many(
            "INSERT INTO organizations (slug, name, created_at) VALUES (?, ?, 0)",
            [(f"o{i}", "x") for i in range(5)],
        )
        tx.many(
            "INSERT INTO projects (organization_id, slug, name, created_at) "
            "VALUES (:org, 'p', 'p', 0)",
            [{"org": i} for i in (1, 2)],
        )
        assert (
            tx.execute("UPDATE organizations SET name = :name WHERE id > :id", name="y", id=2) == 3
        )
        assert tx.execute("DELETE FROM organizations WHERE id < :id", id=3) == 2
        assert tx.execute("DELETE FROM organizations WHERE id = :id", id=99) == 0
        assert tx.value("SELECT count(*) FROM projects") == 0


def test_a_missing_parameter_is_an_error_not_a_null(meta: Meta) -> None:
    with pytest.raises(KeyError):
        meta.read().rows("SELECT * FROM organizations WHERE id = :id")


def test_a_read_connection_cannot_write(meta: Meta) -> None:
    with pytest.raises(Exception, match="readonly"):
        meta.read().rows("DELETE FROM organizations")


def test_a_transaction_inside_a_transaction_is_a_bug(meta: Meta) -> None:
    with meta.write(unaudited="test"), pytest.raises(RuntimeError), meta.write():
        pass
    with meta.write(unaudited="test") as tx:
        add(tx, "one")


def test_writers_take_turns(meta: Meta) -> None:
    def work() -> None:
        for _ in range(20):
            with meta.write(unaudited="test") as tx:
                count = tx.value(COUNT)
                add(tx, f"o{count}")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meta.read().value(COUNT) == 80


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_a_thread_that_ended_leaves_no_connection_behind(meta: Meta) -> None:
    def read() -> None:
        meta.read().value(COUNT)

    def run() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    run()
    before = open_files()
    for _ in range(10):
        run()
    assert open_files() <= before + 1


def test_queries_of_this_thread_are_counted_while_asked_for(meta: Meta) -> None:
    reader = meta.read()
    with Meta.counted() as outer:
        reader.value(COUNT)
        with Meta.counted() as inner:
            reader.rows(COUNT)
            reader.row(COUNT)
        thread = threading.Thread(target=lambda: meta.read().value(COUNT))
        thread.start()
        thread.join()
    reader.value(COUNT)
    assert (outer.count, inner.count) == (3, 2)


def test_a_full_disk_is_unavailable_stores_nothing_and_passes(meta: Meta) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(file.stat().st_size for file in meta.path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, limits[1]))
    try:
        with pytest.raises(Unavailable) as refusal:
            fill(meta)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refusal.value.retry_after_s
    assert meta.read().value(COUNT) == 0

    fill(meta)
    assert meta.read().value(COUNT) == 1000


def fill(meta: Meta) -> None:
    with meta.write(unaudited="test") as tx:
        tx.many(
            "INSERT INTO organizations (slug, name, created_at) VALUES (?, ?, 0)",
            [(f"o{i}", "x" * 2000) for i in range(1000)],
        )


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    meta = Meta(tmp_path / "meta.db")
    meta.read().value(COUNT)
    meta.close()
    with pytest.raises(Unavailable):
        meta.read()
    with pytest.raises(Unavailable), meta.write(unaudited="test"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["meta.db"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "meta.db").write_bytes(b"this is not SQLite " * 500)
    with pytest.raises(Invalid, match=r"meta\.db is damaged"):
        Meta(tmp_path / "meta.db")


def test_closing_stops_a_thread_that_still_reads(tmp_path: Path) -> None:
    meta = Meta(tmp_path / "meta.db")
    reading, errors = threading.Event(), []

    def read() -> None:
        reader = meta.read()
        reader.value(COUNT)
        reading.set()
        try:
            reader.rows(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                "SELECT count(*) FROM n WHERE i < 0"
            )
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    reading.wait(5)
    meta.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(errors) == 1
