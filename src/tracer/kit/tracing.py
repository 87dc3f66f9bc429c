"""Which request a thread works for: its id and trace, for logs, answers and reports of errors.

Set in threads, never across an `await`: the server runs all requests of its loop in one context.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tracer.storage.timing import SlowQuery

_PREFIX = secrets.token_hex(5)
_numbers = itertools.count(1)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# W3C traceparent: version, trace id, span id, flags.
_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")
MAX_QUERIES = 20


@dataclass(slots=True)
class Trace:
    """One request. `parent_id` is the span of who asked, if they said so; `queries` were slow."""

    request_id: str
    trace_id: str = ""
    parent_id: str = ""
    name: str = ""
    queries: list[SlowQuery] = field(default_factory=list)


_current: ContextVar[Trace | None] = ContextVar("tracer_request", default=None)


def new_request_id() -> str:
    """An id that no other request of this or another run has."""
    return f"{_PREFIX}{next(_numbers):08x}"


def begin(request_id: str, headers: Mapping[str, str], *, trusted: bool) -> Trace:
    """The trace of a request; ids that a trusted proxy sent are kept."""
    found = _PARENT.match(headers.get("traceparent", ""))
    if trusted and _ID.match(headers.get("x-request-id", "")):
        request_id = headers["x-request-id"]
    if found is None:
        return Trace(request_id, secrets.token_hex(16))
    return Trace(request_id, found[1], found[2])


def current() -> Trace | None:
    """What this thread works for now."""
    return _current.get()


@contextmanager
def working_for(trace: Trace) -> Iterator[None]:
    """This thread works for a request. Must not be held across an `await`."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def note_slow(query: SlowQuery) -> None:
    """A statement of this thread took long."""
    trace = _current.get()
    if trace is not None and len(trace.queries) < MAX_QUERIES:
        trace.queries.append(query)
