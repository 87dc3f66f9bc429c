"""Offering load with `sload` and watching the server's CPU and memory meanwhile."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from loadgen.procmon import Mon, tree_cpu
from serving import Server

LOADGEN = Path(__file__).parents[1] / "loadgen"
SLOAD = LOADGEN / "build" / "sload"
CORPUS = LOADGEN / "build" / "corpus.bin"


@dataclass(frozen=True)
class Run:
    """One run of the load generator. Times in ms from the scheduled arrival."""

    ok: int
    ok_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    codes: dict[str, int]
    errors: int
    server_cpu_s: float
    rss_mb: float
    wall_s: float


def offer(server: Server, *options: str, seed: int, warmup_s: float = 1.0) -> Run:
    """Run `sload` with options such as `--rate 500 --duration 20`."""
    command = [str(SLOAD), "-f", str(CORPUS), "-d", server.dsn, "--seed", str(seed)]
    monitor = Mon([server.pid]).start()
    done = subprocess.run(
        [*command, "-w", str(warmup_s), *options], capture_output=True, text=True, check=True
    )
    seen = monitor.stop()
    result = json.loads(done.stdout)
    latency = result["latency_ms"] or {}
    return Run(
        ok=result["ok"],
        ok_per_s=result["ok_per_s"],
        p50_ms=latency.get("p50", float("nan")),
        p95_ms=latency.get("p95", float("nan")),
        p99_ms=latency.get("p99", float("nan")),
        codes=result["codes"],
        errors=result["err_connect"] + result["err_io"] + result["err_timeout"],
        server_cpu_s=seen["server_cpu_s"],
        rss_mb=seen["rss_mb_max"],
        wall_s=result["wall_s"],
    )


def cpu_s(server: Server) -> float:
    """CPU seconds of the server and its children so far."""
    return float(tree_cpu([server.pid]))


def page_times(
    server: Server, paths: list[str], times: int, pause_s: float = 0.0
) -> dict[str, float]:
    """Milliseconds of logged-in GETs, one after another on a kept connection, paths in turn."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    cookies = {"Cookie": server.cookie}
    taken = []
    for number in range(times + 3):
        began = time.perf_counter()
        connection.request("GET", paths[number % len(paths)], headers=cookies)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, (paths[number % len(paths)], answer.status)
        if number >= 3:
            taken.append((time.perf_counter() - began) * 1000)
        time.sleep(pause_s)
    connection.close()
    taken.sort()
    return {"p50": statistics.median(taken), "p95": taken[int(len(taken) * 0.95)]}
