"""CPU, memory and disk of process trees, read from Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def tree(pids: Iterable[int]) -> list[int]:
    """These processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int(_stat(int(folder.name))[1])
                children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def tree_cpu(pids: Iterable[int]) -> float:
    """CPU seconds so far, with those of children that ended and were waited for."""
    ticks = 0
    for pid in tree(pids):
        with contextlib.suppress(OSError, IndexError):
            ticks += sum(int(field) for field in _stat(pid)[11:15])
    return ticks / TICKS_A_SECOND


def tree_mem(pids: Iterable[int]) -> tuple[float, float]:
    """RSS and PSS in MB: RSS counts shared pages once a process, PSS once in all."""
    kilobytes = {"Rss:": 0, "Pss:": 0}
    for pid in tree(pids):
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(" ")
                if name in kilobytes:
                    kilobytes[name] += int(rest.split()[0])
    return kilobytes["Rss:"] / 1024, kilobytes["Pss:"] / 1024


def du(paths: Iterable[str]) -> int:
    """Bytes that files and folders take on disk."""
    return sum(file.lstat().st_blocks * 512 for path in paths for file in _files(Path(path)))


class Mon(threading.Thread):
    """Watches process trees between `start` and `stop`."""

    def __init__(self, pids: Iterable[int], interval_s: float = 1.0) -> None:
        super().__init__(daemon=True)
        self.pids = list(pids)
        self.interval_s = interval_s
        self.ending = threading.Event()
        self.memory: list[tuple[float, float]] = []

    def run(self) -> None:
        while True:
            self.memory.append(tree_mem(self.pids))
            if self.ending.wait(self.interval_s):
                return

    def start(self) -> Mon:  # type: ignore[override]
        self.began = time.monotonic()
        self.cpu_before = tree_cpu(self.pids)
        super().start()
        return self

    def stop(self) -> dict[str, float]:
        self.ending.set()
        self.join()
        took = time.monotonic() - self.began
        cpu_s = tree_cpu(self.pids) - self.cpu_before
        rss, pss = (sorted(sample[kind] for sample in self.memory) for kind in range(2))
        return {
            "elapsed_s": round(took, 2),
            "server_cpu_s": round(cpu_s, 2),
            "server_cores_avg": round(cpu_s / took, 3),
            "rss_mb_median": round(rss[len(rss) // 2], 1),
            "rss_mb_max": round(rss[-1], 1),
            "pss_mb_median": round(pss[len(pss) // 2], 1),
            "pss_mb_max": round(pss[-1], 1),
        }


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold anything."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)
