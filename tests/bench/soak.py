"""Hours of even load on a real server: memory, file handles and times by minute, and a picture.

make soak HOURS=1       writes docs/soak.md and docs/soak.svg
make soak HOURS=0.1 ARGS="--into /tmp"
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import servers, soak_page
from bench.load import offer
from bench.watch import Asked, Sample, Watch, quantile
from serving import Server

DOCS = Path(__file__).parents[2] / "docs"
WARM_UP_S = 600.0
#: Every event is to go all the way: none is held back as a spike.
SETTINGS = {"spike_floor_events": 0}


@dataclass(frozen=True)
class Minute:
    """About a minute of load, from `at_s` on. Times in ms; nan when nothing was measured."""

    at_s: float
    sent: int
    refused: int
    ack_p50: float
    ack_p95: float
    page_p50: float
    page_p95: float


@dataclass(frozen=True)
class Soak:
    """A whole run. `missing` is what was acknowledged and not found stored after it."""

    rate: int
    warm_up_s: float
    samples: list[Sample]
    pages: list[Asked]
    minutes: list[Minute]
    drained_s: float
    missing: int
    stop_s: float


def soak(hours: float, rate: int) -> Soak:
    """Send `rate` events a second to a server of its own for `hours`."""
    with servers.tracer(**SETTINGS) as server:
        server.login()
        watch = Watch(server, sample_every_s=5, page_every_s=2).start()
        try:
            minutes = _minutes(server, watch, hours * 3600, rate)
        finally:
            watch.stop()
        sent = sum(minute.sent for minute in minutes)
        began = time.monotonic()
        server.settle(sent, 120)
        drained_s = time.monotonic() - began
        missing = sent - server.stored()
        stop_s = server.stop()
    warm_up_s = min(WARM_UP_S, hours * 1200)
    return Soak(rate, warm_up_s, watch.samples, watch.pages, minutes, drained_s, missing, stop_s)


def _minutes(server: Server, watch: Watch, seconds: float, rate: int) -> list[Minute]:
    minutes: list[Minute] = []
    for number in range(1, math.ceil(seconds / 60) + 1):
        at_s = watch.elapsed_s()
        duration = min(60.0, seconds - at_s)
        if duration < 1:
            break
        seed = os.getpid() * 10_000 + number
        run = offer(server, "--rate", str(rate), "--duration", f"{duration:.1f}", seed=seed)
        asked = [page.took_ms for page in watch.pages if page.at_s >= at_s]
        minute = Minute(
            at_s,
            run.ok,
            sum(run.codes.values()) - run.ok + run.errors,
            run.p50_ms,
            run.p95_ms,
            quantile(asked, 0.5),
            quantile(asked, 0.95),
        )
        minutes.append(minute)
        print(json.dumps({**asdict(minute), **asdict(watch.samples[-1])}), flush=True)
    return minutes


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--hours", type=float, default=1.0, help="how long; 0.1 is six minutes")
    parser.add_argument("--rate", type=int, default=100, help="events a second")
    parser.add_argument("--into", type=Path, default=DOCS, help="folder of soak.md and soak.svg")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    done = soak(options.hours, options.rate)
    command = f"make soak HOURS={options.hours:g}"
    if options.rate != 100:
        command += f' ARGS="--rate {options.rate}"'
    page, picture = soak_page.render(done, command)
    (options.into / "soak.md").write_text(page)
    (options.into / "soak.svg").write_text(picture)
    print(page)


if __name__ == "__main__":
    main()
