"""The page of the server, the banner, and `tracer status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import serving
from harness import Running, running
from tracer.accounts.actions import set_server_admin
from tracer.features.operations import pages, tasks
from tracer.kit import noted
from tracer.kit.context import Actor, Req
from tracer.kit.forms import Query
from tracer.kit.signs import Sign
from tracer.kit.watch import Stall
from tracer.storage.timing import SlowQuery

PAGE = "/settings/server/"


@pytest.fixture
def admin(tracer: Running) -> Running:
    """The owner administers the server."""
    user_id = tracer.add_user()
    with tracer.meta.write() as tx:
        set_server_admin(tx, user_id, True)
    return tracer


def fact(tracer: Running, name: str, value: Any) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        noted.note(tx, name, json.dumps(value))


def failed_task(tracer: Running) -> int:
    with tracer.meta.write(unaudited="test") as tx:
        return tx.insert(
            "INSERT INTO tasks (name, arguments, status, tries, due_at, error, created_at) "
            "VALUES ('mail.send', '{\"secret_id\": 1}', 'failed', 8, 0, 'refused <b>', 0)"
        )


def test_page_says_how_the_server_does(admin: Running) -> None:
    admin.send(message="hello")
    query = SlowQuery("events", "SELECT slow FROM events WHERE a = $a", 1.5)
    admin.tracer.samples.note_query(query)
    text = admin.page(PAGE).text
    for said in ("Everything works", "Waiting", "No backup was made", "duckdb", query.sql):
        assert said in text
    again = admin.page(PAGE).text
    assert "/api/{project_id:int}/envelope/" in again
    assert again.count("/settings/server/") > 1


def test_page_keeps_its_query_budget(admin: Running) -> None:
    task_id = failed_task(admin)
    req = Req(
        tracer=admin.tracer, method="GET", path=PAGE, query=Query([]), headers={}, cookies={},
        client_ip="", base_url="", actor=Actor("user", 1, is_server_admin=True),
    )  # fmt: skip
    with admin.meta.counted() as counter:
        answer = pages.show(req)
    assert f"/tasks/{task_id}/retry".encode() in answer.body
    assert 0 < counter.count <= pages.BUDGET


def test_failed_task_is_shown_and_can_be_tried_again(admin: Running) -> None:
    task_id = failed_task(admin)
    text = admin.page(PAGE).text
    assert "mail.send" in text
    assert "refused &lt;b&gt;" in text
    answer = admin.post(f"{PAGE}tasks/{task_id}/retry")
    assert answer.status_code == 303
    row = admin.meta.read().row("SELECT status FROM tasks WHERE id = :id", id=task_id)
    assert row is None or row[0] != "failed"
    assert admin.post(f"{PAGE}tasks/{task_id + 99}/retry").status_code == 303
    assert "no longer among the failed" in admin.page(PAGE).text


def test_last_backup_and_days_until_full_are_told(admin: Running) -> None:
    fact(admin, "last_backup", {"at": 1_700_000_000_000, "path": "/backups/one", "bytes": 5000})
    text = admin.page(PAGE).text
    assert "/backups/one" in text
    assert "not filling" in text
    free = 10**15
    fact(admin, "disk_samples", [[0, free]])
    assert " days" in admin.page(PAGE).text


@pytest.mark.parametrize("value", ["[]", "no json", '"text"', "{}", '{"at": "x"}', "[[1]]"])
def test_page_survives_facts_that_make_no_sense(admin: Running, value: str) -> None:
    with admin.meta.write(unaudited="test") as tx:
        noted.note(tx, "last_backup", value)
        noted.note(tx, "disk_samples", value)
    assert admin.page(PAGE).status_code == 200


def test_free_space_is_noted(admin: Running) -> None:
    tasks.note_free_space(admin.tracer)
    tasks.note_free_space(admin.tracer)
    found = json.loads(noted.load(admin.meta.read(), "disk_samples") or "")
    assert len(found) == 2


def test_stall_is_a_banner_for_server_administrators_alone(admin: Running) -> None:
    sign = Sign("digest_stalled", "Digest has <not> moved.", "Look at the log.", blocks=True)
    plain = admin.login("plain@example.com", "owner")
    admin.tracer.watch.active = (Stall(sign, 1.0),)
    try:
        assert "Digest has &lt;not&gt; moved." in admin.page("/issues/").text
        assert "Digest has" not in admin.page("/issues/", browser=plain).text
        page = admin.page(PAGE).text
        assert "Look at the log." in page
        assert "Everything works" not in page
    finally:
        admin.tracer.watch.active = ()
    assert "Digest has" not in admin.page("/issues/").text


def status_of(data: Path, *flags: str) -> Any:
    return serving.cli("status", *flags, env={"TRACER_DATA": str(data)})


def test_status_beside_a_running_server(tmp_path: Path) -> None:
    with running(tmp_path / "data") as tracer:
        tracer.send(message="hello")
        result = status_of(tmp_path / "data", "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["state"] == "running"
        assert found["ready"] is True
        assert found["waiting"]["frames"] == 0
        assert found["memory"]["rss_bytes"] > 1_000_000
        told = status_of(tmp_path / "data").stdout
        assert "ready" in told
        assert "none was made" in told
        sign = Sign("disk_full", "The disk is full.", "Free space.", blocks=True)
        tracer.tracer.watch.active = (Stall(sign, 1.0),)
        wrong = status_of(tmp_path / "data")
        assert wrong.exit_code == 3
        assert "NOT READY" in wrong.stdout
        assert "Free space." in wrong.stdout


def test_status_of_a_stopped_server_says_what_the_folder_holds(tmp_path: Path) -> None:
    with running(tmp_path / "data") as tracer:
        tracer.send(message="hello")
    before = (tmp_path / "data" / "meta.db").stat().st_mtime_ns
    result = status_of(tmp_path / "data", "--json")
    assert result.exit_code == 4, result.output
    found = json.loads(result.stdout)
    assert found["state"] == "stopped"
    assert found["holds"]["events"] == 1
    assert found["waiting"]["frames"] == 0
    assert "not running" in status_of(tmp_path / "data").stdout
    assert (tmp_path / "data" / "meta.db").stat().st_mtime_ns == before


def test_status_of_an_empty_folder_is_refused(tmp_path: Path) -> None:
    result = status_of(tmp_path)
    assert result.exit_code == 1
    assert "There is no tracer data" in result.stderr
