"""docs/benchmarks.md from figures: each beside its goal, met or not."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One figure. `goal` is a bound: at most, or at least when `floor` is true."""

    what: str
    figure: float
    unit: str
    goal: float | None = None
    floor: bool = False


def render(machine: dict[str, str], results: dict[str, Any], day: str) -> str:
    """The whole document."""
    about = "; ".join(f"{name} {value}" for name, value in machine.items())
    lines = [
        "# Benchmarks",
        "",
        f"Measured {day} by `make bench` (scripts in `tests/bench/`), load generator and server on",
        f"the same machine: {about}.",
        "Medians of three runs where not said otherwise; bodies of 22 KB of JSON (7 KB gzipped)",
        "from `tests/loadgen/`, 196 issues drawn by Zipf's law, Poisson arrivals, latency counted",
        "from the scheduled arrival. Every acknowledgement comes after an fsync.",
        "",
        "| What | Figure | Goal | |",
        "|---|---|---|---|",
    ]
    lines += [_line(row) for row in _rows(results)]
    lines += ["", *_notes()]
    return "\n".join(lines) + "\n"


def _rows(results: dict[str, Any]) -> list[Row]:
    rows = []
    for rate in (500, 1000):
        figures = results[f"acknowledged_{rate}"]
        at = f"acknowledged at {rate} events/s"
        rows += [
            Row(f"{at}: p95 over the floor's", figures["p95_ratio"], "×", 1.5),
            Row(f"{at}: p50", figures["tracer_p50"], "ms"),
            Row(f"{at}: p95", figures["tracer_p95"], "ms"),
            Row(f"{at}: p95 of the floor", figures["floor_p95"], "ms"),
        ]
    acknowledged = results["saturation"]["acknowledged_per_s"]
    rows.append(Row("saturation, 32 connections", acknowledged, "acknowledged/s", 2000, True))
    one, two = results["digest_one_process"], results["digest_two_processes"]
    rows += [
        Row("one process, 500 events/s offered: stored", one["stored_per_s"], "/s", 490, True),
        Row("… CPU an event, all in", one["cpu_ms_per_event"], "ms", 1.3),
        Row("… behind at the end", one["behind_s"], "s", 1.0),
        Row("one digest process, 900 events/s: stored", two["stored_per_s"], "/s", 880, True),
        Row("… CPU an event, all in", two["cpu_ms_per_event"], "ms"),
        Row("… behind at the end", two["behind_s"], "s", 1.0),
        Row("visible in the list at 300 events/s: longest", results["visible"]["max_s"], "s", 1.0),
    ]
    checks = results["quotas"]
    rows += [
        Row("check of quotas, none set", checks["without_us"], "µs", 5),
        Row("check of quotas, six that hold", checks["with_six_us"], "µs", 5),
    ]
    return rows + _size_rows(results["size"]) + _organization_rows(results["organization"])


def _size_rows(size: dict[str, Any]) -> list[Row]:
    rows = [
        Row("start until requests are accepted", size["start_s"], "s", 2.0),
        Row("stop", size["stop_s"], "s", 5.0),
        Row("resident memory, idle", size["rss_idle_mb"], "MB", 200),
        Row("resident memory after 100,000 events", size["rss_after_mb"], "MB", 350),
        Row("disk, an event", size["disk_bytes_per_event"], "bytes"),
    ]
    for name in ("list", "issue", "event"):
        idle, loaded = size["pages_idle"][name], size["pages_under_load"][name]
        rows += [
            Row(f"{name} page over 100,000 events, idle: p95", idle["p95"], "ms", 50),
            Row(f"{name} page while 300 events/s come in: p95", loaded["p95"], "ms", 100),
        ]
    return rows


def _organization_rows(figures: dict[str, Any]) -> list[Row]:
    guard = figures["guard_us"]
    rows = [Row("guard of an ingest request", guard["ingest"]["p50"], "µs", 50)]
    rows += [
        Row(
            f"guard of a page, 10,000 users, 1,000 projects ({who})",
            guard[f"page, {who}"]["p50"],
            "µs",
            300,
        )
        for who in ("owner", "member")
    ]
    for name, page in figures["pages"].items():
        what = f"{name}: p95 ({page['statements']} statements)"
        rows.append(Row(f"10,000 users, 1,000 projects: {what}", page["p95_ms"], "ms", 50))
    return rows


def _line(row: Row) -> str:
    if row.goal is None:
        return f"| {row.what} | {_number(row.figure)} {row.unit} | | |"
    met = row.figure >= row.goal if row.floor else row.figure <= row.goal
    bound = "at least" if row.floor else "at most"
    mark = "met" if met else "**falls short**"
    return (
        f"| {row.what} | {_number(row.figure)} {row.unit} | {bound} {_number(row.goal)} | {mark} |"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _notes() -> list[str]:
    return [
        "The *floor* is `tests/bench/floor.py`: the same HTTP server, reading the body, appending",
        "it to a file and syncing it with the same group commit, and nothing else. Runs alternate",
        "between floor and tracer; the ratio is the median of the pairs. *CPU an event, all in* is",
        "everything that the server's processes used from the first request to the last stored",
        "row, divided by the events.",
    ]
