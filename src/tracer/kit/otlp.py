"""Sends kept requests of this server as spans to an OTLP endpoint. The only user of opentelemetry,
which is an optional extra and loaded when an endpoint is set.

Against loops: a request to this server's own OTLP endpoints is never sent.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from tracer import __version__
from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.kit.samples import Sample

# Named so that kit.own_errors never reports it.
log = logging.getLogger("tracer.otlp")

TIMEOUT_S = 5.0
EVERY_MS = 5000
QUEUE = 512
STOP_S = 1.0
OWN_ENDPOINTS = ("/otlp/", "/integration/otlp")


class Exporter:
    """Sends in a thread of its own; what finds no room in its queue is dropped."""

    def __init__(self, endpoint: str, headers: str) -> None:
        """Invalid when the extra is not installed, or the headers cannot be read."""
        sent = parse_headers(headers)
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError:
            raise Invalid(
                "otlp_endpoint is set and opentelemetry is not installed: "
                'pip install "tracer-server[otel]"'
            ) from None
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": "tracer", "service.version": __version__}),
            shutdown_on_exit=False,
        )
        sender = OTLPSpanExporter(endpoint=endpoint, headers=sent, timeout=TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(sender, max_queue_size=QUEUE, schedule_delay_millis=EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("tracer.own", __version__)

    def hear(self, sample: Sample) -> None:
        """A request was kept: one span, and one below it for each slow statement."""
        if any(mark in sample.route for mark in OWN_ENDPOINTS):
            return
        try:
            self._export(sample)
        except Exception:
            log.exception("a span could not be made")

    def close(self) -> None:
        """Send what is left, if that takes no time; an endpoint that is away is not waited for."""
        thread = threading.Thread(target=self._provider.shutdown, name="otlp-end", daemon=True)
        thread.start()
        thread.join(STOP_S)

    def _export(self, sample: Sample) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        attributes: dict[str, Any] = {
            "http.request.method": sample.method,
            "http.route": sample.route,
            "http.response.status_code": sample.status,
            "tracer.request_id": sample.request_id,
            "tracer.kept": sample.why,
        }
        span = self._tracer.start_span(
            f"{sample.method} {sample.route}",
            context=_parent(sample),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=_ns(sample.at),
        )
        if sample.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        within = set_span_in_context(span)
        for query in sample.queries:
            child = self._tracer.start_span(
                f"{query.store} query",
                context=within,
                kind=SpanKind.CLIENT,
                attributes={
                    "db.system.name": "duckdb" if query.store == "events" else "sqlite",
                    "db.query.text": query.sql[:2000],
                },
                start_time=_ns(query.at - query.seconds),
            )
            child.end(_ns(query.at))
        span.end(_ns(sample.at + sample.seconds))


def parse_headers(text: str) -> dict[str, str]:
    """`name=value,name=value`. Invalid says that it is something else, and never repeats it."""
    found = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not name.isascii() or not value.isprintable():
            raise Invalid("otlp_headers is not of the form name=value,name=value.")
        found[name.strip().lower()] = value.strip()
    return found


def _parent(sample: Sample) -> Any:
    """The context that makes the span part of the trace that the logs name."""
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    if not sample.trace_id:
        return None
    # Without a parent of its own, the request's id stands for the one who asked.
    span_id = int(sample.parent_id or sample.trace_id[:16], 16)
    flags = TraceFlags(TraceFlags.SAMPLED)
    above = SpanContext(int(sample.trace_id, 16), span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(above))


def _ns(at_s: float) -> int:
    return int(at_s * 1_000_000_000)
