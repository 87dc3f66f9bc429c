#!/usr/bin/env python3
"""Sample CPU, memory and disk of process trees and of the machine (Linux /proc, no dependency).

  procmon.py --pids 12,34 --for 30            # sample for 30 s, print a JSON summary
As a library: Mon(pids).start() ... .stop() -> dict; tree_cpu(pids); tree_mem(pids)
CPU of a tree = utime+stime+cutime+cstime over its live processes, so the CPU of
workers that were recycled in between is counted (through their parent).
"""

import argparse
import contextlib
import json
import os
import threading
import time

TCK = os.sysconf("SC_CLK_TCK")


def children_map():
    m = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open(f"/proc/{d}/stat") as f:
                    s = f.read()
                m.setdefault(int(s[s.rindex(")") + 2 :].split()[1]), []).append(int(d))
            except (OSError, ValueError, IndexError):
                pass
    return m


def tree(pids):
    m, out, todo = children_map(), [], list(pids)
    while todo:
        p = todo.pop()
        if p in out:
            continue
        out.append(p)
        todo += m.get(p, [])
    return out


def tree_cpu(pids):
    t = 0
    for p in tree(pids):
        try:
            with open("/proc/%d/stat" % p) as f:
                s = f.read()
            v = s[s.rindex(")") + 2 :].split()
            t += sum(int(x) for x in v[11:15])
        except (OSError, ValueError):
            pass
    return t / TCK


def tree_mem(pids):
    """(rss_mb, pss_mb): the sum of RSS counts shared pages once per process, PSS once in all"""
    rss = pss = 0
    for p in tree(pids):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                for l in f:
                    if l.startswith("Rss:"):
                        rss += int(l.split()[1])
                    elif l.startswith("Pss:"):
                        pss += int(l.split()[1])
        except OSError:
            pass
    return rss / 1024, pss / 1024


def tree_io(pids):
    w = 0
    for p in tree(pids):
        try:
            with open("/proc/%d/io" % p) as f:
                for l in f:
                    if l.startswith("write_bytes"):
                        w += int(l.split()[1])
        except OSError:
            pass
    return w


def machine():
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return {
        "busy": (v[0] + v[1] + v[2] + v[5] + v[6]) / TCK,
        "iowait": v[4] / TCK,
        "steal": v[7] / TCK,
    }


def disk_written(dev="vda"):
    with open("/proc/diskstats") as f:
        for l in f:
            v = l.split()
            if v[2] == dev:
                return int(v[9]) * 512
    return 0


def du(paths):
    """bytes allocated on disk (st_blocks), as du"""
    t = 0
    for p in paths:
        if os.path.isfile(p):
            t += os.stat(p).st_blocks * 512
        for d, _, fs in os.walk(p):
            for f in fs:
                with contextlib.suppress(OSError):
                    t += os.lstat(os.path.join(d, f)).st_blocks * 512
    return t


class Mon(threading.Thread):
    def __init__(self, pids, interval=1.0):
        super().__init__(daemon=True)
        self.pids, self.iv, self.ev, self.mem, self.cpu = pids, interval, threading.Event(), [], []

    def run(self):
        last = None
        while True:
            t, c = time.time(), tree_cpu(self.pids)
            self.mem.append(tree_mem(self.pids))
            if last:
                self.cpu.append((c - last[1]) / max(t - last[0], 1e-3))
            last = (t, c)
            if self.ev.wait(self.iv):
                return

    def start(self):
        self.t0, self.c0, self.m0, self.d0, self.own0 = (
            time.time(),
            tree_cpu(self.pids),
            machine(),
            disk_written(),
            sum(os.times()[:4]),
        )
        super().start()
        return self

    def stop(self):
        self.ev.set()
        self.join()
        el, c, m, d, own = (
            time.time() - self.t0,
            tree_cpu(self.pids),
            machine(),
            disk_written(),
            sum(os.times()[:4]),
        )
        rss = sorted(x[0] for x in self.mem)
        pss = sorted(x[1] for x in self.mem)
        busy = m["busy"] - self.m0["busy"]
        srv = c - self.c0
        return {
            "elapsed_s": round(el, 2),
            "server_cpu_s": round(srv, 2),
            "server_cores_avg": round(srv / el, 3),
            "rss_mb_median": round(rss[len(rss) // 2], 1),
            "rss_mb_max": round(rss[-1], 1),
            "pss_mb_median": round(pss[len(pss) // 2], 1),
            "pss_mb_max": round(pss[-1], 1),
            "machine_busy_s": round(busy, 2),
            "iowait_s": round(m["iowait"] - self.m0["iowait"], 2),
            "steal_s": round(m["steal"] - self.m0["steal"], 2),
            "harness_cpu_s": round(own - self.own0, 2),
            "disk_written_mb": round((d - self.d0) / 1e6, 1),
        }


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--pids", required=True)
    ap.add_argument("--for", dest="dur", type=float, default=10)
    a = ap.parse_args()
    m = Mon([int(x) for x in a.pids.split(",")]).start()
    time.sleep(a.dur)
    print(json.dumps(m.stop()))
