"""The endpoints that SDKs send to. The request path touches no database: key from memory, limits,
append to the spool, and the answer when the frame is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tracer import clock
from tracer.errors import Forbidden, Problem, RateLimited
from tracer.ingest.answers import (
    answer,
    answer_id,
    answer_preflight,
    answer_problem,
    limit_headers,
)
from tracer.ingest.intake import Body, Intake, read_envelope
from tracer.ingest.origins import is_allowed
from tracer.ingest.prepare import quantities
from tracer.ingest.quotas import Verdict, count_lost
from tracer.ingest.shedding import Shed
from tracer.kit.permissions import Permission
from tracer.kit.routes import Receive, Routes, Scope, Send
from tracer.projects.keys import ProjectKey
from tracer.protocol.dsn import Auth, find_key, parse_dsn
from tracer.protocol.envelope import Envelope, parse_store
from tracer.storage.spool import NewFrame

routes = Routes()

_MAX_HEADER = 500
_PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


class Unauthorized(Problem):
    """No usable authorization; SDKs know it as 401."""

    status = 401


class QuotaReached(RateLimited):
    """Nothing of an envelope is taken; SDKs wait as long as they are told. `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.detail, retry_after_s=verdict.wait_s)
        self.verdict = verdict


@dataclass(slots=True)
class Call:
    """One request as the endpoints see it. `headers` has the last value of each lower-case name."""

    scope: Scope
    headers: dict[bytes, bytes]
    project_id: int | None
    intake: Intake
    body: Body
    public_key: str = ""
    #: X-Sentry-Rate-Limits for what the spool has no room for.
    shed: str = ""

    @property
    def tracer(self) -> Any:
        return self.scope["tracer"]

    @property
    def encoding(self) -> str:
        return self.headers.get(b"content-encoding", b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        return self.headers.get(b"content-type", b"").decode("latin-1")[:_MAX_HEADER]


@routes.raw("/api/{project_id:int}/envelope/", ("POST", "OPTIONS"), can=Permission.PROJECT_KEY)
async def envelope(scope: Scope, receive: Receive, send: Send) -> None:
    """An envelope. The key is in the request, or in the `dsn` of the envelope header."""
    await handle(scope, receive, send, _receive_envelope)


@routes.raw("/tunnel", ("POST", "OPTIONS"), can=Permission.PROJECT_KEY)
async def tunnel(scope: Scope, receive: Receive, send: Send) -> None:
    """An envelope from a browser whose blocker knows the usual path; its `dsn` has the project."""
    await handle(scope, receive, send, _receive_envelope)


@routes.raw("/api/{project_id:int}/store/", ("POST", "GET", "OPTIONS"), can=Permission.PROJECT_KEY)
async def store(scope: Scope, receive: Receive, send: Send) -> None:
    """One event as JSON, as SDKs sent it before envelopes; `GET` carries it in the query."""
    await handle(scope, receive, send, _receive_store)


async def handle(scope: Scope, receive: Receive, send: Send, work: Any) -> None:
    """Run one endpoint: preflight, refusals as answers and counts, bytes in flight given back."""
    tracer = scope["tracer"]
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if scope["method"] == "OPTIONS":
        await answer_preflight(send, headers)
        return
    intake: Intake = tracer.intake
    call = Call(scope, headers, scope["path_params"].get("project_id"), intake, Body(intake))
    intake.enter()
    try:
        await work(call, receive, send)
    except Problem as problem:
        known = call.project_id is not None and tracer.keys.project(call.project_id)
        counted_for = call.project_id if known and call.project_id else 0
        verdict = problem.verdict if isinstance(problem, QuotaReached) else None
        shed = problem.limits if isinstance(problem, Shed) else call.shed
        if not isinstance(problem, (QuotaReached, Shed)):
            intake.refusals.count(counted_for, f"http_{problem.status}")
        await answer_problem(send, problem, verdict=verdict, shed=shed)
    finally:
        scope["received_bytes"] = call.body.size
        intake.leave(call.body.size)


async def _receive_envelope(call: Call, receive: Receive, send: Send) -> None:
    auth = _auth(call)
    key = authorize(call, auth) if auth else None
    body = await call.body.read(receive, call.headers.get(b"content-length"))
    opened = await call.intake.open(body, call.encoding, read_envelope(call.intake))
    key = _match_dsn(call, key, opened)
    if level := call.tracer.spool.level:
        opened, body = await _relieve(call, key, level, opened, body)
    verdict = _limit(call, key, opened)
    await spool(call, key, body, {"kind": "envelope"} | _noted(opened, verdict))
    await answer_id(send, opened.event_id, verdict, call.shed)


async def _receive_store(call: Call, receive: Receive, send: Send) -> None:
    key = authorize(call, _auth(call))
    if call.scope["method"] == "GET":
        fields = parse_qs(call.scope["query_string"].decode("latin-1"))
        body = fields.get("sentry_data", [""])[0].encode()
        call.headers.pop(b"content-encoding", None)
    else:
        body = await call.body.read(receive, call.headers.get(b"content-length"))
    parse = partial(parse_store, content_type=call.content_type, limits=call.intake.limits)
    opened = await call.intake.open(body, call.encoding, parse)
    if level := call.tracer.spool.level:
        opened, body = await _relieve(call, key, level, opened, body)
    verdict = _limit(call, key, opened)
    # A payload without an id gets one now, so that the answer and every replay agree on it.
    event_id = opened.event_id or clock.new_id()
    noted = _noted(opened, verdict)
    await spool(call, key, body, {"kind": "store", "event_id": event_id} | noted)
    if call.scope["method"] == "GET":
        await answer(send, 200, _PIXEL, kind=b"image/gif", extra=limit_headers(verdict, call.shed))
    else:
        await answer_id(send, event_id, verdict, call.shed)


def _auth(call: Call) -> Auth | None:
    return find_key(call.headers, call.scope["query_string"])


def authorize(call: Call, auth: Auth | None) -> ProjectKey:
    """The active project key that was named, for this project and from an allowed origin."""
    if auth is None:
        raise Unauthorized("missing authorization information")
    key: ProjectKey | None = call.tracer.keys.find(auth.key)
    if key is None or not key.is_active:
        raise Forbidden("event submission rejected with_reason: ProjectId")
    if call.project_id is None:
        call.project_id = key.project_id
    if key.project_id != call.project_id:
        raise Forbidden("event submission rejected with_reason: ProjectId")
    origin = call.headers.get(b"origin")
    if origin and not is_allowed(origin.decode("latin-1"), key.allowed_domains):
        raise Forbidden("event submission rejected with_reason: Cors")
    call.tracer.keys.touch(key.key_id)
    call.public_key = auth.key
    return key


def _limit(call: Call, key: ProjectKey, opened: Envelope) -> Verdict | None:
    """What quotas say of an envelope; QuotaReached when nothing of it is left."""
    verdict: Verdict | None = call.tracer.quotas.check(key, opened.items)
    if verdict is not None and verdict.lost and not verdict.keeps_some:
        count_lost(call.intake.refusals, key.project_id, opened.items, verdict.lost)
        raise QuotaReached(verdict)
    return verdict


def _noted(opened: Envelope, verdict: Verdict | None) -> dict[str, Any]:
    """What digest is told of the items: how many of each data category there must be, and the types
    of those that are counted and not stored, with the reason."""
    noted: dict[str, Any] = {"items": quantities(opened.items)}
    if verdict is not None and verdict.lost:
        noted["limited"] = verdict.lost
    return noted


async def _relieve(
    call: Call, key: ProjectKey, level: int, opened: Envelope, body: bytes
) -> tuple[Envelope, bytes]:
    """What the spool has room for on this level; Shed when nothing of it."""
    relief = await call.tracer.shedding.relieve(level, key.project_id, opened)
    call.shed = relief.limits
    if relief.body is None:
        return opened, body
    call.headers[b"content-encoding"] = b"zstd"
    return relief.envelope, relief.body


def _match_dsn(call: Call, key: ProjectKey | None, opened: Envelope) -> ProjectKey:
    """Check the envelope's own DSN against the request's key, or take the key from it."""
    if opened.dsn is None:
        if key is None:
            raise Unauthorized("missing authorization information")
        return key
    dsn = parse_dsn(opened.dsn)
    if key is None:
        if call.project_id is not None and dsn.project_id != call.project_id:
            raise Forbidden("envelope dsn does not match the request's project")
        call.project_id = dsn.project_id
        return authorize(call, Auth(dsn.public_key, "", ""))
    if dsn.project_id != key.project_id or dsn.public_key != call.public_key:
        raise Forbidden("envelope dsn does not match the request's authorization")
    return key


async def spool(call: Call, key: ProjectKey, body: bytes, head: Mapping[str, Any]) -> None:
    """Append the frame of a call; returns when it is on disk."""
    tracer, headers = call.tracer, call.headers
    noted = {
        **head,
        "encoding": call.encoding,
        "content_type": call.content_type,
        "ip": tracer.network.client_ip(call.scope),
        "ua": headers.get(b"user-agent", b"").decode("utf-8", "replace")[:_MAX_HEADER],
    }
    frame = NewFrame(
        project_id=key.project_id,
        key=call.public_key,
        received_at=clock.now_s(),
        head=msgspec.json.encode(noted),
        body=body,
    )
    with call.intake.at_rest():
        await tracer.spool.append(frame)
