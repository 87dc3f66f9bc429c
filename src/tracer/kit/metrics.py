"""What is measured, in a Prometheus registry of its own: requests by route, digest by step, and
whatever collectors are registered. Labels are route patterns and fixed words, never raw paths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZE_BYTES = (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6)
STEP_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STEPS = ("read", "prepare", "sqlite", "duckdb", "commit")


disable_created_metrics()  # type: ignore[no-untyped-call]


class Series:
    """The requests of one method and route. Plain integers, written by the event loop alone: a
    locked counter of the library would cost five times as much on the ingest path."""

    __slots__ = (
        "latency",
        "method",
        "received",
        "route",
        "seconds",
        "sizes",
        "statuses",
        "worst_s",
    )

    def __init__(self, method: str, route: str) -> None:
        self.method, self.route = method, route
        self.statuses: dict[int, list[int]] = {}
        self.latency = [0] * (len(LATENCY_S) + 1)
        self.sizes = [0] * (len(SIZE_BYTES) + 1)
        self.seconds = 0.0
        self.received = 0
        self.worst_s = 0.0

    def note(self, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
        """One request was answered."""
        counts = self.statuses.get(status)
        if counts is None:
            counts = self.statuses[status] = [0, 0]
        counts[0] += 1
        counts[1] += sent_bytes
        self.latency[bisect_left(LATENCY_S, seconds)] += 1
        self.seconds += seconds
        if seconds > self.worst_s:
            self.worst_s = seconds
        self.sizes[bisect_left(SIZE_BYTES, received_bytes)] += 1
        self.received += received_bytes

    def quantile(self, share: float) -> float:
        """The bound under which this share of the requests was answered; at most the worst."""
        wanted, total = share * self.count, 0
        for bound, number in zip(LATENCY_S, self.latency, strict=False):
            total += number
            if total >= wanted:
                return min(bound, self.worst_s)
        return self.worst_s

    @property
    def count(self) -> int:
        """All requests so far."""
        return sum(self.latency)


class Requests(Collector):
    """The series of all routes that were asked for."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def series(self, method: str, route: str) -> Series:
        """The series of a route pattern; other than known methods count as OTHER."""
        found = self._series.get((method, route))
        if found is None:
            method = method if method in _METHODS else "OTHER"
            found = self._series.setdefault((method, route), Series(method, route))
        return found

    def all(self) -> list[Series]:
        """Every series there is."""
        return list(self._series.values())

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "route"]
        count = CounterMetricFamily(
            "tracer_http_requests", "Requests answered.", labels=[*labels, "status"]
        )
        sent = CounterMetricFamily(
            "tracer_http_sent_bytes", "Bytes of answers.", labels=[*labels, "status"]
        )
        latency = HistogramMetricFamily(
            "tracer_http_request_seconds",
            "From request to the beginning of the answer.",
            labels=labels,
        )
        sizes = HistogramMetricFamily(
            "tracer_http_received_bytes", "Bytes of request bodies as sent.", labels=labels
        )
        for series in self.all():
            at = [series.method, series.route]
            for status, (number, size) in sorted(dict(series.statuses).items()):
                count.add_metric([*at, str(status)], number)
                sent.add_metric([*at, str(status)], size)
            latency.add_metric(at, _buckets(LATENCY_S, series.latency), series.seconds)
            sizes.add_metric(at, _buckets(SIZE_BYTES, series.sizes), series.received)
        return iter((count, sent, latency, sizes))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """All that one server measures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Requests()
        self.registry.register(self.requests)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        steps = Histogram(
            "tracer_digest_step_seconds",
            "Time of one batch in one step of digest.",
            ["step"],
            buckets=STEP_S,
            registry=self.registry,
        )
        self._steps = {step: steps.labels(step) for step in STEPS}
        self.slow_queries = Counter(
            "tracer_slow_queries", "Statements over 100 ms.", ["store"], registry=self.registry
        )

    def step(self, name: str, seconds: float) -> None:
        """A batch took so long in one of `STEPS`."""
        self._steps[name].observe(seconds)

    def add(self, collector: Collector) -> None:
        """Measure more; asked whenever somebody reads the metrics."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


def _buckets(bounds: Iterable[float], counts: list[int]) -> list[tuple[str, float]]:
    """Cumulative buckets as the text format wants them."""
    total, found = 0, []
    for bound, number in zip((*bounds, float("inf")), list(counts), strict=True):
        total += number
        found.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(total)))
    return found
