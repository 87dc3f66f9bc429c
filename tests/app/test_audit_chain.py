"""What `tracer audit verify` finds: every way to change the log behind the program's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from harness import Running, running
from serving import cli, read_json
from tracer import clock
from tracer.features.audit import tasks
from tracer.kit import audit, chain

DAY_S = 86_400
TRIGGERS = ("audit_is_append_only", "audit_is_never_replaced", "audit_is_pruned_from_the_start")
DROP = "".join(f"DROP TRIGGER {name};" for name in TRIGGERS)
ENTRY = f"SELECT {', '.join(chain.HASHED)} FROM audit WHERE id = ?"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a dozen entries; no server runs on it."""
    with running(tmp_path / "data") as tracer:
        for number in range(6):
            tracer.add_project(f"project-{number}")
    return tmp_path / "data"


@pytest.fixture
def meta(data: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(data / "meta.db"))
    yield connection
    connection.close()


def verify(data: Path, *flags: str) -> Any:
    return cli("audit", "verify", "--data", str(data), *flags)


def verdict(data: Path, *flags: str) -> Any:
    return json.loads(verify(data, "--json", *flags).stdout)


def triggers(meta: apsw.Connection) -> list[str]:
    return [
        row[0]
        for row in meta.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'audit%'"
        )
    ]


def tamper(meta: apsw.Connection, sql: str) -> None:
    """Run SQL as somebody would who knows the schema: the triggers are back afterwards."""
    kept = triggers(meta)
    meta.execute(DROP + sql + ";" + ";".join(kept))


def rehash(meta: apsw.Connection, first: int) -> None:
    """Write all hashes from an entry on anew, and the head too, as far as that is possible."""
    previous = meta.execute("SELECT hash FROM audit WHERE id < ? ORDER BY id DESC", (first,))
    hash_ = bytes(previous.fetchone()[0])
    kept = triggers(meta)
    meta.execute(DROP)
    for (audit_id,) in meta.execute("SELECT id FROM audit WHERE id >= ?", (first,)).fetchall():
        hash_ = chain.chained(hash_, meta.execute(ENTRY, (audit_id,)).fetchone())
        meta.execute("UPDATE audit SET hash = ? WHERE id = ?", (hash_, audit_id))
    meta.execute(";".join(kept))
    meta.execute("UPDATE audit_head SET audit_id = ?, hash = ?", (audit_id, hash_))


def test_untouched_log_verifies_and_prints_its_head(data: Path) -> None:
    found = verify(data)
    assert found.exit_code == 0, found.stderr
    assert "nothing is broken" in found.stdout
    assert verdict(data)["entries"] >= 12


def test_log_verifies_beside_a_running_server(data: Path) -> None:
    with running(data) as tracer:
        tracer.add_project("while-it-runs")
        before = verdict(data)
        tracer.add_project("and-on")
        after = verdict(data)
    assert before["broken"] == after["broken"] == ""
    assert after["entries"] > before["entries"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET actor = 'x' WHERE id = 3",
        "UPDATE OR REPLACE audit SET id = 2 WHERE id = 3",
        "DELETE FROM audit WHERE id = 3",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 3",
    ],
)
def test_database_refuses_to_change_entries(data: Path, meta: apsw.Connection, sql: str) -> None:
    with pytest.raises(apsw.ConstraintError):
        meta.execute(sql)
    assert verdict(data)["broken"] == ""


TAMPERINGS = {
    "changed": ("UPDATE audit SET actor = 'somebody else' WHERE id = 5", 5),
    "change undone in one column": ("UPDATE audit SET after = NULL WHERE id = 7", 7),
    "its time": ("UPDATE audit SET at = at - 1 WHERE id = 6", 6),
    "deleted": ("DELETE FROM audit WHERE id = 5", 5),
    "deleted, the rest moved up": (
        "DELETE FROM audit WHERE id = 5; UPDATE audit SET id = id - 1 WHERE id > 5",
        5,
    ),
    "first one deleted": ("DELETE FROM audit WHERE id = 1", 1),
    "inserted": (
        "UPDATE audit SET id = -id WHERE id >= 5; UPDATE audit SET id = 1 - id WHERE id < 0;"
        "INSERT INTO audit SELECT 5, at, organization_id, project_id, actor_kind, actor_id,"
        " 'mallory', token_id, address, device, action, object_type, object_id, object, before,"
        " after, hash FROM audit WHERE id = 4",
        5,
    ),
    "reordered": (
        "UPDATE audit SET id = 1000 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 6;"
        "UPDATE audit SET id = 6 WHERE id = 1000",
        5,
    ),
    "replaced": (
        "INSERT OR REPLACE INTO audit SELECT 4, at, organization_id, project_id, actor_kind,"
        " actor_id, actor, token_id, address, device, action, object_type, object_id, object,"
        " before, after, hash FROM audit WHERE id = 3",
        4,
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_at_the_first_broken_entry(
    data: Path, meta: apsw.Connection, how: str
) -> None:
    sql, broken = TAMPERINGS[how]
    tamper(meta, sql)
    found = verify(data)
    assert found.exit_code == 1
    assert f"entry {broken} " in found.stderr
    assert verdict(data)["broken_id"] == broken


def test_end_cut_off_is_found(data: Path, meta: apsw.Connection) -> None:
    last = verdict(data)["entries"]
    tamper(meta, f"DELETE FROM audit WHERE id > {last - 2}")
    assert verdict(data)["broken_id"] == last - 1


def test_end_cut_off_with_the_head_moved_back_is_found(data: Path, meta: apsw.Connection) -> None:
    last = verdict(data)["entries"]
    move = "UPDATE audit_head SET (audit_id, hash) = (SELECT id, hash FROM audit ORDER BY id DESC)"
    tamper(meta, f"DELETE FROM audit WHERE id > {last - 2}; {move}")
    assert verdict(data)["broken_id"] == last - 1
    tamper(meta, f"UPDATE sqlite_sequence SET seq = {last - 2} WHERE name = 'audit'")
    assert "seal" in verdict(data)["broken"]


def test_whole_chain_written_anew_is_found(data: Path, meta: apsw.Connection) -> None:
    tamper(meta, "UPDATE audit SET actor = 'somebody else' WHERE id = 5")
    rehash(meta, 5)
    assert "seal" in verdict(data)["broken"]


WIPE = (
    "DELETE FROM audit; DELETE FROM sqlite_sequence WHERE name = 'audit';"
    "UPDATE audit_head SET audit_id = 0, hash = x'', seal = x''"
)


def test_log_emptied_as_if_it_were_new_is_found(data: Path, meta: apsw.Connection) -> None:
    tamper(meta, WIPE)
    assert "seal" in verdict(data)["broken"]
    with running(data) as tracer:
        tracer.add_project("life-goes-on")
    assert "behind its back" in verdict(data)["broken"]


def test_server_does_not_cover_up_what_it_finds(data: Path, meta: apsw.Connection) -> None:
    last = verdict(data)["entries"]
    tamper(meta, f"DELETE FROM audit WHERE id > {last - 2}")
    tamper(meta, f"UPDATE sqlite_sequence SET seq = {last - 2} WHERE name = 'audit'")
    move = "UPDATE audit_head SET (audit_id, hash) = (SELECT id, hash FROM audit ORDER BY id DESC)"
    meta.execute(move)
    with running(data) as tracer:
        tracer.add_project("life-goes-on")
    found = verdict(data)
    assert found["broken_id"] == last - 1
    assert "behind its back" in found["broken"]


BESIDE = {
    "changed": ("UPDATE audit SET actor = 'somebody else' WHERE id = 5", 5),
    "removed": ("DELETE FROM audit WHERE id = 5", 5),
    "first removed": ("DELETE FROM audit WHERE id = 1", 1),
    "inserted": ("UPDATE audit SET id = 10000 - id WHERE id > 5", 6),
}


@pytest.mark.parametrize("how", BESIDE)
def test_tampering_beside_a_running_server_is_found(data: Path, how: str) -> None:
    """The server goes on writing before and after, and hides nothing."""
    sql, broken = BESIDE[how]
    with running(data) as tracer, closing(apsw.Connection(str(data / "meta.db"))) as meta:
        tracer.add_project("before")
        tamper(meta, sql)
        assert verdict(data)["broken_id"] == broken
        tracer.add_project("after")
        assert verdict(data)["broken_id"] == broken
    assert verdict(data)["broken_id"] == broken


def test_end_cut_off_beside_a_running_server_is_found(data: Path) -> None:
    with running(data) as tracer, closing(apsw.Connection(str(data / "meta.db"))) as meta:
        tracer.add_project("to-be-forgotten")
        last = verdict(data)["entries"]
        tamper(meta, f"DELETE FROM audit WHERE id > {last - 2}")
        assert verdict(data)["broken_id"] == last - 1
        tracer.add_project("after")
        assert verdict(data)["broken_id"] == last - 1
    assert verdict(data)["broken_id"] == last - 1


def test_missing_triggers_and_missing_key_are_said(data: Path, meta: apsw.Connection) -> None:
    for name in TRIGGERS:
        (sql,) = meta.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        meta.execute(f"DROP TRIGGER {name}")
        assert "triggers" in verdict(data)["broken"]
        meta.execute(sql)
    meta.execute(f"DROP TRIGGER {TRIGGERS[0]}")
    (data / "audit.key").unlink()
    assert "audit.key" in verdict(data)["broken"]


def test_noted_head_finds_a_folder_that_was_set_back(data: Path, tmp_path: Path) -> None:
    old = (data / "meta.db").read_bytes()
    with running(data) as tracer:
        tracer.add_project("to-be-forgotten")
    noted = verdict(data)["head"]
    export = tmp_path / "log.jsonl"
    cli("audit", "export", "--data", str(data), "--output", str(export))
    assert verify(data, "--expect", noted).exit_code == 0
    assert verify(data, "--against", str(export)).exit_code == 0
    for rest in data.glob("meta.db-*"):
        rest.unlink()
    (data / "meta.db").write_bytes(old)
    assert verify(data).exit_code == 0
    assert "was noted" in verdict(data, "--expect", noted)["broken"]
    assert "was noted" in verdict(data, "--against", str(export))["broken"]


def test_noted_head_that_is_none_is_refused(data: Path) -> None:
    assert "--expect" in verify(data, "--expect", "12:zz").stderr
    assert verify(data, "--expect", "12:zz").exit_code == 1


# Retention ------------------------------------------------------------------------------------


def at_day(day: float) -> None:
    began = clock.now_s()
    clock.set_clock(lambda: began + day * DAY_S)


def prune(tracer: Running) -> None:
    tasks.prune(tracer.tracer)


def ids(tracer: Running) -> list[int]:
    return [row[0] for row in tracer.meta.read().rows("SELECT id FROM audit ORDER BY id")]


def retention(data: Path, org: str, days: int) -> Any:
    flags = ("--org", org, "--days", str(days), "--json", "--data", str(data))
    return read_json(cli("audit", "retention", *flags))


def test_old_entries_go_from_the_beginning_and_the_rest_verifies(data: Path) -> None:
    with running(data) as tracer:
        assert retention(data, tracer.org.slug, 30) == {tracer.org.slug: 30}
        last_old = ids(tracer)[-1]
        at_day(20)
        tracer.add_project("newer")
        kept = [id_ for id_ in ids(tracer) if id_ > last_old]
        at_day(11)
        prune(tracer)
        assert [id_ for id_ in ids(tracer) if id_ <= kept[-1]] == kept
        assert verdict(data)["broken"] == ""
        assert verdict(data)["first_id"] == kept[0]
        tracer.add_project("after-the-pruning")
    assert verdict(data)["broken"] == ""


@pytest.mark.parametrize("how", ["changed", "removed", "first removed", "end cut off", "inserted"])
def test_tampering_after_old_entries_went_is_found(data: Path, how: str) -> None:
    with running(data) as tracer:
        retention(data, tracer.org.slug, 30)
        at_day(31)
        for number in range(4):
            tracer.add_project(f"newer-{number}")
        prune(tracer)
        tracer.add_project("after-the-pruning")
        first, *_, last = ids(tracer)
    assert first > 1
    assert verdict(data)["broken"] == ""
    middle = first + 3
    sql, broken = {
        "changed": (f"UPDATE audit SET actor = 'x' WHERE id = {middle}", middle),
        "removed": (f"DELETE FROM audit WHERE id = {middle}", middle),
        "first removed": (f"DELETE FROM audit WHERE id = {first}", first),
        "end cut off": (f"DELETE FROM audit WHERE id = {last}", last),
        "inserted": (f"UPDATE audit SET id = 10000 - id WHERE id > {middle}", middle + 1),
    }[how]
    with closing(apsw.Connection(str(data / "meta.db"))) as meta:
        tamper(meta, sql)
    assert verdict(data)["broken_id"] == broken


def test_entry_that_stays_keeps_those_after_it(data: Path) -> None:
    with running(data) as tracer:
        retention(data, tracer.org.slug, 30)
        with tracer.meta.write() as tx:
            tx.execute(
                "INSERT INTO organizations (slug, name, created_at, audit_days)"
                " VALUES ('patient', 'Patient', 0, 0)"
            )
            other = tx.value("SELECT id FROM organizations WHERE slug = 'patient'")
            audit.record(tx, "organization.create", "organization", other, organization_id=other)
        everything = ids(tracer)
        tracer.add_project("short-lived")
        at_day(400)
        prune(tracer)
        # The server's own entries stay as long as the longest retention, here for ever.
        assert ids(tracer)[0] <= everything[-1]
        assert verdict(data)["broken"] == ""
        shown = tracer.api(f"/api/0/organizations/{tracer.org.slug}/audit-logs/").json()["rows"]
        assert "short-lived" not in json.dumps(shown)


def test_pruning_that_nobody_recorded_is_found(data: Path, meta: apsw.Connection) -> None:
    meta.execute(
        "UPDATE audit_anchor SET (audit_id, hash) = (SELECT id, hash FROM audit WHERE id = 4);"
        "DELETE FROM audit WHERE id <= 4"
    )
    found = verdict(data)
    assert "no retention run" in found["broken"]


REFUSED: dict[str, Callable[[], tuple[str, ...]]] = {
    "too short": lambda: ("--days", "29"),
    "too long": lambda: ("--days", "3651"),
    "negative": lambda: ("--days", "-1"),
    "no such organization": lambda: ("--days", "90", "--org", "nobody"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_retention_that_makes_no_sense_is_refused(data: Path, what: str) -> None:
    found = cli("audit", "retention", *REFUSED[what](), "--data", str(data))
    assert found.exit_code == 1
    assert found.stderr.startswith("tracer: ")
