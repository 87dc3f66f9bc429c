"""What goes wrong in this server, as events for its own project: errors that were logged, and slow
requests. Kept in a bounded queue until background work takes it; never blocks, never raises.

Against loops: an error is reported at most once a minute for each place, few in all, none while
one is being reported, and none of this module's or the delivery's own.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

from tracer import __version__, clock
from tracer.kit import tracing
from tracer.kit.redact import redact
from tracer.kit.samples import Sample
from tracer.storage.timing import SlowQuery

WAITING = 100
AGAIN_S = 60.0
A_MINUTE = 20
#: A statement that takes longer is reported.
SLOW_QUERY_S = 1.0
FRAMES = 60
#: Errors of these are never reported: they report, or speak to those who do.
SILENT = ("tracer.own", "tracer.otlp")
_SOURCE = str(Path(__file__).parents[1])


class OwnErrors(logging.Handler):
    """A handler for the logger `tracer`, and a hearer of slow requests."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.waiting: deque[dict[str, Any]] = deque()
        #: Reports that were left out: too many, or the same again.
        self.left_out = 0
        self._seen: dict[tuple[str, int | str], float] = {}
        self._minute = (0.0, 0)
        self._busy = threading.local()
        self._deciding = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """An error was logged."""
        if record.name.startswith(SILENT) or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            if self._may(_place(record)):
                self.waiting.append(_of_record(record))
        except Exception:
            self.left_out += 1
        finally:
            self._busy.now = False

    def hear(self, sample: Sample) -> None:
        """A request was kept; slow pages and API calls are reported. What SDKs send takes
        as long as their networks do."""
        if sample.why == "slow" and sample.trace_id and self._may((sample.route, "slow")):
            self.waiting.append(_of_sample(sample))

    def note_query(self, query: SlowQuery) -> None:
        """A statement was slow; the very slow are reported."""
        if query.seconds >= SLOW_QUERY_S and self._may((query.sql, query.store)):
            self.waiting.append(_of_query(query))

    def _may(self, place: tuple[str, int | str]) -> bool:
        """Whether this place may be reported now."""
        now = time.monotonic()
        with self._deciding:
            since, count = self._minute
            if now - since >= 60:
                since, count = now, 0
                self._seen = {k: at for k, at in self._seen.items() if now - at < AGAIN_S}
            again = now - self._seen.get(place, float("-inf")) < AGAIN_S
            if again or count >= A_MINUTE or len(self.waiting) >= WAITING:
                self._minute = (since, count)
                self.left_out += 1
                return False
            self._minute = (since, count + 1)
            self._seen[place] = now
            return True


def _place(record: logging.LogRecord) -> tuple[str, int | str]:
    """Where an error comes from: its innermost own frame, else the logging line."""
    trace = record.exc_info[2] if record.exc_info else None
    place = (record.pathname, record.lineno)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_SOURCE):
            place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _of_record(record: logging.LogRecord) -> dict[str, Any]:
    event = _event(record.levelname.lower().replace("critical", "fatal"), record.name)
    event_id = getattr(record, "event_id", None)
    if event_id:
        event["event_id"] = event_id
    message = redact(record.getMessage())
    event["logentry"] = {"formatted": message, "message": redact(str(record.msg))}
    if record.exc_info and record.exc_info[1] is not None:
        event["exception"] = {"values": _chain(record.exc_info[1])}
    event["tags"]["thread"] = record.threadName or ""
    return event


def _of_sample(sample: Sample) -> dict[str, Any]:
    event = _event("warning", "tracer.slow")
    event["logentry"] = {"formatted": f"Slow request: {sample.method} {sample.route}"}
    event["fingerprint"] = ["slow-request", sample.method, sample.route]
    event["transaction"] = f"{sample.method} {sample.route}"
    event["tags"] |= {"request_id": sample.request_id, "status": str(sample.status)}
    event["extra"] = {
        "seconds": round(sample.seconds, 3),
        "slow_queries": [
            {"store": query.store, "sql": query.sql[:2000], "seconds": round(query.seconds, 3)}
            for query in sample.queries
        ],
    }
    return event


def _of_query(query: SlowQuery) -> dict[str, Any]:
    event = _event("warning", "tracer.slow")
    event["logentry"] = {"formatted": f"Slow query of {query.store}: {query.sql[:200]}"}
    event["fingerprint"] = ["slow-query", query.store, query.sql[:500]]
    event["extra"] = {"seconds": round(query.seconds, 3), "sql": query.sql[:2000]}
    return event


def _event(level: str, logger: str) -> dict[str, Any]:
    """What every report has. Nothing of a request's content, address or user is in it."""
    event: dict[str, Any] = {
        "event_id": clock.new_id(),
        "timestamp": clock.now_s(),
        "platform": "python",
        "level": level,
        "logger": logger,
        "release": f"tracer@{__version__}",
        "tags": {},
        "sdk": {"name": "tracer.own", "version": __version__},
    }
    trace = tracing.current()
    if trace is not None:
        event["tags"]["request_id"] = trace.request_id
        event["transaction"] = trace.name
        if trace.trace_id:
            span = trace.request_id[-16:].rjust(16, "0")
            event["contexts"] = {"trace": {"trace_id": trace.trace_id, "span_id": span}}
    return event


def _chain(error: BaseException) -> list[dict[str, Any]]:
    """The exception and what it came from, the oldest first, as SDKs send it."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(found) < 10:
        seen.add(id(at))
        found.append(
            {
                "type": type(at).__name__,
                "module": type(at).__module__,
                "value": redact(str(at))[:2000],
                "stacktrace": {"frames": _frames(at.__traceback__)},
            }
        )
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found[::-1]


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    """Places and source lines alone: variables could hold anything."""
    return [
        {
            "filename": _relative(frame.filename),
            "function": frame.name,
            "lineno": frame.lineno,
            "context_line": redact(frame.line or ""),
            "in_app": frame.filename.startswith(_SOURCE),
        }
        for frame in traceback.extract_tb(trace)[-FRAMES:]
    ]


def _relative(path: str) -> str:
    """A path below the packages: where a server is installed is nobody's business."""
    for mark in ("/site-packages/", "/src/", "/lib/python"):
        if mark in path:
            return path.rpartition(mark)[2]
    return path.rpartition("/")[2]
