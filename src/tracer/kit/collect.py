"""Measures of the stores, caches and background work, read when somebody asks for the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracer.kit import policy
from tracer.kit.gauge import free_bytes
from tracer.kit.tasks import counts

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


class StoreCollector(Collector):
    """Reads one running server."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def collect(self) -> Iterator[Metric]:
        yield from self._spool()
        yield from self._stores()
        yield from self._work()
        yield from self._caches()

    def _spool(self) -> Iterator[Metric]:
        tracer = self._tracer
        spool, gauge = tracer.spool, tracer.watch.gauge
        yield _one("tracer_spool_frames", "Frames that wait for digest.", spool.depth)
        yield _one("tracer_spool_bytes", "Bytes that wait for digest.", spool.waiting_bytes)
        age = gauge.oldest_age_s() if gauge else 0.0
        yield _one("tracer_spool_oldest_seconds", "Age of the oldest waiting frame.", age)
        received = CounterMetricFamily("tracer_spool_received_frames", "Frames accepted, ever.")
        received.add_metric([], spool.last_id)
        yield received
        count = spool.letters.read.count()
        yield _one("tracer_dead_letters", "Frames that could not be digested.", count)

    def _stores(self) -> Iterator[Metric]:
        tracer, gauge = self._tracer, self._tracer.watch.gauge
        sizes = GaugeMetricFamily("tracer_store_bytes", "Size on disk.", labels=["store"])
        for name, size in (gauge.sizes if gauge else {}).items():
            sizes.add_metric([name], size)
        yield sizes
        free = free_bytes(tracer)
        if free is not None:
            yield _one("tracer_disk_free_bytes", "Free space of the data folder's disk.", free)
        used = gauge.duckdb_bytes if gauge else 0
        yield _one("tracer_duckdb_memory_bytes", "Memory that DuckDB holds.", used)

    def _work(self) -> Iterator[Metric]:
        tracer = self._tracer
        tasks = GaugeMetricFamily("tracer_tasks", "Background tasks.", labels=["status"])
        for status, number in counts(tracer.meta.read()).items():
            tasks.add_metric([status], number)
        yield tasks
        stalls = GaugeMetricFamily("tracer_stall", "1 while something is wrong.", labels=["code"])
        for stall in tracer.watch.active:
            stalls.add_metric([stall.sign.code], 1)
        yield stalls
        yield _one("tracer_ready", "Whether it can accept and digest.", not tracer.watch.reasons)

    def _caches(self) -> Iterator[Metric]:
        asked = CounterMetricFamily(
            "tracer_cache_lookups", "Look-ups in caches.", labels=["cache", "result"]
        )
        directory = self._tracer.guard.directory
        found = {"organizations": (directory.hits, directory.misses)}
        for name, cached in (("networks", policy.network), ("zones", policy.zone)):
            info = cached.cache_info()
            found[name] = (info.hits, info.misses)
        for name, (hits, misses) in found.items():
            asked.add_metric([name, "hit"], hits)
            asked.add_metric([name, "miss"], misses)
        yield asked


def _one(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, value=float(value))
