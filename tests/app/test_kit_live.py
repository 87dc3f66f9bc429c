"""Live updates through a real server: who may listen to what, and what they hear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running
from serving import Server, cli, read_json, untouched

PASSWORD = "correct-horse-battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with untouched(tmp_path) as started:
        yield started


def set_up(tmp_path: Path, *flags: str) -> Any:
    return read_json(
        cli(
            *("setup", "--email", "me@example.com", "--password-stdin", "--json", *flags),
            *("--data", str(tmp_path / "data")),
            stdin=PASSWORD,
        )
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("topic=nonsense", 400), ("topic=project:x", 400), ("topic=project:999", 400)],
)
def test_topics_must_exist_and_be_in_reach(tracer: Running, query: str, status: int) -> None:
    assert tracer.page(f"/live/?{query}").status_code == status


def test_visitor_may_not_listen(tracer: Running) -> None:
    assert tracer.visitor.get("/live/?topic=projects").status_code == 303


def test_event_is_announced_to_open_pages_within_two_seconds(
    tmp_path: Path, server: Server
) -> None:
    made = set_up(tmp_path)
    server.login("me@example.com", PASSWORD)
    connection = server.connect()
    connection.request("GET", "/live/?topic=projects", headers={"Cookie": server.cookie})
    answer = connection.getresponse()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "content-encoding" not in answer.headers
    key = made["dsn"].partition("//")[2].partition("@")[0]
    status, _, _ = server.request(
        "POST",
        f"/api/{made['project_id']}/store/?sentry_key={key}",
        b'{"message": "hello"}',
        {"Content-Type": "application/json"},
    )
    assert status == 200
    connection.sock.settimeout(2)
    line = b""
    while not line.startswith(b"data: "):
        line = answer.readline()
    assert json.loads(line[6:])["topic"] == f"project:{made['project_id']}"
    connection.close()


def test_page_that_is_closed_is_forgotten(tmp_path: Path, server: Server) -> None:
    set_up(tmp_path)
    server.login("me@example.com", PASSWORD)
    for _ in range(20):
        connection = server.connect()
        connection.request("GET", "/live/?topic=projects", headers={"Cookie": server.cookie})
        assert connection.getresponse().readline() == b"retry: 3000\n"
        connection.close()
    server.stop()
    assert server.exit_code == 0
    assert "Traceback" not in server.log()
    assert "ERROR" not in server.log()
