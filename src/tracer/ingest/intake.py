"""What requests in flight share: bounds on their bytes, refusal counts, and how busy intake is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from tracer.errors import Invalid, Problem, TooLarge, Unavailable
from tracer.ingest.outcomes import Refusals
from tracer.ingest.patience import Patience
from tracer.protocol.encoding import decode_body
from tracer.protocol.envelope import Envelope, Limits, parse_envelope

Message = Mapping[str, Any]
T = TypeVar("T")

#: A body that inflates to more than this is taken apart in a thread: others must not wait for it.
_INLINE_BYTES = 1 << 20
_INLINE_WIRE_BYTES = 256 << 10
_RETRY_AFTER_S = 5

#: Digest leaves the interpreter to requests that want it, but never for more of its time than this.
_PAUSE_S = 0.0005
_MAX_SHARE = 0.75


class Intake:
    """Bounds and counters of the requests that are being received."""

    def __init__(
        self,
        *,
        max_body_bytes: int,
        max_decoded_bytes: int,
        inflight_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self.max_decoded_bytes = max_decoded_bytes
        self.limits = Limits()
        self.refusals = Refusals()
        self.patience = Patience(body_timeout_s)
        self._inflight_limit = inflight_bytes
        self._inflight_bytes = 0
        self._busy = 0
        self._paused_s = 0.0
        self._since = time.monotonic()
        # One at a time: the decoded bytes of a large body are the most memory that intake takes.
        self._heavy = ThreadPoolExecutor(1, thread_name_prefix="inflate")

    def close(self) -> None:
        """End the thread for large bodies."""
        self._heavy.shutdown(wait=True)

    def enter(self) -> None:
        """A request begins."""
        self._busy += 1

    def leave(self, received_bytes: int) -> None:
        """A request ended that held `received_bytes`."""
        self._busy -= 1
        self._inflight_bytes -= received_bytes

    def hold(self, more_bytes: int) -> None:
        """Account for bytes just received; Unavailable when all requests together hold too much."""
        self._inflight_bytes += more_bytes
        if self._inflight_bytes > self._inflight_limit:
            raise Unavailable("too many bytes in flight", retry_after_s=_RETRY_AFTER_S)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """The request waits for the disk: meanwhile it does not want the interpreter."""
        self._busy -= 1
        try:
            yield
        finally:
            self._busy += 1

    def pause_s(self) -> float:
        """Seconds that digest should let requests go first; bounded to a share of its time."""
        if self._busy <= 0:
            return 0.0
        now = time.monotonic()
        if now - self._since > 1.0:
            self._since, self._paused_s = now, 0.0
        if self._paused_s > _MAX_SHARE * (now - self._since) + 0.01:
            return 0.0
        self._paused_s += _PAUSE_S
        return _PAUSE_S

    async def open(self, body: bytes, encoding: str, parse: Callable[[bytes], T]) -> T:
        """Decode and take apart a body within all limits, large ones in a thread of their own."""
        if len(body) <= _INLINE_WIRE_BYTES:
            try:
                return parse(decode_body(body, encoding, _INLINE_BYTES))
            except TooLarge:
                pass
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._heavy, self._open_large, body, encoding, parse)

    async def aside(self, size_bytes: int, work: Callable[[], T]) -> T:
        """Do some work over so many bytes: at once, or where large bodies are taken apart."""
        if size_bytes <= _INLINE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._heavy, work)

    def _open_large(self, body: bytes, encoding: str, parse: Callable[[bytes], T]) -> T:
        return parse(decode_body(body, encoding, self.max_decoded_bytes))


class Late(Problem):
    """The body did not come in time."""

    status = 408


class Body:
    """Receives one request's body within the limits of `intake`; `size` is what it holds."""

    __slots__ = ("_intake", "is_late", "seen_at", "size", "task")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0
        self.task: asyncio.Task[Any] | None = None
        self.seen_at = 0.0
        self.is_late = False

    async def read(self, receive: Callable[[], Any], declared: bytes | None) -> bytes:
        """The whole body. TooLarge as soon as that is known; Invalid when the client goes away,
        Late when it takes too long."""
        limit = self._intake.max_body_bytes
        if declared is not None and declared.isdigit() and int(declared[:20]) > limit:
            raise TooLarge(f"request body exceeded the limit of {limit} bytes")
        patience = self._intake.patience
        patience.begin(self)
        try:
            return await self._receive(receive)
        except asyncio.CancelledError:
            if not self.is_late or self.task is None:
                raise
            self.task.uncancel()
            raise Late("the body did not come in time") from None
        finally:
            patience.end(self)

    async def _receive(self, receive: Callable[[], Any]) -> bytes:
        first = await self._next(receive)
        if not first.get("more_body"):
            return self._keep(first)
        chunks = [self._keep(first)]
        more = True
        while more:
            message = await self._next(receive)
            chunks.append(self._keep(message))
            more = bool(message.get("more_body"))
        return b"".join(chunks)

    def _keep(self, message: Message) -> bytes:
        chunk: bytes = message.get("body", b"")
        self.size += len(chunk)
        self._intake.hold(len(chunk))
        if self.size > self._intake.max_body_bytes:
            raise TooLarge(
                f"request body exceeded the limit of {self._intake.max_body_bytes} bytes"
            )
        return chunk

    async def _next(self, receive: Callable[[], Any]) -> Message:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("client went away before the body was complete")
        return message


def read_envelope(intake: Intake) -> Callable[[bytes], Envelope]:
    """`parse_envelope` with the limits of `intake`."""
    return lambda data: parse_envelope(data, intake.limits)
