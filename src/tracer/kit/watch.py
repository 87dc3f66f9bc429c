"""Watches the running server: looks every few seconds, tells of what is wrong once when it begins
and once when it is over, and answers /ready. Waits for no lock, store or thread of the server.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from tracer import clock
from tracer.kit.gauge import Gauge
from tracer.kit.render import Response
from tracer.kit.signs import Sign, signs

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

log = logging.getLogger("tracer.watch")

LOOK_S = 2.0
#: A sign that was gone for so many looks is over; one that comes and goes is one stall.
CALM_LOOKS = 5


@dataclass(slots=True)
class Stall:
    """A sign from its beginning (unix seconds) to its end."""

    sign: Sign
    began_at: float
    gone_looks: int = 0


Tell = Callable[["Tracer", Stall, bool], None]


class Watch:
    """Three daemon threads: one looks, one asks the stores, one tells (`tell(tracer, stall, over)`)
    and may take its time. `active` is what is wrong now."""

    def __init__(
        self, *, stall_after_s: float, tell: Tell, wall: Callable[[], float] = time.time
    ) -> None:
        self.stall_after_s = stall_after_s
        self.active: tuple[Stall, ...] = ()
        self._tell = tell
        self._wall = wall
        self._news: SimpleQueue[tuple[Stall, bool] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.gauge: Gauge | None = None
        self._looking = threading.Lock()

    def start(self, tracer: Tracer) -> None:
        """Begin to watch."""
        self.gauge = Gauge(tracer, self._wall)
        work = (("watch", self._watch), ("probe", self._probe), ("announce", self._announce))
        for name, target in work:
            thread = threading.Thread(target=target, args=(tracer,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that answers requests; a look sees whether it still runs."""
        if self.gauge is not None:
            self.gauge.loop = loop

    def stop(self) -> None:
        """End. A mail that is being sent gets a moment, and is given up then."""
        self._stopping.set()
        self._news.put(None)
        for thread in self._threads:
            thread.join(1.0)

    @property
    def every_s(self) -> float:
        """Seconds between two looks."""
        return min(LOOK_S, self.stall_after_s / 4)

    @property
    def reasons(self) -> list[Sign]:
        """Why the server is not ready; empty when it is."""
        return [stall.sign for stall in self.active if stall.sign.blocks]

    def look(self) -> None:
        """Look once, now."""
        if self.gauge is None:
            return
        with self._looking:
            found = {sign.code: sign for sign in signs(self.gauge.look(), self.stall_after_s)}
            kept = []
            for stall in self.active:
                sign = found.pop(stall.sign.code, None)
                stall.gone_looks = 0 if sign else stall.gone_looks + 1
                stall.sign = sign or stall.sign
                if stall.gone_looks < CALM_LOOKS:
                    kept.append(stall)
                else:
                    self._over(stall)
            kept += [self._begin(sign) for sign in found.values()]
            self.active = tuple(kept)

    def _begin(self, sign: Sign) -> Stall:
        stall = Stall(sign, clock.now_s())
        log.error("%s: %s %s", sign.code, sign.text, sign.advice)
        self._news.put((stall, False))
        return stall

    def _over(self, stall: Stall) -> None:
        lasted_s = clock.now_s() - stall.began_at
        log.warning("%s: over after %.0f s", stall.sign.code, lasted_s)
        self._news.put((stall, True))

    def _watch(self, _tracer: Tracer) -> None:
        while not self._stopping.wait(self.every_s):
            try:
                self.look()
            except Exception:
                log.exception("a look at the server failed")

    def _probe(self, _tracer: Tracer) -> None:
        while not self._stopping.wait(self.every_s):
            if self.gauge is not None:
                self.gauge.ask_stores()

    def _announce(self, tracer: Tracer) -> None:
        while (news := self._news.get()) is not None:
            try:
                self._tell(tracer, *news)
            except Exception:
                log.exception("a stall could not be announced")


def answer(tracer: Tracer | None, *, detailed: bool) -> Response:
    """The answer of /ready: 200, or 503 with the codes of what is wrong. Asks no store. `detailed`
    adds the texts, which tell more of this machine than a stranger needs."""
    if tracer is None:
        found = [Sign("stopping", "The server is starting or stopping.", "Wait.")]
    else:
        found = tracer.watch.reasons
    told = ({"code": sign.code} | ({"text": sign.text} if detailed else {}) for sign in found)
    body = msgspec.json.encode({"ready": not found, "reasons": list(told)})
    headers = {"cache-control": "no-store"} | ({"retry-after": "10"} if found else {})
    return Response(body, 503 if found else 200, headers, "application/json")
