"""More events a second than can be digested: is memory bounded, is everything accounted for?

make load                               1,500 a second for 10 minutes; writes docs/load.md
make load ARGS="--minutes 1 --into /tmp"
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import http.client
import json
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import flood_page, servers
from bench.load import Run, offer
from bench.watch import Asked, Sample, Watch, quantile
from e2e.senders import stored_ids
from serving import Server
from tracer.ingest import balance
from tracer.storage.meta import Meta

DOCS = Path(__file__).parents[2] / "docs"
MIB = 2**20


@dataclass(frozen=True)
class Flood:
    """A whole run. Requests by status code; `outcomes` are (category, outcome, reason, quantity).
    Acknowledged and stored are event ids."""

    rate: int
    spool_bytes: int
    run: Run
    ack_p95_ms: float
    refused_p95_ms: float
    #: The 95th percentile of each minute's acknowledgements.
    ack_minutes: list[float]
    samples: list[Sample]
    pages: list[Asked]
    probes: Probes
    drained_s: float
    acknowledged: set[str]
    stored: Counter[str]
    accepted: int
    outcomes: list[tuple[str, str, str, int]]
    imbalances: int


@dataclass
class Probes:
    """New errors sent one after another meanwhile, each of a kind that never came before."""

    server: Server
    #: (event id, status, share of the spool that was taken just before)
    sent: list[tuple[str, int, float]] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        path = f"/api/{self.server.project_id}/store/?sentry_key={self.server.key}"
        while not self.ending.wait(0.5):
            id_ = uuid.uuid4().hex
            event = {"event_id": id_, "message": f"new {id_}", "fingerprint": [id_]}
            with contextlib.suppress(OSError, http.client.HTTPException):
                share = self.share()
                status, _, _ = self.server.request("POST", path, json.dumps(event))
                self.sent.append((id_, status, share))

    def share(self) -> float:
        """How much of the spool's room is taken, by the server's own metrics."""
        return _gauge(self.server, "tracer_spool_bytes") / float(
            self.server.settings["spool_max_bytes"]  # type: ignore[arg-type]
        )


def flood(rate: int, minutes: float, spool_mib: int) -> Flood:
    """Offer `rate` events a second for so long to a server whose spool takes `spool_mib`."""
    settings = {"spike_floor_events": 0, "spool_max_bytes": spool_mib * MIB}
    with servers.tracer(**settings) as server:
        server.login()
        ids, times = server.folder / "acknowledged", server.folder / "requests.csv"
        probes = Probes(server)
        probing = threading.Thread(target=probes.run, daemon=True)
        watch = Watch(server, sample_every_s=1, page_every_s=0.5).start()
        probing.start()
        try:
            run = offer(
                server,
                *("--rate", str(rate), "--duration", str(minutes * 60), "--max-conns", "256"),
                *("--ids", str(ids), "--dump", str(times)),
                seed=int(time.time()),
            )
        finally:
            probes.ending.set()
            probing.join()
            drained_s = _drain(server)
            watch.stop()
        acknowledged = set(ids.read_text().split())
        acknowledged |= {id_ for id_, status, _ in probes.sent if status == 200}
        taken, refused = _times(times)
        server.stop()
        stored = stored_ids(server.data)
        accepted, outcomes, imbalances = _accounts(server)
    every = [quantile([took for at, took in taken if at // 60 == n], 0.95) for n in range(60)]
    return Flood(
        rate=rate,
        spool_bytes=spool_mib * MIB,
        run=run,
        ack_p95_ms=quantile([took for _, took in taken], 0.95),
        refused_p95_ms=quantile([took for _, took in refused], 0.95),
        ack_minutes=[value for value in every if value == value],
        samples=watch.samples,
        pages=watch.pages,
        probes=probes,
        drained_s=drained_s,
        acknowledged=acknowledged,
        stored=stored,
        accepted=accepted,
        outcomes=outcomes,
        imbalances=imbalances,
    )


def _drain(server: Server) -> float:
    """Wait until nothing waits for digest any more; seconds that it took."""
    began = time.monotonic()
    while _gauge(server, "tracer_spool_frames") > 0:
        if time.monotonic() - began > 900:
            raise RuntimeError("the spool did not drain within 15 minutes")
        time.sleep(0.2)
    # What was refused at the very end is counted by digest's next look.
    time.sleep(6)
    return time.monotonic() - began - 6


def _gauge(server: Server, name: str) -> float:
    _, text = server.get("/metrics")
    line = next(line for line in text.decode().splitlines() if line.startswith(name + " "))
    return float(line.rpartition(" ")[2])


def _times(path: Path) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(seconds after the start, ms from the scheduled arrival) of taken and of refused requests."""
    taken, refused = [], []
    with path.open() as file:
        for row in csv.DictReader(file):
            entry = float(row["sched_s"]), float(row["latency_ms"])
            if row["status"] == "200":
                taken.append(entry)
            elif row["status"] != "0":
                refused.append(entry)
    return taken, refused


def _accounts(server: Server) -> tuple[int, list[tuple[str, str, str, int]], int]:
    """What was accepted, what became of it, and how many hours do not balance."""
    meta = Meta(server.data / "meta.db")
    try:
        reader = meta.read()
        accepted: Any = reader.value("SELECT coalesce(sum(quantity), 0) FROM accepted")
        outcomes: Any = reader.rows(
            """
            SELECT category, outcome, reason, sum(quantity)
            FROM outcomes
            GROUP BY category, outcome, reason
            """
        )
        return int(accepted), outcomes, len(balance.check(reader))
    finally:
        meta.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make load")
    parser.add_argument("--rate", type=int, default=1500, help="events a second")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long they are offered")
    parser.add_argument("--spool-mib", type=int, default=64, help="setting spool_max_bytes, in MiB")
    parser.add_argument("--into", type=Path, default=DOCS, help="folder of load.md and load.svg")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    done = flood(options.rate, options.minutes, options.spool_mib)
    arguments = " ".join(
        f"--{name.replace('_', '-')} {getattr(options, name):g}"
        for name in ("rate", "minutes", "spool_mib")
        if getattr(options, name) != parser.get_default(name)
    )
    command = f'make load ARGS="{arguments}"' if arguments else "make load"
    page, picture = flood_page.render(done, command)
    (options.into / "load.md").write_text(page)
    (options.into / "load.svg").write_text(picture)
    print(page)


if __name__ == "__main__":
    main()
