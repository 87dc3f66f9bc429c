"""Measure, and write docs/benchmarks.md.

make bench                          everything (about 13 minutes)
make bench ARGS="digest --quick"    one section, once, printed and not written
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import measures
from bench.organization import organization
from bench.quotas import quotas
from bench.report import render

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def sections(quick: bool) -> dict[str, Callable[[], Any]]:
    runs = 1 if quick else 3
    seconds = 5 if quick else 10
    return {
        "acknowledged_500": lambda: measures.acknowledged(500, seconds, runs),
        "acknowledged_1000": lambda: measures.acknowledged(1000, seconds, runs),
        "saturation": lambda: measures.saturation(seconds, runs),
        "digest_one_process": lambda: measures.digest(500, 3 * seconds, 0, runs),
        "digest_two_processes": lambda: measures.digest(900, 3 * seconds, 1, runs),
        "visible": lambda: measures.visible(300, 10 if quick else 30),
        "quotas": quotas,
        "organization": lambda: organization(40 if quick else 200),
        "size": lambda: measures.size(20_000 if quick else 100_000, 300, 60 if quick else 200),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("section", nargs="*", help="which sections; all when none is named")
    parser.add_argument("--quick", action="store_true", help="one short run each; not written")
    options = parser.parse_args()
    known = sections(options.quick)
    wanted = options.section or list(known)
    if unknown := set(wanted) - set(known):
        sys.exit(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    results: dict[str, Any] = {}
    for name in wanted:
        began = time.monotonic()
        results[name] = known[name]()
        print(f"{name} ({time.monotonic() - began:.0f} s)", json.dumps(results[name]), flush=True)
    if not options.quick and set(wanted) == set(known):
        DOCUMENT.write_text(render(measures.machine(), results, time.strftime("%Y-%m-%d")))
        print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
