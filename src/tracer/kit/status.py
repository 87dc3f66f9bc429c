"""What a running server says of itself: one for the page, the command and machines. Only reads.

Times are unix milliseconds, durations seconds, sizes bytes.
"""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import __version__, clock
from tracer.kit import noted, tasks
from tracer.kit.gauge import free_bytes

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.metrics import Series
    from tracer.storage.meta import Reader

DISK_FACT = "disk_samples"
BACKUP_FACT = "last_backup"
DAY_MS = 86_400_000
_PACKAGES = ("apsw", "duckdb", "granian", "starlette", "msgspec")
SLOWEST = 10


def gather(tracer: Tracer) -> dict[str, Any]:
    """Everything, as JSON-able values."""
    reader, gauge = tracer.meta.read(), tracer.watch.gauge
    received, digested = gauge.rates() if gauge else (0.0, 0.0)
    waiting = max(tracer.spool.last_id - tracer.digest.position, 0)
    return {
        "state": "running",
        "version": __version__,
        "ready": not tracer.watch.reasons,
        "warnings": warnings(tracer),
        "throughput": {"received_per_s": received, "digested_per_s": digested},
        "waiting": {
            "frames": waiting,
            "bytes": tracer.spool.waiting_bytes,
            "oldest_s": gauge.oldest_age_s() if gauge and waiting else 0.0,
        },
        "memory": {
            "rss_bytes": rss_bytes(),
            "duckdb_bytes": gauge.duckdb_bytes if gauge else 0,
        },
        "stores": dict(gauge.sizes) if gauge else {},
        "disk": disk(reader, free_bytes(tracer), tracer.spool.floor_bytes),
        "last_backup": last_backup(reader),
        "tasks": tasks.counts(reader),
        "versions": versions(),
    }


def warnings(tracer: Tracer) -> list[dict[str, Any]]:
    """What is wrong now, and what to do about it."""
    return [
        {
            "code": stall.sign.code,
            "text": stall.sign.text,
            "advice": stall.sign.advice,
            "since": int(stall.began_at * 1000),
            "blocks": stall.sign.blocks,
        }
        for stall in tracer.watch.active
    ]


def slowest_routes(tracer: Tracer) -> list[dict[str, Any]]:
    """The pages and endpoints whose mean is longest, of those that were asked for."""
    found = [series for series in tracer.metrics.requests.all() if series.count]
    found.sort(key=lambda series: -series.seconds / series.count)
    return [_route(series) for series in found[:SLOWEST]]


def _route(series: Series) -> dict[str, Any]:
    return {
        "method": series.method,
        "route": series.route,
        "count": series.count,
        "mean_s": series.seconds / series.count,
        "p95_s": series.quantile(0.95),
        "worst_s": series.worst_s,
    }


def disk(reader: Reader, free: int | None, floor: int) -> dict[str, Any]:
    """Free space, and in how many days it is used up at the speed of the last week; None while that
    is not known or nothing fills it."""
    found: dict[str, Any] = {"free_bytes": free, "floor_bytes": floor, "full_in_days": None}
    samples = disk_samples(reader)
    if free is None or not samples:
        return found
    at, before = samples[0]
    days = (clock.now_ms() - at) / DAY_MS
    if days > 1 / 24 and before > free:
        found["full_in_days"] = round(max(free - floor, 0) * days / (before - free), 1)
    return found


def disk_samples(reader: Reader) -> list[tuple[int, int]]:
    """Free bytes by the hour, the oldest first: pairs of time and bytes."""
    text = noted.load(reader, DISK_FACT)
    try:
        return msgspec.json.decode(text or "[]", type=list[tuple[int, int]])
    except msgspec.DecodeError:
        return []


def last_backup(reader: Reader) -> dict[str, Any] | None:
    """When, where and how large the last backup was, or why it failed (`error`; `good_at` is the
    last one that did not, 0: none); None when none was made here."""
    try:
        found = msgspec.json.decode(noted.load(reader, BACKUP_FACT) or "null")
    except msgspec.DecodeError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("at"), int | float):
        return None
    return {
        "at": int(found["at"]),
        "path": str(found.get("path", "")),
        "bytes": found.get("bytes"),
        "ok": found.get("ok") is not False,
        "error": str(found.get("error", "")),
        "good_at": int(found.get("good_at") or 0),
    }


def versions() -> dict[str, str]:
    """Of tracer, Python and the packages that matter."""
    found = {"tracer": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in _PACKAGES}


def rss_bytes() -> int:
    """Resident memory of this process."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
