"""Kept requests are sent as spans to an OTLP endpoint, and never in a loop."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness import running
from tracer.errors import Invalid
from tracer.kit.otlp import Exporter, parse_headers
from tracer.kit.samples import Sample
from tracer.storage.timing import SlowQuery

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Sink:
    """An OTLP collector on loopback: what it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.spans: list[Any] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.headers.append(dict(self.headers.items()))
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        sink.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {
        entry.key: entry.value.string_value or entry.value.int_value for entry in span.attributes
    }


def test_failed_request_is_sent_as_a_span_of_the_trace_that_asked(
    sink: Sink, tmp_path: Path
) -> None:
    settings = {"otlp_endpoint": sink.url, "otlp_headers": "x-key=opensesame"}
    with running(tmp_path, **settings) as tracer:
        for _ in range(100):
            answer = tracer.visitor.get(
                "/login", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}
            )
    assert sink.headers[0]["x-key"] == "opensesame"
    [span] = sink.spans
    assert span.name == "GET /login"
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == PARENT
    found = attributes(span)
    assert found["http.route"] == "/login"
    assert found["http.response.status_code"] == 200
    assert found["tracer.request_id"] == answer.headers["x-request-id"]
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 60e9


def test_slow_statements_are_spans_below(sink: Sink) -> None:
    exporter = Exporter(sink.url, "")
    query = SlowQuery("events", "SELECT count(*) FROM events", 0.5, at=1001.0)
    exporter.hear(Sample(1000, 2.5, "GET", "/issues/", 500, "r1", "slow", TRACE, "", (query,)))
    exporter.close()
    child, parent = sorted(sink.spans, key=lambda span: span.name == "GET /issues/")
    assert child.parent_span_id == parent.span_id
    assert child.trace_id == parent.trace_id
    assert child.end_time_unix_nano - child.start_time_unix_nano == 500_000_000
    assert attributes(child)["db.query.text"] == query.sql
    assert parent.status.code == 2


def test_requests_to_the_own_otlp_endpoints_are_never_sent(sink: Sink, tmp_path: Path) -> None:
    with running(tmp_path, otlp_endpoint=sink.url) as tracer:
        path = f"/api/{tracer.project.id}/integration/otlp/v1/traces"
        for _ in range(100):
            tracer.visitor.post(path, headers={"X-Sentry-Auth": f"sentry_key={tracer.key}"})
        routes = {series.route for series in tracer.tracer.metrics.requests.all()}
        assert any("/otlp" in route for route in routes)
        assert tracer.tracer.samples.slowest_requests(5)
    assert sink.spans == []


def test_endpoint_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    with running(tmp_path, otlp_endpoint="http://127.0.0.1:9/v1/traces") as tracer:
        for _ in range(100):
            assert tracer.visitor.get("/login").status_code == 200
        assert not tracer.tracer.own_errors.waiting


@pytest.mark.parametrize("text", ["secretvalue", "=x", "a=b,c"])
def test_headers_that_make_no_sense_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_headers(text)
    assert text not in refused.value.detail


def test_headers_are_read() -> None:
    assert parse_headers("Authorization=Bearer a=b, x-org = 7") == {
        "authorization": "Bearer a=b",
        "x-org": "7",
    }
