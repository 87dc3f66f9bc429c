"""docs/load.md and docs/load.svg from a run of `bench.flood`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.chart import Line, Panel, draw
from bench.measures import machine
from bench.soak_page import row
from bench.watch import quantile

if TYPE_CHECKING:
    from bench.flood import Flood

#: From this share of the spool on errors of known issues are refused, whatever the hysteresis.
_KNOWN_REFUSED = 0.89
MIB = 2**20


def render(flood: Flood, command: str) -> tuple[str, str]:
    """The page and the picture."""
    about = "; ".join(f"{name} {value}" for name, value in machine().items())
    day, minutes = time.strftime("%Y-%m-%d"), flood.run.wall_s / 60
    spool = flood.spool_bytes // MIB
    page = f"""# Load beyond what can be digested

Measured {day} by `{command}` (scripts in `tests/bench/`):
{flood.rate:,} events a second of 22 KB offered for {minutes:.1f} minutes to a server on the same
machine, which can digest fewer: {about}.
Settings are the defaults, but `spool_max_bytes` is {spool} MiB, so that the spool is soon full, and
spike protection is off. Twice a second a page is fetched (issue list, issue, event in turn) and an
error of a kind that never came before is sent. The generator does not heed 429. Memory is the
resident set of both processes, times count from the scheduled arrival.
What is refused at which level, and why, is in [Overload](overload.md).

![Waiting frames, memory, acknowledgement and page times over the run](load.svg)

| What | Figure | Goal | |
|---|---|---|---|
{_rows(flood)}

What became of the items, as the accounts say:

| Data category | Outcome | Reason | Items |
|---|---|---|---|
{_outcomes(flood)}
"""
    return page, draw(_panels(flood))


def _rows(flood: Flood) -> str:
    highest = max(sample.memory_mb for sample in flood.samples)
    pages = [asked.took_ms for asked in flood.pages]
    page_p95 = quantile(pages, 0.95)
    by_minute: dict[int, list[float]] = {}
    for asked in flood.pages:
        by_minute.setdefault(int(asked.at_s // 60), []).append(asked.took_ms)
    worst = max(quantile(took, 0.95) for took in by_minute.values() if len(took) >= 20)
    failed = sum(asked.status != 200 for asked in flood.pages)
    lost = len(flood.acknowledged - set(flood.stored))
    twice = sum(times > 1 for times in flood.stored.values())
    codes = ", ".join(f"{count:,} × {code}" for code, count in sorted(flood.run.codes.items()))
    rows = [
        ("answers", codes),
        ("requests without an answer", f"{flood.run.errors:,}", "0", flood.run.errors == 0),
        (
            "memory of server and digest process, highest",
            f"{highest:.0f} MB",
            "at most 400",
            highest <= 400,
        ),
        ("acknowledged: p95", f"{flood.ack_p95_ms:.0f} ms"),
        ("acknowledged: the worst minute's p95", f"{max(flood.ack_minutes):.0f} ms"),
        ("refused (429, 503): p95", f"{flood.refused_p95_ms:.0f} ms"),
        (f"pages: p95 of {len(pages):,}", f"{page_p95:.0f} ms", "below 200", page_p95 < 200),
        ("pages: the worst minute's p95", f"{worst:.0f} ms", "below 200", worst < 200),
        ("pages not answered with 200", f"{failed:,}", "0", failed == 0),
        *_preference(flood),
        ("acknowledged and not stored", f"{lost:,}", "0", lost == 0),
        ("stored twice", f"{twice:,}", "0", twice == 0),
        ("accepted by the accounts", f"{flood.accepted:,} items"),
        (
            "hours of the store that do not balance",
            f"{flood.imbalances:,}",
            "0",
            flood.imbalances == 0,
        ),
        _difference(flood),
        ("until all was digested after the last event", f"{flood.drained_s:.0f} s"),
    ]
    return "\n".join(row(*one) for one in rows)


def _preference(flood: Flood) -> list[tuple[str, str, str, bool] | tuple[str, str]]:
    """How many new errors and how many known ones were taken while known ones were refused."""
    during = [status for _, status, share in flood.probes.sent if share >= _KNOWN_REFUSED]
    taken = sum(status == 200 for status in during)
    offered = sum(flood.run.codes.values())
    known = flood.run.codes.get("200", 0) / offered if offered else 0.0
    if not during:
        return [("errors of new issues taken while known ones were refused", "none was sent then")]
    share = taken / len(during)
    return [
        ("errors of known issues taken, of all offered", f"{known:.0%}"),
        (
            "errors of new issues taken while known ones were refused",
            f"{taken:,} of {len(during):,}, {share:.0%}",
            "more than of known ones",
            share > known,
        ),
    ]


def _difference(flood: Flood) -> tuple[str, str, str, bool]:
    """Whether the accounts know as many stored and shed items as the clients had answers."""
    statuses = [status for _, status, _ in flood.probes.sent]
    counted = {
        (outcome, reason): sum(q for _, o, r, q in flood.outcomes if (o, r) == (outcome, reason))
        for _, outcome, reason, _ in flood.outcomes
    }
    shed = counted.get(("rate_limited", "backpressure"), 0)
    refused = flood.run.codes.get("429", 0) + statuses.count(429)
    stored = counted.get(("stored", ""), 0)
    off = abs(shed - refused) + abs(stored - len(flood.stored))
    what = "answered 429 and not counted as shed, or stored and not counted"
    return what, f"{off:,}", "0", off == 0


def _outcomes(flood: Flood) -> str:
    rows = sorted(flood.outcomes, key=lambda one: -one[3])
    return "\n".join(f"| {c} | {o} | {r} | {q:,} |" for c, o, r, q in rows)


def _panels(flood: Flood) -> list[Panel]:
    samples = flood.samples
    waiting = [(s.at_s / 60, s.gauges.get("tracer_spool_frames", 0.0)) for s in samples]
    pages: dict[int, list[float]] = {}
    for asked in flood.pages:
        pages.setdefault(int(asked.at_s // 10), []).append(asked.took_ms)
    return [
        Panel("Frames that wait for digest", [Line("frames", waiting)]),
        Panel(
            "Memory, MB",
            [
                Line("both", [(s.at_s / 60, s.memory_mb) for s in samples]),
                Line("server", [(s.at_s / 60, s.server_mb) for s in samples]),
                Line("digest process", [(s.at_s / 60, s.digest_mb) for s in samples]),
            ],
        ),
        Panel(
            "Pages by 10 s, ms",
            [
                Line("median", [(n / 6, quantile(took, 0.5)) for n, took in pages.items()]),
                Line("slowest", [(n / 6, max(took)) for n, took in pages.items()]),
            ],
        ),
    ]
