"""The ASGI application: ingest's raw routes first, then pages and API on named threads.

Nothing here knows a feature or a store; `app` hands in what opens and closes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from tracer import clock
from tracer.errors import Problem, TooLarge, Unavailable
from tracer.kit import answers, scrape, tracing, watch
from tracer.kit.context import Req, Tracer
from tracer.kit.forms import Query
from tracer.kit.guard import Guard
from tracer.kit.metrics import Metrics, Series
from tracer.kit.network import peer_of
from tracer.kit.render import Response, text
from tracer.kit.routes import MAX_BODY_BYTES, Found, RawRoute, Receive, Scope, Send, Table
from tracer.kit.samples import EVERY, SLOW_S, Sample, Samples
from tracer.kit.static import Static

log = logging.getLogger("tracer.web")

BODY_TIMEOUT_S = 30
MAX_WAITING = 256
MAX_HELD_BYTES = 32 * 1024 * 1024


_READING = ("GET", "HEAD")


class Site:
    """Serves one application. `open` makes the running Tracer, `close` ends it (both may block)."""

    def __init__(
        self,
        table: Table,
        guard: Guard,
        static: Static,
        *,
        threads: int,
        metrics: Metrics,
        samples: Samples,
        open: Callable[[], Tracer],
        close: Callable[[Tracer], None],
    ) -> None:
        self.table = table
        self.guard = guard
        self.static = static
        self.tracer: Tracer | None = None
        self.metrics, self.samples = metrics, samples
        self._requests = metrics.requests
        self._answered_count = 0
        self._open, self._close = open, close
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            answer = _Answer(send)
            raw = self.table.find_raw(scope["path"])
            tracer = self.tracer
            if raw is None or tracer is None or tracer.closing:
                await self._http(scope, receive, answer)
            elif scope["method"] not in raw[0].methods:
                allow = ", ".join(raw[0].methods)
                refusal = text("Method Not Allowed", status=405, headers={"allow": allow})
                await answers.protect(refusal)(scope, receive, answer)
            else:
                scope["path_params"] = raw[1]
                scope["tracer"] = tracer
                await self._raw(raw[0], scope, receive, answer)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def startup(self) -> Tracer:
        """Open the stores and accept requests; raises the Problem that prevents it."""
        tracer = await asyncio.to_thread(self._open)
        tracer.live.start(asyncio.get_running_loop())
        tracer.watch.watch_loop(asyncio.get_running_loop())
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="web")
        self.tracer = tracer
        return tracer

    async def shutdown(self) -> None:
        """Refuse new requests, finish those begun, close the stores."""
        tracer, pool = self.tracer, self._pool
        if tracer is None or pool is None:
            return
        tracer.closing = True
        tracer.live.stop()
        await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        self.tracer = self._pool = None
        await asyncio.to_thread(self._close, tracer)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.startup()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    async def _raw(self, raw: RawRoute, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """An endpoint with an application of its own, measured; a bug in it becomes an answer."""
        try:
            await raw.app(scope, receive, answer)
        except Exception:
            with tracing.working_for(tracing.Trace(answer.request_id, name=raw.path)):
                log.exception("%s %s failed (%s)", scope["method"], raw.path, answer.request_id)
            if answer.status:
                raise
            refusal = text(f"Internal error {answer.request_id}\n", status=500)
            await answers.protect(refusal)(scope, receive, answer)
        series = self._requests.series(scope["method"], raw.path)
        self._note(series, answer, scope.get("received_bytes", 0))

    def _note(
        self, series: Series, answer: _Answer, received: int, trace: tracing.Trace | None = None
    ) -> None:
        """Count an answer, and keep it when it is one of those to be kept."""
        seconds = answer.answered - answer.began
        series.note(answer.status, seconds, received, answer.sent_bytes)
        self._answered_count += 1
        if seconds >= SLOW_S:
            why = "slow"
        elif answer.status == 500:
            why = "failed"
        elif self._answered_count % EVERY == 0:
            why = "sampled"
        else:
            return
        sample = Sample(
            at=clock.now_s() - seconds,
            seconds=seconds,
            method=series.method,
            route=series.route,
            status=answer.status,
            request_id=trace.request_id if trace else answer.request_id,
            why=why,
            trace_id=trace.trace_id if trace else "",
            parent_id=trace.parent_id if trace else "",
            queries=tuple(trace.queries) if trace else (),
        )
        self.samples.keep(sample)

    async def _http(self, scope: Scope, receive: Receive, send: _Answer) -> None:
        tracer, path = self.tracer, scope["path"]
        ready = tracer is not None and not tracer.closing
        route, received, trace = "(static)", 0, None
        if path == "/up":
            route = path
            response = text("ok\n") if ready else text("shutting down\n", status=503)
        elif path == "/ready":
            route = path
            response = watch.answer(tracer if ready else None, detailed=scrape.is_local(scope))
        elif path == "/metrics" and tracer is not None and ready and scope["method"] in _READING:
            route = path
            response = await asyncio.get_running_loop().run_in_executor(
                self._pool, scrape.answer, tracer, scope
            )
        elif tracer is None or not ready:
            response = text("shutting down\n", status=503, headers={"retry-after": "5"})
        elif path.startswith("/static/") and scope["method"] in _READING:
            accept = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1")
            response = self.static.answer(path, accept) or text("Not Found", status=404)
        else:
            req = read_request(tracer, scope)
            trace = req.trace = tracing.begin(
                send.request_id, req.headers, trusted=tracer.network.trusts(peer_of(scope))
            )
            send.request_id = trace.request_id
            response = await self._dynamic(req, scope, receive)
            route = req.route.path if req.route is not None else "(none)"
            received = len(req.content)
        if scope["method"] == "HEAD" and not isinstance(response, answers.Endless):
            response.body = b""
        is_endless = isinstance(response, answers.Endless)
        await answers.protect(response)(scope, receive, send)
        if not is_endless:
            self._note(self._requests.series(scope["method"], route), send, received, trace)

    async def _dynamic(self, req: Req, scope: Scope, receive: Receive) -> Response:
        """A page or API answer, made on a web thread; every failure becomes an answer too."""
        found = self.table.find(req.method, req.path)
        limit = found.route.body_bytes if isinstance(found, Found) else MAX_BODY_BYTES
        refusal: Problem | None = None
        chunks: list[bytes] = []
        try:
            try:
                req.query = Query.parse_query(scope.get("query_string", b""))
                await self._read_body(req, receive, limit, chunks)
                req.content = b"".join(chunks)
            except Problem as error:
                refusal = error
            return await self._answered(req, found, refusal)
        finally:
            self._held_bytes -= sum(map(len, chunks))

    async def _answered(
        self, req: Req, found: Found | set[str], refusal: Problem | None
    ) -> Response:
        if self._waiting >= MAX_WAITING or self._pool is None:
            busy = Unavailable("Too many requests are waiting.", retry_after_s=2)
            return answers.finish(req, answers.of_problem(req, busy))
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._answer, req, found, refusal)
        finally:
            self._waiting -= 1

    async def _read_body(self, req: Req, receive: Receive, limit: int, chunks: list[bytes]) -> None:
        """The request's body; TooLarge past the limit, Unavailable when it does not come."""
        length = req.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
        if req.method in ("GET", "HEAD"):
            return
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while more:
                    message: Any = await receive()
                    if message["type"] == "http.disconnect":
                        raise Unavailable("The client went away.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    self._held_bytes += len(chunks[-1])
                    if size > limit:
                        raise TooLarge(f"The body is larger than {limit} bytes.")
                    if self._held_bytes > MAX_HELD_BYTES:
                        raise Unavailable("Too many bodies are being read.", retry_after_s=2)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Unavailable("The body did not arrive in time.") from None

    def _answer(self, req: Req, found: Found | set[str], refusal: Problem | None) -> Response:
        with tracing.working_for(req.trace):
            return self._answer_traced(req, found, refusal)

    def _answer_traced(
        self, req: Req, found: Found | set[str], refusal: Problem | None
    ) -> Response:
        try:
            if refusal is not None:
                raise refusal
            if isinstance(found, Found):
                req.route = found.route
                req.trace.name = f"{req.method} {found.route.path}"
                response = self.guard.run(req, found)
            else:
                response = self._unfound(req, found)
        except Problem as error:
            response = answers.of_problem(req, error)
        except Exception:
            response = answers.of_bug(req)
        return answers.finish(req, response)

    def _unfound(self, req: Req, allowed: set[str]) -> Response:
        """The other spelling of the path (slash or none), 405, or 404 for those who may know."""
        path = req.path
        other = path.removesuffix("/") if path.endswith("/") else path + "/"
        found = self.table.find(req.method, other)
        if isinstance(found, Found) and not allowed:
            if found.route.is_api:
                req.route = found.route
                return self.guard.run(req, found)
            if req.method in ("GET", "HEAD"):
                return answers.moved(req, other)
        return self.guard.unfound(req, allowed or (found if isinstance(found, set) else set()))


class _Answer:
    """The `send` of one request: its status, size and start, and its id as a header."""

    __slots__ = ("_send", "answered", "began", "request_id", "sent_bytes", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = self.answered = perf_counter()
        self.request_id = tracing.new_request_id()
        self.status = 0
        self.sent_bytes = 0

    def __call__(self, message: Any) -> Awaitable[None]:
        # The status comes first; it is there once the body comes.
        if self.status:
            self.sent_bytes += len(message.get("body", b""))
        else:
            # Not until its end: how fast a client reads says nothing of this server.
            self.answered = perf_counter()
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self.request_id.encode()))
        return self._send(message)


def read_request(tracer: Tracer, scope: Scope) -> Req:
    """An ASGI request, before its query and body are read and before anybody is known."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joint = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
    network = tracer.network
    return Req(
        tracer=tracer,
        method=scope["method"],
        path=scope["path"],
        query=Query([]),
        headers=headers,
        cookies=_cookies(headers.get("cookie", "")),
        client_ip=network.client_ip(scope),
        base_url=network.base_url(peer_of(scope), headers, scope.get("scheme", "http")),
        now=clock.now(),
    )


def _cookies(header: str) -> dict[str, str]:
    if not header or len(header) > 16_384:
        return {}
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name, value.strip('"'))
    return found
