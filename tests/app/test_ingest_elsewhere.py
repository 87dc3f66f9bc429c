"""Data that is recognised and not stored: answered as its clients expect, and counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import Running
from tracer.ingest import balance


def post(tracer: Running, path: str, body: bytes | str, kind: str = "", key: str = "") -> Any:
    key = key or tracer.key_of(tracer.project)
    headers = {"Content-Type": kind} if kind else {}
    where = f"/api/{tracer.project.id}/{path}?sentry_key={key}"
    return tracer.visitor.post(where, content=body, headers=headers)


def unsupported(tracer: Running) -> dict[str, int]:
    """Items by category and reason."""
    tracer.tracer.digest.flush()
    assert balance.check(tracer.meta.read()) == []
    rows = tracer.meta.read().rows(
        "SELECT category, reason, quantity FROM outcomes WHERE outcome = 'unsupported'"
    )
    return {f"{category} {reason}": quantity for category, reason, quantity in rows}


def field(number: int, *values: bytes) -> bytes:
    """Length-delimited protobuf fields; shorter than 128 bytes each."""
    return b"".join(bytes([number << 3 | 2, len(value)]) + value for value in values)


#: Two scopes with three entries in all, between fields of every other wire type.
EXPORT = field(
    1,
    field(1, b"resource")
    + b"\x18\x96\x01"
    + field(2, field(2, b"a", b"b") + b"\x25abcd", field(2, b"c") + b"\x19abcdefgh"),
)


@pytest.mark.parametrize(
    ("signal", "category"),
    [("traces", "span"), ("logs", "log_item"), ("metrics", "trace_metric")],
)
def test_otlp_in_protobuf_is_refused_in_part_and_each_entry_counted(
    tracer: Running, signal: str, category: str
) -> None:
    answer = post(tracer, f"integration/otlp/v1/{signal}", EXPORT, "application/x-protobuf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    partial = answer.content
    assert partial[0] == 0x0A
    assert partial[1] == len(partial) - 2
    assert partial[2:4] == b"\x08\x03"
    assert partial[6:].decode() == "this version of tracer does not store OTLP data"
    assert unsupported(tracer) == {f"{category} otlp_{signal}": 3}


def test_count_of_many_entries_is_told_in_protobuf_as_a_varint(tracer: Running) -> None:
    many = b"".join(field(1, field(2, field(2, *[b"x"] * 20))) for _ in range(15))
    answer = post(tracer, "otlp/v1/traces", many, "application/x-protobuf")
    assert answer.content[2:5] == b"\x08\xac\x02"
    assert unsupported(tracer) == {"span otlp_traces": 300}


@pytest.mark.parametrize(
    ("signal", "names", "rejected"),
    [
        ("traces", ("resourceSpans", "scopeSpans", "spans"), "rejectedSpans"),
        ("logs", ("resourceLogs", "scopeLogs", "logRecords"), "rejectedLogRecords"),
        ("metrics", ("resourceMetrics", "scopeMetrics", "metrics"), "rejectedDataPoints"),
    ],
)
def test_otlp_in_json_is_refused_in_part(
    tracer: Running, signal: str, names: tuple[str, str, str], rejected: str
) -> None:
    outer, middle, inner = names
    export = {outer: [{middle: [{inner: [{}, {}]}, {inner: "odd"}]}, 7, {middle: None}]}
    answer = post(tracer, f"otlp/v1/{signal}", json.dumps(export), "application/json; charset=x")
    assert answer.json()["partialSuccess"][rejected] == "2"
    assert list(unsupported(tracer).values()) == [2]


@pytest.mark.parametrize("kind", ["application/json", "application/x-protobuf"])
def test_empty_export_succeeds_as_a_whole(tracer: Running, kind: str) -> None:
    body = b"{}" if kind == "application/json" else b""
    answer = post(tracer, "otlp/v1/logs", body, kind)
    assert answer.status_code == 200
    assert answer.content in (b"", b'{"partialSuccess":{}}')


@pytest.mark.parametrize(
    "body",
    [
        b"\x0b",  # a group, which nobody sends any more
        b"\x0a\x7fshort",  # longer than what there is
        b"\x09abc",  # eight bytes, of which three came
        b"\xff" * 11,  # a number without an end
        b"\x0a",
        field(1, b"\x12\x05ab"),
    ],
)
def test_protobuf_that_is_none_is_invalid_and_nothing_is_counted(
    tracer: Running, body: bytes
) -> None:
    assert post(tracer, "otlp/v1/traces", body, "application/x-protobuf").status_code == 400
    assert unsupported(tracer) == {}


def test_signal_that_does_not_exist_is_not_found(tracer: Running) -> None:
    assert post(tracer, "otlp/v1/profiles", b"").status_code == 404


@pytest.mark.parametrize("path", ["security/", "csp-report/", "nel/"])
def test_reports_of_browsers_are_counted_one_by_one(tracer: Running, path: str) -> None:
    assert post(tracer, path, '{"csp-report": {}}', "application/csp-report").status_code == 200
    two = '[{"type": "csp-violation"}, {"type": "network-error"}]'
    assert post(tracer, path, two, "application/reports+json").status_code == 200
    assert unsupported(tracer) == {"security report": 3}


def test_what_is_no_report_is_refused(tracer: Running) -> None:
    assert post(tracer, "security/", "{}", "text/html").status_code == 415
    for body in ("{}", "[]", "7", "no JSON"):
        assert post(tracer, "security/", body, "application/json").status_code == 400
    assert unsupported(tracer) == {}


def test_crash_dump_is_answered_with_an_id_of_its_own(tracer: Running) -> None:
    ids = {post(tracer, "minidump/", b"MDMP").text for _ in range(2)}
    assert len(ids) == 2
    assert all([len(part) for part in id_.split("-")] == [8, 4, 4, 4, 12] for id_ in ids)
    assert post(tracer, "minidump/", b"").status_code == 400
    key = tracer.key_of(tracer.project)
    assert tracer.visitor.post(f"/api/{tracer.project.id}/unreal/{key}/", content=b"UE4")
    assert unsupported(tracer) == {"error crash_dump": 3}


def test_check_in_is_taken_with_the_key_in_its_path_or_query(tracer: Running) -> None:
    project, key = tracer.project, tracer.key_of(tracer.project)
    assert post(tracer, "cron/nightly/", b"{}", "application/json").status_code == 202
    with_key = f"/api/{project.id}/cron/nightly/{key}/?status=ok"
    assert tracer.visitor.get(with_key).status_code == 202
    assert unsupported(tracer) == {"monitor check_in": 2}


@pytest.mark.parametrize("path", ["otlp/v1/logs", "security/", "minidump/", "cron/nightly/"])
def test_key_of_nobody_and_of_another_project_are_refused(tracer: Running, path: str) -> None:
    theirs = tracer.key_of(tracer.add_project("other"))
    for key in ("0" * 32, theirs):
        answer = post(tracer, path, b'{"a": 1}', "application/json", key)
        assert answer.status_code in (401, 403), answer.text
    assert unsupported(tracer) == {}
