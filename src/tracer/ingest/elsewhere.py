"""Endpoints of data that this version recognises but does not store: OTLP, reports, dumps, crons.

Each is authorized, bounded, counted as `unsupported` and answered as its clients expect, so that
nothing vanishes and nothing retries for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec

from tracer import clock
from tracer.errors import Invalid, Problem
from tracer.ingest.answers import answer
from tracer.ingest.endpoint import Call, authorize, handle
from tracer.ingest.outcomes import UNSUPPORTED
from tracer.kit.permissions import Permission
from tracer.kit.routes import Receive, Routes, Scope, Send
from tracer.protocol.dsn import Auth, find_key
from tracer.protocol.lenient import load_json

routes = Routes()

_OTLP: Final = {"traces": "span", "logs": "log_item", "metrics": "trace_metric"}
_REJECTED_FIELD: Final = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}
_JSON_PATH: Final = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
_NOT_YET: Final = "this version of tracer does not store OTLP data"
_REPORT_TYPES: Final = (
    "application/csp-report",
    "application/json",
    "application/reports+json",
    "application/expect-ct-report",
    "application/expect-ct-report+json",
    "application/expect-staple-report",
)


class UnsupportedType(Problem):
    """The content type cannot be a report."""

    status = 415


def _declare(path: str, methods: tuple[str, ...], work: Any) -> None:
    @routes.raw(path, methods, can=Permission.PROJECT_KEY)
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await handle(scope, receive, send, work)


async def _otlp(call: Call, receive: Receive, send: Send) -> None:
    _authorize(call)
    signal = call.scope["path_params"]["signal"]
    body = await call.body.read(receive, call.headers.get(b"content-length"))
    as_json = call.content_type.startswith("application/json")
    parse = partial(_count_json, signal=signal) if as_json else _count_protobuf
    rejected = await call.intake.open(body, call.encoding, parse)
    _count(call, _OTLP[signal], f"otlp_{signal}", rejected)
    if as_json:
        refused = {_REJECTED_FIELD[signal]: str(rejected), "errorMessage": _NOT_YET}
        reply = msgspec.json.encode({"partialSuccess": refused if rejected else {}})
        await answer(send, 200, reply, kind=b"application/json")
        return
    reply = _partial_success(rejected) if rejected else b""
    await answer(send, 200, reply, kind=b"application/x-protobuf")


async def _report(call: Call, receive: Receive, send: Send) -> None:
    _authorize(call)
    body = await call.body.read(receive, call.headers.get(b"content-length"))
    if call.content_type.partition(";")[0].strip().lower() not in _REPORT_TYPES:
        raise UnsupportedType("unsupported report type")
    data = await call.intake.open(body, call.encoding, load_json)
    if not isinstance(data, (dict, list)) or not data:
        raise Invalid("empty report")
    _count(call, "security", "report", len(data) if isinstance(data, list) else 1)
    await answer(send, 200)


async def _crash(call: Call, receive: Receive, send: Send) -> None:
    _authorize(call)
    body = await call.body.read(receive, call.headers.get(b"content-length"))
    if not body:
        raise Invalid("missing minidump")
    _count(call, "error", "crash_dump", 1)
    event_id = clock.new_id()
    hyphenated = "-".join(
        (event_id[:8], event_id[8:12], event_id[12:16], event_id[16:20], event_id[20:])
    )
    await answer(send, 200, hyphenated.encode(), kind=b"text/plain")


async def _check_in(call: Call, receive: Receive, send: Send) -> None:
    _authorize(call)
    await call.body.read(receive, call.headers.get(b"content-length"))
    _count(call, "monitor", "check_in", 1)
    await answer(send, 202)


_declare("/api/{project_id:int}/security/", ("POST", "OPTIONS"), _report)
_declare("/api/{project_id:int}/csp-report/", ("POST", "OPTIONS"), _report)
_declare("/api/{project_id:int}/nel/", ("POST", "OPTIONS"), _report)
_declare("/api/{project_id:int}/minidump/", ("POST", "OPTIONS"), _crash)
_declare("/api/{project_id:int}/unreal/{key}/", ("POST", "OPTIONS"), _crash)
_declare("/api/{project_id:int}/cron/{slug}/", ("GET", "POST", "OPTIONS"), _check_in)
_declare("/api/{project_id:int}/cron/{slug}/{key}/", ("GET", "POST", "OPTIONS"), _check_in)


def _declare_otlp(prefix: str) -> None:
    @routes.raw(prefix + "{signal}", ("POST", "OPTIONS"), can=Permission.PROJECT_KEY)
    async def otlp(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path_params"]["signal"] not in _OTLP:
            await answer(send, 404, b'{"detail":"no such signal"}', kind=b"application/json")
            return
        await handle(scope, receive, send, _otlp)


_declare_otlp("/api/{project_id:int}/integration/otlp/v1/")
_declare_otlp("/api/{project_id:int}/otlp/v1/")


def _authorize(call: Call) -> None:
    in_path = call.scope["path_params"].get("key")
    authorize(
        call,
        Auth(str(in_path), "", "")
        if in_path
        else find_key(call.headers, call.scope["query_string"]),
    )


def _count(call: Call, category: str, reason: str, quantity: int) -> None:
    call.intake.refusals.count(
        call.project_id or 0, reason, quantity, category=category, outcome=UNSUPPORTED
    )


def _count_json(data: bytes, signal: str) -> int:
    found = [load_json(data)]
    for name in _JSON_PATH[signal]:
        found = [
            entry
            for holder in found
            if isinstance(holder, dict) and isinstance(holder.get(name), list)
            for entry in holder[name]
        ]
    return len(found)


def _count_protobuf(data: bytes) -> int:
    """Spans, records or metrics of an export request: field 2 of field 2 of field 1 in each."""
    return sum(
        1
        for resource in _fields(data, 1)
        for scope in _fields(resource, 2)
        for _ in _fields(scope, 2)
    )


def _fields(data: bytes, wanted: int) -> Iterator[bytes]:
    """Length-delimited fields of a protobuf message with one number. Invalid when it is none."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            _, position = _varint(data, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            length, position = _varint(data, position)
            if tag >> 3 == wanted:
                yield data[position : position + length]
            position += length
        else:
            raise Invalid("malformed protobuf")
    if position != len(data):
        raise Invalid("malformed protobuf")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise Invalid("malformed protobuf")


def _partial_success(rejected: int) -> bytes:
    """`Export…ServiceResponse{partial_success{rejected, error_message}}`, alike for all signals."""
    count = bytearray()
    while rejected > 0x7F:
        count.append(rejected & 0x7F | 0x80)
        rejected >>= 7
    count.append(rejected)
    message = _NOT_YET.encode()
    inner = b"\x08" + bytes(count) + b"\x12" + bytes([len(message)]) + message
    return b"\x0a" + bytes([len(inner)]) + inner
