"""From each released schema to this one, with data; the snapshot before it, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from backup_steps import backup, restore
from harness import running
from serving import cli, read_json
from tracer import clock
from tracer.storage.migrate import Migration, migrations
from tracer.storage.spool.letters import steps

AT = clock.now_ms() - 86_400_000
KEY = "a" * 32
META, SPOOL = len(migrations()), len(steps())
#: The schema of meta and of the spool, of each version before this one.
OLDER = [(meta, 1) for meta in range(1, META)] + [(META, spool) for spool in range(1, SPOOL)]

ROWS = f"""
INSERT INTO organizations (id, slug, name, created_at) VALUES (1, 'acme', 'Acme', {AT});
INSERT INTO users (id, email, name, created_at) VALUES (1, 'owner@example.com', 'Olga', {AT});
INSERT INTO members (organization_id, user_id, role, created_at) VALUES (1, 1, 'owner', {AT});
INSERT INTO projects (id, organization_id, slug, name, platform, next_short_id, created_at)
VALUES (1, 1, 'shop', 'Shop', 'python', 3, {AT});
INSERT INTO project_keys (project_id, public_key, created_at) VALUES (1, '{KEY}', {AT});
INSERT INTO issues (id, project_id, short_id, title, culprit, type, value, platform, level,
                    status_at, first_seen_at, last_seen_at, event_count, user_count,
                    grouping_version)
VALUES (1, 1, 1, 'ValueError: old', 'shop.pay', 'ValueError', 'old', 'python', 4,
        {AT}, {AT}, {AT}, 7, 2, 1),
       (2, 1, 2, 'KeyError: older', 'shop.cart', 'KeyError', 'older', 'python', 4,
        {AT}, {AT}, {AT}, 3, 1, 1);
INSERT INTO issue_hashes (project_id, hash, issue_id) VALUES (1, '{"1" * 32}', 1);
INSERT INTO outcomes (project_id, hour_at, category, outcome, quantity)
VALUES (1, {AT}, 'error', 'stored', 10);
UPDATE digest_position SET frame = 40;
"""


def _frame(message: str) -> bytes:
    event = json.dumps({"event_id": clock.new_id(), "message": message}).encode()
    head = b'{"type":"event","length":%d}' % len(event)
    return b"{}\n" + head + b"\n" + event + b"\n"


def _apply(path: Path, steps: list[Migration], data: str, upto: int) -> None:
    """A file as the programs before this one left it: the data came with the first schema."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL")
    for step in steps[:upto]:
        with connection:
            connection.execute(step.sql)
            connection.execute(f"PRAGMA user_version = {step.number}")
        if step.number == 1:
            connection.execute(data)
    connection.close()


def old_folder(data: Path, meta: int, spool: int) -> None:
    """A data folder with two issues, a frame that waits and a dead letter."""
    data.mkdir(parents=True)
    (data / "blobs").mkdir()
    head = json.dumps({"kind": "envelope", "encoding": "", "content_type": "", "ip": "", "ua": ""})
    waiting = _frame("it waited over the update").hex()
    rows = f"""
        INSERT INTO frames VALUES (41, 1, '{KEY}', {AT / 1000}, x'{head.encode().hex()}',
                                   x'{waiting}');
        UPDATE marks SET newest = 41, forgotten = 40;
        INSERT INTO dead_letters VALUES (7, 1, '{KEY}', {AT / 1000}, x'{head.encode().hex()}',
                                         'KeyError', 'why', 1, {AT}, 3, x'010203');
    """
    _apply(data / "meta.db", migrations(), ROWS, meta)
    _apply(data / "spool.db", steps(), rows, spool)


def _holds_everything(data: Path) -> None:
    with running(data) as tracer:
        tracer.digest()
        titles = {row[0] for row in tracer.meta.read().rows("SELECT title FROM issues")}
        assert {"ValueError: old", "KeyError: older", "it waited over the update"} <= titles
        assert tracer.tracer.spool.letters.read.find(7).reason == "KeyError"
        assert "shop.pay" in tracer.page("/issues/").text
        assert tracer.meta.read().value("SELECT event_count FROM issues WHERE id = 1") == 7
        tracer.send(message="new after the update")
        tracer.send(message="new after the update")
        count = "SELECT event_count FROM issues WHERE title = 'new after the update'"
        assert tracer.meta.read().value(count) == 2
        assert tracer.meta.read().rows("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(("meta", "spool"), OLDER)
def test_each_older_schema_comes_up_with_all_its_data(
    tmp_path: Path, meta: int, spool: int
) -> None:
    old_folder(tmp_path / "data", meta, spool)
    _holds_everything(tmp_path / "data")


def test_a_backup_of_an_older_schema_is_made_restored_and_migrated(tmp_path: Path) -> None:
    old_folder(tmp_path / "data", 2, 1)
    made = backup(tmp_path / "data")
    assert made["schemas"] == {"meta": 2, "spool": 1}
    assert _schemas(tmp_path / "data") == {"meta": 2, "spool": 1}, "a backup migrates nothing"
    restore(made["path"], tmp_path / "new")
    _holds_everything(tmp_path / "new")


def _schemas(data: Path) -> dict[str, int]:
    found = read_json(cli("migrate", "status", "--json", "--data", str(data)))
    return {store["store"]: store["schema"] for store in found["stores"]}


def _snapshots(data: Path) -> list[tuple[str, int]]:
    found = read_json(cli("migrate", "status", "--json", "--data", str(data)))
    return [(one["store"], kept["schema"]) for one in found["stores"] for kept in one["snapshots"]]


def _rollback(data: Path, *words: str) -> Any:
    return read_json(cli("migrate", "rollback", *words, "--json", "--data", str(data)))


def test_a_snapshot_is_kept_before_a_migration_and_not_before_a_plain_start(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    old_folder(data, 2, 1)
    assert _snapshots(data) == []
    for _ in range(2):
        with running(data):
            pass
        assert _snapshots(data) == [("meta", 2), ("spool", 1)]
    assert {file.stat().st_mode & 0o777 for file in data.glob("*.schema-*")} == {0o600}


def test_rollback_says_what_would_be_lost_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old_folder(data, 2, 1)
    _holds_everything(data)
    found = _rollback(data)
    assert found["done"] is False
    assert found["lost"]["issues"] == 2
    assert found["lost"]["requests digested"] == 3
    assert _schemas(data) == {"meta": META, "spool": SPOOL}


def test_a_person_reads_what_is_current_and_what_a_way_back_would_lose(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old_folder(data, 2, 1)

    def said(*words: str) -> str:
        result = cli("migrate", *words, "--data", str(data))
        assert result.exit_code == 0, result.stderr
        return result.stdout

    assert f"meta   schema 2  brought to {META} at the next start" in said("status")
    _holds_everything(data)
    shown = said("status")
    assert f"meta   schema {META}  current" in shown
    assert "snapshot of schema 2, " in shown
    assert "meta would go back to schema 2" in said("rollback")
    assert "would be lost: 2 issues\n" in said("rollback")
    assert "Nothing was changed. Say --yes to do it." in said("rollback")
    done = said("rollback", "--yes")
    assert "meta is back at schema 2" in done
    assert "lost: 2 issues" in done
    assert "Nothing was changed" not in done
    connection = apsw.Connection(str(data / "meta.db"))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert f"of a newer tracer; this one knows {META}" in said("status")


def test_rollback_brings_the_older_stores_back_and_they_can_be_migrated_again(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    old_folder(data, 2, 1)
    _holds_everything(data)
    found = _rollback(data, "--yes")
    assert _schemas(data) == {"meta": 2, "spool": 1}
    aside = Path(found["stores"]["meta"]["set_aside"])
    connection = apsw.Connection(str(aside))
    assert connection.pragma("user_version") == META
    connection.close()
    _holds_everything(data)


def test_after_a_rollback_of_the_spool_alone_new_events_are_not_taken_for_old(
    tmp_path: Path,
) -> None:
    """Ids of frames go on after what digest has done, whatever the snapshot knew."""
    data = tmp_path / "data"
    old_folder(data, META, 1)
    _holds_everything(data)
    assert list(_rollback(data, "--yes")["stores"]) == ["spool"]
    with running(data) as tracer:
        tracer.send(message="after the way back")
        titles = {row[0] for row in tracer.meta.read().rows("SELECT title FROM issues")}
    assert "after the way back" in titles


def test_rollback_is_refused_beside_a_running_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old_folder(data, 2, 1)
    with running(data):
        result = cli("migrate", "rollback", "--yes", "--data", str(data))
    assert result.exit_code == 1
    assert "already in use" in result.output


def test_rollback_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        pass
    result = cli("migrate", "rollback", "--yes", "--data", str(tmp_path / "data"))
    assert result.exit_code == 1
    assert "nothing to go back to" in result.output
