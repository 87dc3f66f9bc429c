"""Watching a server over minutes and hours: memory by process, file handles, page times."""

from __future__ import annotations

import contextlib
import http.client
import re
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadgen.procmon import PROC, tree
from serving import ORGANIZATION, PROJECT, Server

_KILOBYTES = re.compile(r"^(Rss|Anonymous):\s+(\d+) kB", re.MULTILINE)
_GAUGES = ("tracer_duckdb_memory_bytes", "tracer_spool_frames")


@dataclass(frozen=True)
class Sample:
    """The server at one moment, seconds after the start. Memory in MB; shared pages count once a
    process. `digest_mb` is all processes but the server's first."""

    at_s: float
    server_mb: float
    digest_mb: float
    anonymous_mb: float
    handles: int
    gauges: dict[str, float]

    @property
    def memory_mb(self) -> float:
        return self.server_mb + self.digest_mb


@dataclass(frozen=True)
class Asked:
    """One page that was fetched. `status` is 0 when no answer came."""

    at_s: float
    kind: str
    status: int
    took_ms: float


def take_sample(server: Server, at_s: float) -> Sample:
    """Read /proc and the server's own metrics."""
    first = anonymous = others = 0
    handles = 0
    for pid in tree([server.pid]):
        with contextlib.suppress(OSError):
            sizes = dict(_KILOBYTES.findall((PROC / str(pid) / "smaps_rollup").read_text()))
            handles += len(list((PROC / str(pid) / "fd").iterdir()))
            anonymous += int(sizes["Anonymous"])
            if pid == server.pid:
                first += int(sizes["Rss"])
            else:
                others += int(sizes["Rss"])
    return Sample(at_s, first / 1024, others / 1024, anonymous / 1024, handles, _gauges(server))


def _gauges(server: Server) -> dict[str, float]:
    with contextlib.suppress(OSError, http.client.HTTPException):
        _, text = server.get("/metrics")
        lines = dict(
            line.rsplit(" ", 1) for line in text.decode().splitlines() if line.startswith(_GAUGES)
        )
        return {name: float(value) for name, value in lines.items()}
    return {}


class Watch:
    """Samples and asks for pages in two threads of its own between `start` and `stop`."""

    def __init__(self, server: Server, sample_every_s: float, page_every_s: float) -> None:
        self.samples: list[Sample] = []
        self.pages: list[Asked] = []
        self._server = server
        self._sample_every_s, self._page_every_s = sample_every_s, page_every_s
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._sample, self._ask)
        ]

    def start(self) -> Watch:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def _sample(self) -> None:
        while True:
            self.samples.append(take_sample(self._server, self.elapsed_s()))
            if self._ending.wait(self._sample_every_s):
                return

    def _ask(self) -> None:
        number, found, looked = 0, {"list": ["/issues/"]}, -60.0
        while not self._ending.wait(self._page_every_s):
            if self.elapsed_s() - looked >= 60:
                with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
                    found, looked = page_paths(self._server), self.elapsed_s()
            kind = list(found)[number % len(found)]
            paths = found[kind] or ["/issues/"]
            self._fetch(kind, paths[number // len(found) % len(paths)])
            number += 1

    def _fetch(self, kind: str, path: str) -> None:
        at_s, began, status = self.elapsed_s(), time.perf_counter(), 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, _ = self._server.get(path)
        took = (time.perf_counter() - began) * 1000
        self.pages.append(Asked(at_s, kind, status, took))


def page_paths(server: Server) -> dict[str, list[str]]:
    """Pages of what is stored: lists, the first issues, their newest events."""
    issues: Any = server.api(f"/api/0/projects/{ORGANIZATION}/{PROJECT}/issues/")
    ids = [issue["id"] for issue in issues[:20]]
    events = []
    for id_ in ids:
        found: Any = server.api(f"/api/0/issues/{id_}/events/")
        events += [f"/issues/{id_}/events/{event['eventID']}/" for event in found[:3]]
    return {
        "list": ["/issues/", "/issues/?sort=events", "/issues/?environment=production"],
        "issue": [f"/issues/{id_}/" for id_ in ids],
        "event": events,
    }


def quantile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all do not exceed; not a number when there are none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def slope_per_hour(times_s: Sequence[float], values: Sequence[float]) -> float:
    """By how much `values` rise in an hour, by least squares; not a number with less than two."""
    if len(values) < 2:
        return float("nan")
    return statistics.linear_regression(times_s, values).slope * 3600
