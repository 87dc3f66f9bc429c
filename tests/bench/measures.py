"""What is measured. Each function returns figures; nothing here judges them."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import threading
import time
from typing import Any

from bench import servers
from bench.load import cpu_s, offer, page_times
from bench.watch import page_paths
from loadgen.procmon import du, tree_mem
from serving import Server

_seed = iter(range(1, 1_000_000))


def acknowledged(rate: int, seconds: int, runs: int) -> dict[str, float]:
    """p50, p95 and p99 of the acknowledgement against the floor's, in pairs: floor, tracer, …"""
    rows: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, make in (("floor", servers.floor), ("tracer", servers.tracer)):
            with make() as server:
                run = offer(
                    server, "--rate", str(rate), "--duration", str(seconds), seed=next(_seed)
                )
                assert run.errors == 0, run
                assert set(run.codes) == {"200"}, run
                for quantile in ("p50", "p95", "p99"):
                    rows.setdefault(f"{name}_{quantile}", []).append(getattr(run, quantile + "_ms"))
    figures = {name: statistics.median(values) for name, values in rows.items()}
    figures["p95_ratio"] = statistics.median(
        tracer / floor for tracer, floor in zip(rows["tracer_p95"], rows["floor_p95"], strict=True)
    )
    return figures


def saturation(seconds: int, runs: int) -> dict[str, float]:
    """Acknowledged a second with 32 connections that always have a request under way."""
    rates = []
    for _ in range(runs):
        with servers.tracer(spike_floor_events=0) as server:
            run = offer(server, "--closed", "32", "--duration", str(seconds), seed=next(_seed))
            assert run.errors == 0, run
            rates.append(run.ok_per_s)
    return {"acknowledged_per_s": statistics.median(rates)}


def digest(rate: int, seconds: int, processes: int, runs: int) -> dict[str, float]:
    """Offer `rate` for a while: is it stored as fast as it comes, and at what CPU an event?

    The time until the last event is stored counts too, so a short run would blame the last batch.
    """
    rows: dict[str, list[float]] = {}
    for _ in range(runs):
        with servers.tracer(digest_processes=processes, spike_floor_events=0) as server:
            warm = offer(server, "--rate", "100", "--duration", "5", seed=next(_seed))
            server.settle(warm.ok)
            before, began = cpu_s(server), time.monotonic()
            run = offer(server, "--rate", str(rate), "--duration", str(seconds), seed=next(_seed))
            behind_s = server.settle(warm.ok + run.ok, 300)
            took = time.monotonic() - began
            row = {
                "stored_per_s": run.ok / took,
                "behind_s": behind_s,
                "cpu_ms_per_event": (cpu_s(server) - before) / run.ok * 1000,
                "ack_p95_ms": run.p95_ms,
                "rss_mb": run.rss_mb,
            }
            for name, value in row.items():
                rows.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in rows.items()}


def visible(rate: int, probes: int) -> dict[str, float]:
    """Seconds from acknowledgement to presence in the list, while `rate` events a second come."""
    delays = []
    with servers.tracer(spike_floor_events=0) as server:
        server.login()
        seconds = probes + 8
        load = threading.Thread(
            target=offer,
            args=(server, "--rate", str(rate), "--duration", str(seconds)),
            kwargs={"seed": next(_seed)},
        )
        load.start()
        time.sleep(3)
        for number in range(probes):
            delays.append(_probe(server, f"probe {'abcdefghijklmnopqrstuvwxyz'[number % 26] * 3}"))
            time.sleep(0.5)
        load.join()
    delays.sort()
    return {"p50_s": statistics.median(delays), "max_s": delays[-1]}


def _probe(server: Server, title: str) -> float:
    event = json.dumps({"message": title, "fingerprint": [title]})
    store = f"/api/{server.project_id}/store/?sentry_key={server.key}"
    status, _, _ = server.request("POST", store, event)
    assert status == 200
    began = time.monotonic()
    while True:
        _, page = server.get("/issues/?q=" + title.replace(" ", "+"))
        if title.encode() in re.sub(rb'value="[^"]*"', b"", page):
            return time.monotonic() - began
        assert time.monotonic() - began < 30, "the event never appeared"
        time.sleep(0.02)


def size(events: int, rate: int, page_runs: int) -> dict[str, Any]:
    """Memory, disk and page times over `events` stored events, idle and while `rate` come in."""
    with servers.tracer(spike_floor_events=0) as server:
        figures: dict[str, Any] = {"start_s": server.started_s}
        server.login()
        time.sleep(3)
        figures["rss_idle_mb"] = tree_mem([server.pid])[0]
        run = offer(
            server,
            "--rate",
            "700",
            "--requests",
            str(events),
            "--duration",
            "3600",
            seed=next(_seed),
        )
        figures["drain_s"] = server.settle(run.ok, 600)
        figures["rss_loaded_mb"] = tree_mem([server.pid])[0]
        time.sleep(5)
        figures["rss_after_mb"] = tree_mem([server.pid])[0]
        figures["disk_bytes_per_event"] = du([str(server.data)]) / run.ok
        paths = page_paths(server)
        figures["pages_idle"] = _pages(server, paths, page_runs)
        load = threading.Thread(
            target=offer,
            args=(server, "--rate", str(rate), "--duration", str(page_runs // 2 + 15)),
            kwargs={"seed": next(_seed)},
        )
        load.start()
        time.sleep(2)
        figures["pages_under_load"] = _pages(server, paths, page_runs)
        load.join()
        figures["stop_s"] = server.stop()
    return figures


def _pages(server: Server, paths: dict[str, list[str]], times: int) -> dict[str, dict[str, float]]:
    return {name: page_times(server, some, times, 0.05) for name, some in paths.items()}


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = subprocess.run(
        ["sh", "-c", "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": model or platform.machine(),
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
