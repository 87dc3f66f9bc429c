"""docs/soak.md and docs/soak.svg from a run of `bench.soak`."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from bench.chart import Line, Panel, draw
from bench.measures import machine
from bench.watch import Sample, quantile, slope_per_hour

if TYPE_CHECKING:
    from bench.soak import Soak

GOAL_MB_AN_HOUR = 1.0
MIB = 2**20


def render(soak: Soak, command: str) -> tuple[str, str]:
    """The page and the picture."""
    about = "; ".join(f"{name} {value}" for name, value in machine().items())
    hours = soak.samples[-1].at_s / 3600
    day, warm_up = time.strftime("%Y-%m-%d"), round(soak.warm_up_s / 60)
    page = f"""# Soak

Measured {day} by `{command}` (scripts in `tests/bench/`): {soak.rate} events a second for
{hours:.2g} h to a real server with default settings, but without spike protection, so that every
event goes all the way; meanwhile a page every 2 s (issue list, issue, event in turn). Load
generator and server on the same machine: {about}.
Memory is the resident set of the server and its digest process together, sampled every 5 s; shared
pages count in each. Slopes are by least squares over what came after {warm_up} minutes of warm-up.

![Memory, file handles, acknowledgement and page times over the run](soak.svg)

| What | Figure | Goal | |
|---|---|---|---|
{_rows(soak)}
"""
    return page, draw(_panels(soak))


def _settled(soak: Soak) -> list[Sample]:
    return [sample for sample in soak.samples if sample.at_s >= soak.warm_up_s]


def _slope(samples: list[Sample], values: list[float]) -> float:
    return slope_per_hour([sample.at_s for sample in samples], values)


def _rows(soak: Soak) -> str:
    samples = _settled(soak)
    memory = _slope(samples, [sample.memory_mb for sample in samples])
    mark = "met" if memory < GOAL_MB_AN_HOUR else "**falls short**"
    duckdb = [sample.gauges.get("tracer_duckdb_memory_bytes", 0.0) / MIB for sample in samples]
    minutes = soak.minutes
    sent, refused = (sum(getattr(m, name) for m in minutes) for name in ("sent", "refused"))
    rows = [
        (
            "events acknowledged; refused or failed",
            f"{sent:,}; {refused:,}",
            "none refused",
            refused == 0,
        ),
        ("acknowledged and not stored", f"{soak.missing:,}", "0", soak.missing == 0),
        ("memory: slope after warm-up", f"{memory:+.2f} MB an hour", "below 1", mark),
        ("… of the server", f"{_slope(samples, [s.server_mb for s in samples]):+.2f} MB an hour"),
        (
            "… of the digest process",
            f"{_slope(samples, [s.digest_mb for s in samples]):+.2f} MB an hour",
        ),
        ("… of what DuckDB holds of it", f"{_slope(samples, duckdb):+.2f} MB an hour"),
        ("memory after warm-up: first, median, highest", _spread([s.memory_mb for s in samples])),
        (
            "file handles after warm-up: first, median, highest",
            _spread([s.handles for s in samples]),
        ),
        ("file handles: slope", f"{_slope(samples, [s.handles for s in samples]):+.2f} an hour"),
        ("acknowledged: median of the minutes' p50", f"{_median(soak, 'ack_p50'):.1f} ms"),
        ("acknowledged: median of the minutes' p95", f"{_median(soak, 'ack_p95'):.1f} ms"),
        ("acknowledged: the worst minute's p95", f"{max(m.ack_p95 for m in minutes):.1f} ms"),
    ]
    for kind in ("list", "issue", "event"):
        took = [page.took_ms for page in soak.pages if page.kind == kind]
        figure = f"{quantile(took, 0.5):.0f}, {quantile(took, 0.95):.0f} ms"
        rows.append((f"{kind} page: p50, p95 of {len(took):,}", figure))
    failed = sum(page.status != 200 for page in soak.pages)
    rows += [
        ("pages not answered with 200", f"{failed}", "0", failed == 0),
        ("until all was stored after the last event", f"{soak.drained_s:.1f} s"),
        ("stop", f"{soak.stop_s:.1f} s", "at most 5", soak.stop_s <= 5),
    ]
    return "\n".join(row(*one) for one in rows)


def row(what: str, figure: str, goal: str = "", met: bool | str = "") -> str:
    """A row of a table of figures and their goals."""
    if isinstance(met, bool):
        met = "met" if met else "**falls short**"
    return f"| {what} | {figure} | {goal} | {met} |"


def _spread(values: list[float]) -> str:
    return f"{values[0]:.0f}, {statistics.median(values):.0f}, {max(values):.0f}"


def _median(soak: Soak, name: str) -> float:
    return statistics.median(getattr(minute, name) for minute in soak.minutes)


def _panels(soak: Soak) -> list[Panel]:
    samples = soak.samples
    settled = _settled(soak)
    xs = [sample.at_s for sample in settled]
    fit = statistics.linear_regression(xs, [sample.memory_mb for sample in settled])
    ends = [(x / 60, fit.intercept + fit.slope * x) for x in (xs[0], xs[-1])]
    return [
        Panel(
            "Memory, MB",
            [
                Line("both", [(s.at_s / 60, s.memory_mb) for s in samples]),
                Line("slope", ends, fit=True),
                Line("server", [(s.at_s / 60, s.server_mb) for s in samples]),
                Line("digest process", [(s.at_s / 60, s.digest_mb) for s in samples]),
            ],
        ),
        Panel("Open file handles", [Line("handles", [(s.at_s / 60, s.handles) for s in samples])]),
        Panel("Acknowledged, ms", _pair(soak, "ack")),
        Panel("Pages, ms", _pair(soak, "page")),
    ]


def _pair(soak: Soak, what: str) -> list[Line]:
    return [
        Line(part, [(m.at_s / 60, getattr(m, f"{what}_{part}")) for m in soak.minutes])
        for part in ("p50", "p95")
    ]
