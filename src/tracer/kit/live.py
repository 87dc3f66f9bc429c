"""Live updates: server-sent events by topic, from any thread to every open page.

At most two messages a second a topic: later ones of a busy moment are joined into one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.errors import Invalid, Unavailable
from tracer.kit.answers import Endless
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty
from tracer.kit.routes import Receive, Routes, Scope, Send

if TYPE_CHECKING:
    from tracer.kit.context import Req

log = logging.getLogger("tracer.live")

routes = Routes()

GAP_S = 0.5
HEARTBEAT_S = 15.0
RECHECK_S = 30.0
MAX_LISTENERS = 4000
#: The topic of pages that listen to nothing but their end.
_PAGES = "pages"


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """Somebody may see less than before: open pages are asked again at once. With an
    `organization_id` those of that organization, else all."""

    organization_id: int | None = None


class Listener:
    """One open page: the latest message of each of its topics that it has not been sent yet."""

    def __init__(self, topics: frozenset[str], organization_id: int | None = None) -> None:
        self.topics = topics
        self.organization_id = organization_id
        self.waiting: dict[str, dict[str, Any]] = {}
        self.wake = asyncio.Event()
        self.is_over = False
        self.is_doubtful = False


class Live:
    """Who listens to what. `publish` may be called from any thread, the rest from the loop.

    `count` is the number of open answers.
    """

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self.count = 0
        self._pending: dict[str, dict[str, Any]] = {}
        self._sent_at: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver through this event loop from now on."""
        self._loop = loop

    def stop(self) -> None:
        """End every open answer; later messages vanish."""
        self._loop = None
        for listeners in list(self._listeners.values()):
            for listener in list(listeners):
                listener.is_over = True
                listener.wake.set()

    def recheck(self, organization_id: int | None = None) -> None:
        """Ask the open pages of an organization, or all, at once whether they may stay. From any
        thread."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._doubt, organization_id)

    def _doubt(self, organization_id: int | None) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                if organization_id in (None, listener.organization_id):
                    listener.is_doubtful = True
                    listener.wake.set()

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Tell the listeners of a topic. Within half a second, numbers add up and the rest wins."""
        loop = self._loop
        if loop is None or topic not in self._listeners:
            return
        try:
            loop.call_soon_threadsafe(self._accept, topic, data)
        except RuntimeError:
            log.debug("the loop is closed; %s is not told", topic)

    def join(self, listener: Listener) -> None:
        """Begin to deliver; Unavailable when too many listen."""
        if self.count >= MAX_LISTENERS:
            raise Unavailable("Too many pages listen.", retry_after_s=30)
        self.count += 1
        for topic in listener.topics:
            self._listeners.setdefault(topic, set()).add(listener)

    def leave(self, listener: Listener) -> None:
        """Deliver no more."""
        self.count -= 1
        for topic in listener.topics:
            listeners = self._listeners.get(topic, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(topic, None)
                self._sent_at.pop(topic, None)

    def _accept(self, topic: str, data: dict[str, Any]) -> None:
        loop = self._loop
        if loop is None:
            return
        if topic in self._pending:
            _merge(self._pending[topic], data)
            return
        wait_s = self._sent_at.get(topic, 0.0) + GAP_S - time.monotonic()
        self._pending[topic] = dict(data)
        loop.call_later(max(wait_s, 0.0), self._deliver, topic)

    def _deliver(self, topic: str) -> None:
        data = self._pending.pop(topic)
        if topic in self._listeners:
            self._sent_at[topic] = time.monotonic()
        for listener in self._listeners.get(topic, ()):
            if topic in listener.waiting:
                _merge(listener.waiting[topic], data)
            else:
                listener.waiting[topic] = dict(data)
            listener.wake.set()


class LiveAnswer(Endless):
    """An open `text/event-stream` answer. `still_allowed` is asked again every half minute, and
    before anything else is sent once access has changed."""

    media_type = "text/event-stream"

    def __init__(
        self,
        live: Live,
        topics: frozenset[str],
        still_allowed: Callable[[], bool],
        organization_id: int | None = None,
    ) -> None:
        super().__init__(b"", 200, {"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._live, self._still_allowed = live, still_allowed
        self._listener = Listener(topics, organization_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        listener = self._listener
        self._live.join(listener)
        gone = asyncio.ensure_future(_disconnected(receive, listener))
        try:
            await send(start)
            await _write(send, b"retry: 3000\n\n: hello\n\n")
            await self._speak(listener, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            log.debug("a listener went away")
        finally:
            gone.cancel()
            self._live.leave(listener)

    async def _speak(self, listener: Listener, send: Send) -> None:
        checked = time.monotonic()
        while not listener.is_over:
            try:
                await asyncio.wait_for(listener.wake.wait(), HEARTBEAT_S)
            except TimeoutError:
                await _write(send, b": still here\n\n")
            listener.wake.clear()
            if listener.is_doubtful or time.monotonic() - checked > RECHECK_S:
                listener.is_doubtful = False
                checked = time.monotonic()
                if not await asyncio.to_thread(self._still_allowed):
                    await _write(send, b"event: over\ndata: {}\n\n")
                    return
            while listener.waiting and not listener.is_over:
                topic, data = listener.waiting.popitem()
                body = msgspec.json.encode({"topic": topic, **data})
                await _write(send, b"event: " + _name(topic) + b"\ndata: " + body + b"\n\n")


@routes.get("/live/", can=Permission.EVENT_READ)
def listen(req: Req) -> LiveAnswer:
    """`?topic=project:7&topic=…`; `topic=projects` listens to every project in reach.

    An event's name is the kind of its topic (`project`); its data is JSON with the `topic`.
    """
    topics = _topics(req)
    project_ids = frozenset(int(topic.partition(":")[2]) for topic in topics)
    guard = req.tracer.guard
    home = req.actor.organization_id
    return LiveAnswer(req.tracer.live, topics, lambda: guard.still_sees(req, project_ids), home)


@routes.get("/live/page", can=Permission.LOGGED_IN)
def watch(req: Req) -> Response:
    """`?path=/issues/12/`: says nothing but `over`, when who looks at that page no longer may. 204
    for who may not now: no browser asks again after it."""
    path, guard = req.query.text("path", max=2000, required=True), req.tracer.guard
    if not guard.still_opens(req, path):
        return empty()
    home = req.actor.organization_id
    topics = frozenset({_PAGES})
    return LiveAnswer(req.tracer.live, topics, lambda: guard.still_opens(req, path), home)


def _topics(req: Req) -> frozenset[str]:
    wanted: set[str] = set()
    for topic in req.query.all("topic"):
        kind, _, number = topic.partition(":")
        if topic == "projects":
            wanted.update(f"project:{project_id}" for project_id in req.reach.project_ids)
        elif kind == "project" and number.isascii() and number.isdigit():
            if req.reach.holds(int(number)):
                wanted.add(topic)
        else:
            raise Invalid("A topic is `projects` or `project:<id>`.")
    if not wanted:
        raise Invalid("Name at least one topic in reach.")
    return frozenset(wanted)


def _name(topic: str) -> bytes:
    return topic.partition(":")[0].encode()


def _merge(into: dict[str, Any], data: dict[str, Any]) -> None:
    for key, value in data.items():
        old = into.get(key)
        both_count = type(old) is int and type(value) is int
        into[key] = old + value if both_count else value


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.is_over = True
    listener.wake.set()
