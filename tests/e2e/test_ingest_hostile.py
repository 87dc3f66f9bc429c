"""Hostile bodies against a real server: it answers, keeps its memory, and counts what it took."""

from __future__ import annotations

import gzip
import json
import socket
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.clients import event, find_event, outcomes, until
from harness import envelope
from serving import Server, tracer
from tracer.protocol.envelope import Limits, parse_envelope

MIB = 1 << 20
#: What a bomb inflates to; twice what is taken.
BOMB_BYTES = 200 * MIB
MEMORY_BYTES = 350 * MIB
FATES = ("stored", "filtered", "sampled", "rate_limited", "invalid", "unsupported", "unknown_type")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that is well, and within its memory, after all that was done to it."""
    with tracer() as started:
        yield started
        assert memory_bytes(started) < MEMORY_BYTES
        assert started.rows("SELECT count(*) FROM outcomes WHERE outcome = 'dead_letter'") == [(0,)]
        assert "Traceback" not in started.log()


def memory_bytes(server: Server) -> int:
    """The most resident memory that the server ever had."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def post(
    server: Server, body: bytes, encoding: str = "", kind: str = "envelope", key: str | None = None
) -> tuple[int, dict[str, str], Any]:
    """Send a body; status, headers and what the answer says."""
    headers = {"Content-Encoding": encoding} if encoding else {}
    path = f"/api/{server.project_id}/{kind}/?sentry_key={server.key if key is None else key}"
    status, answered, data = server.request("POST", path, body, headers)
    return status, answered, json.loads(data)


def send_event(server: Server, fields: dict[str, Any] | bytes) -> str:
    """An event that must be taken and stored; its id."""
    event_id = uuid.uuid4().hex
    payload = fields if isinstance(fields, bytes) else {"event_id": event_id, **fields}
    status, _, answer = post(
        server, envelope({"event_id": event_id}, [({"type": "event"}, payload)])
    )
    assert (status, answer) == (200, {"id": event_id})
    return event_id


def stored(server: Server, event_id: str) -> dict[str, Any]:
    until(lambda: find_event(server, event_id), limit_s=20)
    return event(server, event_id)


def counted(server: Server) -> int:
    """Items that have an outcome so far."""
    marks = ", ".join(f"'{fate}'" for fate in FATES)
    sql = f"SELECT coalesce(sum(quantity), 0) FROM outcomes WHERE outcome IN ({marks})"
    return int(server.rows(sql)[0][0])


def alive(server: Server) -> bool:
    return server.get("/up")[0] == 200


def bomb(encoding: str) -> bytes:
    """An envelope with one long event, as small as the encoding makes it."""
    head = b'{}\n{"type":"event"}\n{"message":"'
    if encoding == "br":
        whole = brotli.Compressor(quality=5)
        parts = [whole.process(head)]
        parts += [whole.process(b"A" * MIB) for _ in range(BOMB_BYTES // MIB)]
        return b"".join([*parts, whole.finish()])
    if encoding == "zstd":
        packed = zstandard.ZstdCompressor(level=3).compressobj()
    else:
        packed = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    parts = [packed.compress(head)]
    parts += [packed.compress(b"A" * MIB) for _ in range(BOMB_BYTES // MIB)]
    return b"".join([*parts, packed.flush()])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_bomb_is_refused_without_being_inflated(server: Server, encoding: str) -> None:
    body = bomb(encoding)
    assert len(body) < MIB
    status, headers, answer = post(server, body, encoding)
    assert status == 413
    assert answer["detail"]
    assert headers["x-sentry-error"]
    assert alive(server)
    assert memory_bytes(server) < MEMORY_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_truncated_body_is_refused(server: Server, encoding: str) -> None:
    packers = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    whole = packers[encoding](envelope({}, [({"type": "event"}, {"message": "x" * 2000})]))
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        assert post(server, whole[:length], encoding)[0] == 400
    assert post(server, whole, encoding)[0] == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_body_that_is_not_what_its_encoding_says_is_refused(server: Server, encoding: str) -> None:
    assert post(server, b'{}\n{"type":"event"}\n{}', encoding)[0] == 400


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deeply_nested_json_is_an_invalid_item(server: Server, opening: bytes) -> None:
    before = outcomes(server, "error").get("invalid", 0)
    depth = 100_000
    closing = {b"[": b"]", b'{"a":': b"}"}[opening]
    send_event(server, b'{"extra":' + opening * depth + b"1" + closing * depth + b"}")
    until(lambda: outcomes(server, "error").get("invalid", 0) == before + 1)
    assert alive(server)


def test_deeply_nested_envelope_header_is_refused(server: Server) -> None:
    body = b'{"trace":' + b"[" * 3_000 + b"]" * 3_000 + b'}\n{"type":"event"}\n{}'
    assert post(server, body)[0] == 400


def test_ten_thousand_tags_are_cut_and_it_is_said(server: Server) -> None:
    tags = {f"tag.{number}": str(number) for number in range(10_000)}
    found = stored(server, send_event(server, {"message": "many tags", "tags": tags}))
    assert 0 < len(found["tags"]) <= 100
    assert any(error["name"].startswith("tags") for error in found["errors"])


def test_two_megabytes_of_tags_are_cut_and_it_is_said(server: Server) -> None:
    tags = {f"t{number}": "x" * 20_000 for number in range(100)}
    found = stored(server, send_event(server, {"message": "long tags", "tags": tags}))
    assert len(found["tags"]) > 50
    assert all(len(tag["value"]) <= 1000 for tag in found["tags"])
    assert any(error["name"].startswith("tags") for error in found["errors"])


def test_event_that_is_too_large_is_refused_with_the_reason(server: Server) -> None:
    body = envelope({}, [({"type": "event"}, {"message": "x" * 5 * MIB})])
    status, _, answer = post(server, body)
    assert status == 413
    assert "envelope exceeded size limits for type 'event'" in answer["detail"]


def test_surrogates_and_numbers_that_are_none_are_stored_as_text(server: Server) -> None:
    body = (
        b'{"message":"half \\ud83d of it","extra":{"n":NaN,"i":-Infinity,"b":1e999},'
        b'"tags":{"\\udc00":"\\ud800"}}'
    )
    found = stored(server, send_event(server, body))
    assert found["title"].startswith("half ")
    json.dumps(found, allow_nan=False).encode()


@pytest.mark.parametrize("length", [-1, 10**9, "5", 1.5, None, True, [], 2**70])
def test_wrong_length_never_breaks_the_server(server: Server, length: Any) -> None:
    header = json.dumps({"type": "event", "length": length}).encode()
    status, _, _ = post(server, b"{}\n" + header + b'\n{"message":"wrong length"}\n')
    assert status in (200, 400)
    assert alive(server)


def test_request_that_ends_early_is_forgotten(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        path = f"/api/{server.project_id}/envelope/?sentry_key={server.key}"
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{}}".encode()
        )
    assert alive(server)


@pytest.mark.parametrize(
    ("key", "status"), [("0" * 32, 403), ("nonsense", 400), ("", 401)], ids=["unknown", "bad", "no"]
)
def test_key_that_is_not_one_is_refused(server: Server, key: str, status: int) -> None:
    assert post(server, b"{}\n", key=key)[0] == status


def test_request_without_authorization_is_refused(server: Server) -> None:
    path = f"/api/{server.project_id}/envelope/"
    assert server.request("POST", path, b'{}\n{"type":"event"}\n{}')[0] == 401
    assert server.request("POST", "/tunnel", b'{}\n{"type":"event"}\n{}')[0] == 401


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["event_id", "timestamp", "exception", "tags", "user", "request", "breadcrumbs", "contexts"]
)
TYPES = st.sampled_from(
    ["event", "attachment", "user_report", "feedback", "client_report", "session", "span", "?", ""]
)
ITEMS = st.tuples(
    st.fixed_dictionaries({"type": TYPES}, optional={"filename": JSON, "content_type": JSON}),
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(FIELDS, JSON).map(lambda value: json.dumps(value).encode()),
)
WHOLE = st.builds(
    envelope,
    st.dictionaries(st.sampled_from(["event_id", "dsn", "sent_at"]), JSON),
    st.lists(ITEMS, max_size=4),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An envelope of which a part was replaced."""
    body = draw(WHOLE)
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=8)) + body[at + draw(st.integers(0, 8)) :]


@settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(body=WHOLE | damaged() | st.binary(max_size=200))
def fuzz(server: Server, taken: list[int], body: bytes) -> None:
    """Send one body; `taken` gets the number of its items if it was accepted."""
    status, _, _ = post(server, body)
    assert status in (200, 400, 401, 403, 413)
    if status == 200:
        taken.append(len(parse_envelope(body, Limits()).items))


def test_whatever_is_sent_the_server_stays_well_and_loses_nothing(server: Server) -> None:
    """200 made-up bodies, whole, damaged and random: every item that was taken has its outcome."""
    stored(server, send_event(server, {"message": "before the storm"}))
    before = counted(server)
    taken: list[int] = []
    fuzz(server, taken)
    assert len(taken) > 20
    event_id = send_event(server, {"message": "after the storm"})
    assert stored(server, event_id)["title"] == "after the storm"
    until(lambda: counted(server) >= before + sum(taken) + 1)
    assert counted(server) == before + sum(taken) + 1
