"""`tracer doctor`: each fault is planted, found, repaired if it can be, and gone afterwards; on a
stopped server and beside a running one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from harness import Running, running
from serving import cli
from tracer.ingest import balance
from tracer.storage.events import DuckEvents
from tracer.storage.tables import EVENTS, PAYLOADS

EVENT = {"message": "It broke", "release": "shop@1.0", "environment": "production"}
FILE = ({"type": "attachment", "filename": "log.txt"}, b"what happened, line by line")


@dataclass
class Ward:
    """A folder with an issue of three events and an attachment, and the server on it if any."""

    data: Path
    server: Running | None

    def doctor(self, *flags: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code and the findings by code."""
        result = cli("doctor", "--json", *flags, "--data", str(self.data))
        assert result.exit_code < 3, result.stderr
        return result.exit_code, {f["code"]: f for f in json.loads(result.stdout)["findings"]}

    def sql(self, *statements: str) -> None:
        """Change meta.db behind tracer's back."""
        with closing(apsw.Connection(str(self.data / "meta.db"))) as meta:
            meta.set_busy_timeout(10_000)
            for statement in statements:
                meta.execute(statement)

    def value(self, sql: str) -> Any:
        with closing(apsw.Connection(str(self.data / "meta.db"))) as meta:
            meta.set_busy_timeout(10_000)
            return meta.execute(sql).fetchone()[0]

    @contextmanager
    def events(self) -> Iterator[Any]:
        """The event store."""
        if self.server is not None:
            yield self.server.tracer.events
            return
        store = DuckEvents(self.data / "events.duckdb", memory_limit="256MB", threads=1)
        try:
            store.prepare((EVENTS, PAYLOADS))
            yield store
        finally:
            store.close()


@pytest.fixture(params=["stopped", "running"])
def ward(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ward]:
    data = tmp_path / "data"
    with running(data) as server:
        server.send(EVENT, items=[FILE])
        server.send({**EVENT, "user": {"id": "7"}})
        server.send({**EVENT, "environment": "staging"})
        if request.param == "running":
            yield Ward(data, server)
            return
    yield Ward(data, None)


def audited(ward: Ward, action: str) -> str:
    """What the last audit entry of an action says, which must be the command line's doing."""
    kind = ward.value(f"SELECT actor_kind FROM audit WHERE action = '{action}' ORDER BY id DESC")
    assert kind == "cli"
    return str(ward.value(f"SELECT after FROM audit WHERE action = '{action}' ORDER BY id DESC"))


def test_healthy_folder_is_clean(ward: Ward) -> None:
    before = ward.value("SELECT count(*) FROM audit")
    result = cli("doctor", "--data", str(ward.data))
    assert (result.exit_code, result.stdout) == (0, "0 errors, 0 warnings.\n")
    assert ward.doctor("--fix") == (0, {})
    assert ward.value("SELECT count(*) FROM audit") == before


COUNTERS = {
    "events": "UPDATE issues SET event_count = 40",
    "environments": "UPDATE issue_environments SET event_count = 9 WHERE environment = 'staging'",
    "an environment": "DELETE FROM issue_environments WHERE environment = 'staging'",
    "hours": "DELETE FROM issue_hours",
    "releases": "UPDATE issue_releases SET event_count = 1",
    "users": "UPDATE issues SET user_count = 0",
}


@pytest.mark.parametrize("what", COUNTERS)
def test_counters_that_differ_from_the_events_are_counted_anew(ward: Ward, what: str) -> None:
    tables = ("issues", "issue_environments", "issue_hours", "issue_releases")
    dump = "SELECT json_group_array(json_array(event_count, {0})) FROM {1}"
    columns = ("user_count", "user_count", "hour_at", "first_seen_at")
    sums = [dump.format(c, t) for c, t in zip(columns, tables, strict=True)]
    before = [sorted(json.loads(ward.value(sql))) for sql in sums]
    ward.sql(COUNTERS[what])
    code, found = ward.doctor()
    assert code == 2
    assert what.split()[-1][:7] in found["counters"]["text"]
    code, found = ward.doctor("--fix")
    assert (code, found["counters"]["fixed"]) == (0, True)
    assert [sorted(json.loads(ward.value(sql))) for sql in sums] == before
    assert ward.doctor() == (0, {})
    audited(ward, "issue.recount")


def test_many_issues_are_looked_at_in_steps_and_each_once(ward: Ward) -> None:
    ward.sql(
        """
        WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 700)
        INSERT INTO issues (project_id, short_id, title, culprit, type, value, platform, level,
            status_at, first_seen_at, last_seen_at, event_count, user_count, grouping_version)
        SELECT 1, i, '', '', '', '', '', 40, 0, 0, 0, 1, 0, 1 FROM n
        """,
        "UPDATE projects SET next_short_id = 701",
    )
    result = cli("doctor", "--json", "--data", str(ward.data))
    named = [found["text"].split()[1] for found in json.loads(result.stdout)["findings"]]
    ids = range(2, 701)
    assert (result.exit_code, named) == (2, [str(issue_id) for issue_id in ids])


def test_issue_whose_events_are_being_erased_is_passed_over(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.send(EVENT)
    ward = Ward(tmp_path / "data", None)
    hash_, project = ward.value("SELECT hash FROM issue_hashes"), 1
    task = json.dumps({"project_id": project, "hashes": [hash_], "frame": 1})
    ward.sql(
        "UPDATE issues SET event_count = 5",
        "INSERT INTO tasks (name, arguments, due_at, created_at)"
        f" VALUES ('erase_issue', '{task}', 9999999999999, 0)",
    )
    assert ward.doctor() == (0, {})


def test_short_ids_that_would_be_given_twice(ward: Ward) -> None:
    ward.sql("UPDATE projects SET next_short_id = 1")
    code, found = ward.doctor()
    assert (code, set(found)) == (2, {"short-ids"})
    assert ward.doctor("--fix")[0] == 0
    assert ward.value("SELECT next_short_id FROM projects") == 2
    audited(ward, "project.repair")


def test_accounts_that_do_not_balance_are_found_and_not_made_up(ward: Ward) -> None:
    ward.sql("UPDATE accepted SET quantity = quantity + 1 WHERE category = 'error'")
    code, found = ward.doctor("--fix")
    assert (code, found["accounts"]["fixed"]) == (2, False)
    assert "4 accepted, 3 accounted for" in found["accounts"]["text"]


def test_noted_imbalance_is_settled_once_the_accounts_balance(ward: Ward) -> None:
    ward.sql("INSERT INTO facts (name, value) VALUES ('accounts_imbalance', '{}')")
    if ward.server is not None:
        ward.server.tracer.digest.imbalance = True
    code, found = ward.doctor()
    assert (code, set(found)) == (1, {"imbalance-noted"})
    assert ward.doctor("--fix")[0] == 0
    assert "settle" in audited(ward, "server.repair")
    if ward.server is not None:
        assert not ward.server.tracer.digest.imbalance
        assert not balance.is_noted(ward.server.meta.read())


def test_rows_after_the_position_are_removed(ward: Ward) -> None:
    with ward.events() as events:
        row = [None] * len(EVENTS.columns)
        names = [column.name for column in EVENTS.columns]
        for name, value in (("project_id", 1), ("event_id", "x"), ("frame", 900)):
            row[names.index(name)] = value
        row[names.index("tags")] = {}
        events.append({EVENTS: [tuple(row)]})
    code, found = ward.doctor()
    assert code in (1, 2)
    assert "1 row of frames after the position 3" in found["position"]["text"]
    assert ward.doctor("--fix")[0] in (0, 1)  # the counts of payloads were read before
    assert ward.doctor() == (0, {})


def test_spool_that_ends_before_the_position(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.send(EVENT)
    ward = Ward(tmp_path / "data", None)
    ward.sql("UPDATE digest_position SET frame = 70")
    code, found = ward.doctor()
    assert (code, set(found)) == (1, {"spool"})
    assert "ends at frame 1, digest is at 70" in found["spool"]["text"]


def age(path: Path) -> None:
    long_ago = time.time() - 7200
    os.utime(path, (long_ago, long_ago))


def test_files_that_no_attachment_refers_to_are_deleted(ward: Ward) -> None:
    folder = ward.data / "blobs" / "ab"
    folder.mkdir(mode=0o700, exist_ok=True)
    orphan, young = folder / ("c" * 62), folder / ("d" * 62)
    for path in (orphan, young):
        path.write_bytes(b"nobody's")
        path.chmod(0o600)
    age(orphan)
    code, found = ward.doctor()
    assert (code, set(found)) == (1, {"orphans"})
    assert orphan.exists()
    assert ward.doctor("--fix")[0] == 0
    assert not orphan.exists()
    assert young.exists()  # its row may be about to be written
    assert "orphans" in audited(ward, "server.repair")


def test_attachment_without_its_file_is_named(ward: Ward) -> None:
    digest = ward.value("SELECT blob FROM attachments")
    (file,) = (ward.data / "blobs" / digest[:2]).iterdir()
    file.unlink()
    code, found = ward.doctor("--fix")
    assert (code, set(found)) == (2, {"missing-files"})
    assert digest in found["missing-files"]["text"]
    assert ward.value("SELECT count(*) FROM attachments") == 1


def test_broken_chain_of_the_audit_log(ward: Ward) -> None:
    ward.sql("DROP TRIGGER audit_is_append_only", "UPDATE audit SET action = 'x' WHERE id = 2")
    code, found = ward.doctor("--fix")
    assert (code, found["audit"]["fixed"]) == (2, False)


def test_files_that_others_may_read_are_closed(ward: Ward) -> None:
    (ward.data / "meta.db").chmod(0o644)
    (ward.data / "blobs").chmod(0o755)
    code, found = ward.doctor()
    assert (code, set(found)) == (2, {"permissions"})
    assert "meta.db" in found["permissions"]["text"]
    assert ward.doctor("--fix")[0] == 0
    assert (ward.data / "meta.db").stat().st_mode & 0o777 == 0o600
    assert (ward.data / "blobs").stat().st_mode & 0o777 == 0o700


def test_files_of_others_in_the_folder_are_left_alone(ward: Ward) -> None:
    script, new = ward.data / "script.sh", ward.data / "letter.new"
    for path in (script, new):
        path.write_text("mine")
        path.chmod(0o755)
        age(path)
    (ward.data / "link").symlink_to(script)
    assert ward.doctor("--fix") == (0, {})
    assert script.stat().st_mode & 0o777 == 0o755
    assert new.exists()


def test_half_written_files_are_deleted(ward: Ward) -> None:
    part = ward.data / "blobs" / "ab" / "0011223344556677.part"
    part.parent.mkdir(mode=0o700, exist_ok=True)
    part.write_bytes(b"half")
    part.chmod(0o600)
    assert ward.doctor() == (0, {})  # it may be under way
    age(part)
    assert ward.doctor()[0] == 1
    assert ward.doctor("--fix")[0] == 0
    assert not part.exists()


def test_stores_from_the_future(ward: Ward) -> None:
    ahead = time.time() + 3600
    os.utime(ward.data / "spool.db", (ahead, ahead))
    code, found = ward.doctor()
    assert (code, set(found)) == (2, {"clock"})


def test_failed_task_is_tried_again(ward: Ward) -> None:
    ward.sql(
        "INSERT INTO tasks (name, arguments, status, tries, due_at, error, created_at)"
        " VALUES ('unheard_of', '{}', 'failed', 8, 0, 'Traceback\nKeyError: 7', 0)"
    )
    code, found = ward.doctor()
    assert (code, set(found)) == (1, {"failed-task"})
    assert "KeyError: 7" in found["failed-task"]["text"]
    assert ward.doctor("--fix")[0] == 0
    audited(ward, "task.retry")


def test_missing_dictionary_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.send(EVENT)
    ward = Ward(tmp_path / "data", None)
    with ward.events() as events:
        row = (1, "x", None, 7, b"", 1)
        events.append({PAYLOADS: [row]})
    code, found = ward.doctor()
    assert (code, set(found)) == (2, {"payloads", "dictionaries"})
    assert "[7]" in found["dictionaries"]["text"]


def test_broken_reference_is_named(ward: Ward) -> None:
    ward.sql("UPDATE issue_activity SET issue_id = 999")
    code, found = ward.doctor()
    assert code == 2
    assert "issue_activity refers to a missing issues" in found["damaged"]["text"]


def overwrite(path: Path) -> None:
    """Nonsense in the place of a file's first pages."""
    with path.open("r+b") as file:
        file.write(b"nonsense" * 2048)


@pytest.mark.parametrize(
    ("file", "code"),
    [("meta.db", "damaged"), ("spool.db", "damaged"), ("events.duckdb", "not-examined")],
)
def test_damaged_store_is_a_finding_and_hides_no_other(
    tmp_path: Path, file: str, code: str
) -> None:
    data = tmp_path / "data"
    with running(data) as server:
        server.send(EVENT)
    (data / "audit.key").chmod(0o640)
    overwrite(data / file)
    exit_code, found = Ward(data, None).doctor()
    assert exit_code == 2
    assert code in found
    assert ("permissions" in found) is (file != "meta.db")
    assert not list(data.glob("*.damaged*"))  # doctor looks, it does not set aside


def test_few_open_files_are_warned_of(ward: Ward) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        assert set(ward.doctor()[1]) == {"open-files"}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_folder_without_data_cannot_be_examined(tmp_path: Path) -> None:
    result = cli("doctor", "--data", str(tmp_path / "none"))
    assert result.exit_code == 3
    assert "no tracer data" in result.stderr
    assert not (tmp_path / "none").exists()


def test_findings_say_what_they_mean_and_what_to_do(ward: Ward) -> None:
    (ward.data / "meta.db").chmod(0o644)
    said = cli("doctor", "--data", str(ward.data))
    assert "Others may read" in said.stdout
    assert "→ `tracer doctor --fix`" in said.stdout
    assert said.stdout.endswith("1 errors, 0 warnings.\n")
    fixed = cli("doctor", "--fix", "--data", str(ward.data))
    assert fixed.stdout.endswith("0 errors, 0 warnings, 1 fixed.\n")
