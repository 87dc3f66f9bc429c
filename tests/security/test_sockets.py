"""Requests on a real connection that two servers could read in two ways, or that no client sends.

A second request hidden in a first one must never be answered.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, untouched

HIDDEN = b"GET /hidden-request HTTP/1.1\r\nHost: x\r\n\r\n"
HOST = b"Host: testserver\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("sockets")
    with untouched(folder) as started:
        yield started


def say(server: Server, *parts: bytes, wait_s: float = 0.4) -> bytes:
    """All that comes back within a moment of the last byte."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            connection.settimeout(wait_s)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
    return received


def statuses(received: bytes) -> list[int]:
    """The statuses of the answers on a connection, in order."""
    return [
        int(line.split()[1]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")
    ]


def post(*headers: bytes, body: bytes = b"") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /login HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


CHUNKED = b"0\r\n\r\n" + HIDDEN

AMBIGUOUS = {
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 44", body=HIDDEN),
    "two lengths in one": post(b"Content-Length: 0, 44", body=HIDDEN),
    "length with a sign": post(b"Content-Length: +0", body=HIDDEN),
    "length below zero": post(b"Content-Length: -1", body=HIDDEN),
    "length in hexadecimal": post(b"Content-Length: 0x0", body=HIDDEN),
    "length and blank": post(b"Content-Length : 44", body=HIDDEN),
    "length without end": post(b"Content-Length: 99999999999999999999999", body=HIDDEN),
    "unknown coding": post(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "coding and blank": post(b"Transfer-Encoding : chunked", body=CHUNKED),
    "coding is not last": post(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "coding with a line break": post(b"Transfer-Encoding:\r\n chunked", body=CHUNKED),
    "chunk size with a sign": post(b"Transfer-Encoding: chunked", body=b"-1\r\n" + HIDDEN),
    "chunk size too large": post(
        b"Transfer-Encoding: chunked", body=b"fffffffffffffffff0\r\n\r\n" + HIDDEN
    ),
    "chunk without its end": post(b"Transfer-Encoding: chunked", body=b"1\r\nab0\r\n\r\n" + HIDDEN),
    "header without a colon": post(b"Content-Length 0", body=HIDDEN),
    "header that is folded": post(b"X-A: b\r\n Content-Length: 44", body=b""),
    "header with NUL": post(b"X-A: b\0c", body=b""),
    "header with a lone CR": post(b"X-A: b\rContent-Length: 44", body=b""),
    "no version": b"GET /up\r\n" + HOST + b"\r\n",
    "version that is none": b"GET /up HTTP/9.9\r\n" + HOST + b"\r\n",
    "blank in the target": b"GET /up x HTTP/1.1\r\n" + HOST + b"\r\n",
    "method that is none": b"G\0T /up HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("raw", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_request_that_can_be_read_in_two_ways_is_refused(server: Server, raw: bytes) -> None:
    """At most one answer, and none that obeys; the hidden request is never answered."""
    found = statuses(say(server, raw))
    assert len(found) <= 1
    # 503: the body ended before its end.
    assert all(400 <= status < 500 or status == 503 for status in found)


def test_length_beside_a_coding_hides_no_request(server: Server) -> None:
    """A proxy that reads the length and a server that reads the chunks must not disagree."""
    chunks = b"4\r\nabcd\r\n0\r\n\r\n"
    one = post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKED)
    other = post(
        b"Transfer-Encoding: chunked",
        b"Content-Length: %d" % (len(chunks) + len(HIDDEN)),
        body=chunks + HIDDEN,
    )
    for raw in (one, other):
        received = say(server, raw)
        assert statuses(received)[1:] == []


def test_server_goes_on_after_all_of_them(server: Server) -> None:
    for raw in AMBIGUOUS.values():
        say(server, raw, wait_s=0.02)
    assert server.get("/up") == (200, b"ok\n")


def test_upgrade_to_another_protocol_is_not_followed(server: Server) -> None:
    for protocol in (b"h2c", b"websocket"):
        raw = (
            b"GET /login HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: " + protocol + b"\r\n\r\n" + HIDDEN
        )
        assert 101 not in statuses(say(server, raw))


@pytest.mark.parametrize(
    "target",
    ["http://evil.example/login", "//evil.example/login", "*", "login", "/login#x", "/%00"],
)
def test_target_of_any_form_is_a_path_here(server: Server, target: str) -> None:
    received = say(server, b"GET " + target.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert len(statuses(received)) <= 1
    assert b"evil.example" not in received
    assert all(status < 500 for status in statuses(received))


def test_very_long_headers_are_refused(server: Server) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(2000))
    for headers in (
        b"X-A: " + b"a" * 1_000_000 + b"\r\n",
        many,
        b"Cookie: " + b"a=b;" * 100_000 + b"\r\n",
    ):
        found = statuses(say(server, b"GET /login HTTP/1.1\r\n" + HOST + headers + b"\r\n"))
        assert all(status < 500 for status in found)
    assert server.get("/up")[0] == 200


def test_clients_that_send_slowly_do_not_hold_the_server(server: Server) -> None:
    waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    try:
        for number, connection in enumerate(waiting):
            connection.sendall(b"POST /login HTTP/1.1\r\n" + (HOST if number % 2 else b""))
        assert server.get("/up")[0] == 200
    finally:
        for connection in waiting:
            connection.close()
