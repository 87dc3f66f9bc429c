"""Clients that hold connections and say little or nothing: the others are served all the same."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import time
import uuid
from collections.abc import Iterator

import psutil
import pytest

from e2e.clients import until
from serving import Server, tracer

IDLE = 5000
IDLE_S = 3
BODY_S = 2


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tracer(idle_timeout_s=IDLE_S, body_timeout_s=BODY_S, disk_floor_bytes=0) as started:
        started.login()
        yield started
        assert "Traceback" not in started.log()


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"needs {count} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def connections(server: Server, count: int, opening: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections that have sent no more than `opening`."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
            if opening:
                one.sendall(opening)
            opened.append(one)
        yield opened


def head(server: Server, length: int) -> bytes:
    """The header of a request with an event of this many bytes."""
    return (
        f"POST /api/{server.project_id}/store/?sentry_key={server.key} HTTP/1.1\r\n"
        f"Host: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def send(server: Server) -> str:
    """An event that must be acknowledged within seconds; its id."""
    event_id = uuid.uuid4().hex
    body = json.dumps({"event_id": event_id, "message": "still served"})
    path = f"/api/{server.project_id}/store/?sentry_key={server.key}"
    began = time.monotonic()
    status, _, _ = server.request("POST", path, body)
    assert status == 200
    assert time.monotonic() - began < 5
    return event_id


def is_stored(server: Server, event_id: str) -> bool:
    sql = "SELECT count(*) FROM recent_events WHERE event_id = ?"
    return server.rows(sql, bytes.fromhex(event_id)) == [(1,)]


def open_files(server: Server) -> int:
    return psutil.Process(server.pid).num_fds()


def closed(sockets: list[socket.socket]) -> int:
    """How many the server has closed."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return len(poll.poll(0))


def answer_of(one: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    one.settimeout(20)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := one.recv(4096):
            received += chunk
    return received


def refused(server: Server, reason: str) -> int:
    sql = "SELECT coalesce(sum(quantity), 0) FROM outcomes WHERE outcome = 'refused' AND reason = ?"
    return int(server.rows(sql, reason)[0][0])


def test_five_thousand_idle_connections_hinder_nobody_and_are_closed(server: Server) -> None:
    before = open_files(server)
    memory = psutil.Process(server.pid).memory_info().rss
    with many_files(IDLE + 500), connections(server, IDLE) as idle:
        sent = [send(server) for _ in range(5)]
        status, _ = server.get("/issues/")
        assert status == 200
        assert psutil.Process(server.pid).memory_info().rss - memory < 150 << 20
        until(lambda: closed(idle) == IDLE, limit_s=IDLE_S + 20)
    until(lambda: open_files(server) < before + 50, limit_s=10)
    until(lambda: all(is_stored(server, event_id) for event_id in sent), limit_s=20)


def test_headers_that_drip_are_ended(server: Server) -> None:
    with connections(server, 200, b"POST /api/1/store/ HTTP/1.1\r\nX-Drip: ") as dripping:
        began = time.monotonic()
        while closed(dripping) < len(dripping):
            assert time.monotonic() - began < IDLE_S + 10
            for one in dripping:
                with contextlib.suppress(OSError):
                    one.send(b"x")
            send(server)
            time.sleep(0.2)


def test_bodies_that_drip_are_ended_with_408(server: Server) -> None:
    before = refused(server, "http_408")
    with connections(server, 100, head(server, 50_000)) as dripping:
        began = time.monotonic()
        while closed(dripping) < len(dripping):
            assert time.monotonic() - began < BODY_S + 10
            for one in dripping:
                with contextlib.suppress(OSError):
                    one.send(b"x")
            send(server)
            time.sleep(0.2)
        answers = [answer_of(one) for one in dripping]
    assert all(not answer or answer.startswith(b"HTTP/1.1 408") for answer in answers)
    assert any(answers)
    until(lambda: refused(server, "http_408") == before + 100, limit_s=20)


def test_a_slow_body_that_keeps_coming_is_taken(server: Server) -> None:
    event_id = uuid.uuid4().hex
    body = json.dumps({"event_id": event_id, "message": "slow", "extra": {"x": "y" * 200_000}})
    with connections(server, 1, head(server, len(body))) as (one,):
        parts = 20
        size = len(body) // parts + 1
        for start in range(0, len(body), size):
            one.sendall(body[start : start + size].encode())
            time.sleep(BODY_S * 1.6 / parts)
        one.settimeout(20)
        assert one.recv(4096).startswith(b"HTTP/1.1 200")
    until(lambda: is_stored(server, event_id), limit_s=20)


def test_half_closed_connections_lose_nothing_acknowledged_and_hold_nothing(server: Server) -> None:
    before = open_files(server)
    ids = [uuid.uuid4().hex for _ in range(50)]
    acknowledged = []
    for event_id in ids:
        body = json.dumps({"event_id": event_id, "message": "half closed"}).encode()
        with connections(server, 1, head(server, len(body)) + body) as (one,):
            one.shutdown(socket.SHUT_WR)
            if answer_of(one).startswith(b"HTTP/1.1 200"):
                acknowledged.append(event_id)
    with connections(server, 50, head(server, 5000) + b'{"message": "cut') as cut:
        for one in cut:
            one.shutdown(socket.SHUT_WR)
        until(lambda: closed(cut) == len(cut), limit_s=BODY_S + 10)
        until(lambda: open_files(server) < before + 20, limit_s=10)
        until(lambda: all(is_stored(server, each) for each in acknowledged), limit_s=20)
    send(server)
    stored = {each for each in ids if is_stored(server, each)}
    assert set(acknowledged) <= stored
    sql = "SELECT coalesce(sum(event_count), 0) FROM issues WHERE title = 'half closed'"
    until(lambda: server.rows(sql) == [(len(stored),)], limit_s=20)
