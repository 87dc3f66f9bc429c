"""Put faults into the code that limits, accounts and migrates, and see whether tests notice.

make mutation                                   everything
make mutation ARGS="storage/migrate --jobs 2"   one target; --most 20 takes a sample of each
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tracer"
#: Slow imports that hold nothing of ours: done once, before the tests of each mutant are forked.
_PRELOADED = (
    *("apsw", "argon2", "click", "cryptography", "duckdb", "httpx2", "jinja2", "starlette"),
    *("prometheus_client", "pygments", "webauthn"),
)
_LEAST_KILLED = 0.9
_ALARM_S = 90
_NO_TESTS = 5


@dataclass(frozen=True)
class Target:
    """A module, the functions in it that count (all when none is named), and their tests."""

    module: str
    tests: tuple[str, ...]
    functions: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        return SOURCE / f"{self.module}.py"


_ACCOUNTS = ("tests/unit/ingest/test_outcomes.py", "tests/app/test_accounting_balance.py")
TARGETS = (
    Target(
        "ingest/quotas",
        (
            "tests/unit/ingest/test_quotas.py",
            "tests/app/test_quotas_counters.py",
            "tests/app/test_quotas_ingest.py",
        ),
    ),
    Target("ingest/outcomes", (*_ACCOUNTS, "tests/app/test_dead_letters.py")),
    Target("ingest/balance", _ACCOUNTS),
    Target(
        "ingest/digest",
        (
            *_ACCOUNTS,
            "tests/app/test_ingest_digest_faults.py",
            "tests/app/test_dead_letters.py",
            "tests/app/test_spikes.py",
            "tests/app/test_ingest_digest.py",
        ),
        frozenset({"_commit", "_store_items", "_balance", "flush", "_store_type", "_count"}),
    ),
    Target("storage/migrate", ("tests/unit/storage/test_migrate.py",)),
    Target("storage/snapshots", ("tests/app/test_migrations.py",)),
)


@dataclass
class Tally:
    """What became of a target's mutants."""

    killed: int = 0
    survived: list[Mutant] = field(default_factory=list)


def spot_check(target: Target, most: int, jobs: int, folder: Path) -> Tally:
    """Run the target's tests once for each mutant, at most `most` of them, `jobs` at a time."""
    sound = os.waitpid(_fork(target, None, folder / "sound"), 0)[1]
    if (code := os.waitstatus_to_exitcode(sound)) != 0:
        sys.exit(f"the tests of {target.module} fail without any fault (pytest says {code})")
    chosen = mutants(target.path.read_text(), target.functions)
    if len(chosen) > most:
        chosen = sorted(random.Random(1).sample(chosen, most), key=lambda mutant: mutant.line)
    tally, running, waiting = Tally(), dict[int, Mutant](), list(chosen)
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop(0)
            running[_fork(target, mutant, folder / str(len(waiting)))] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code == _NO_TESTS:
            sys.exit(f"no tests for {target.module}")
        if code == 0:
            tally.survived.append(mutant)
            print(f"survived  {target.module}.py:{mutant.line}  {mutant.what}", flush=True)
        else:
            tally.killed += 1
    return tally


class _Mutated(SourceFileLoader):
    text = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the mutant in the place of its module."""

    def __init__(self, target: Target, mutant: Mutant) -> None:
        self._name = "tracer." + target.module.replace("/", ".")
        self._loader = _Mutated(self._name, str(target.path))
        self._loader.text = mutant.text

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = self._loader
        return spec


def _fork(target: Target, mutant: Mutant | None, folder: Path) -> int:
    """Run the tests in a child and in a folder of its own; its exit code is pytest's, or a signal
    where it hung."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(_ALARM_S)
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(target, mutant))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    # Plugins that these tests do not need would take longer than the tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout")
    code = 1
    try:
        code = int(pytest.main([*options, f"--basetemp={folder}", *target.tests]))
    finally:
        # Threads that a fault left behind must not keep the child.
        os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutation")
    parser.add_argument("target", nargs="*", help="which modules; all when none is named")
    parser.add_argument("--most", type=int, default=1000, help="mutants of each at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    known = {target.module: target for target in TARGETS}
    wanted = options.target or list(known)
    if unknown := set(wanted) - set(known):
        sys.exit(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    os.chdir(ROOT)
    for name in _PRELOADED:
        importlib.import_module(name)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    killed = made = 0
    for name in wanted:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tracer-mutation-", dir=memory) as folder:
            tally = spot_check(known[name], options.most, options.jobs, Path(folder))
        here = tally.killed + len(tally.survived)
        killed, made = killed + tally.killed, made + here
        print(f"{name}: {tally.killed} of {here} killed ({time.monotonic() - began:.0f} s)")
    if killed < made * _LEAST_KILLED:
        sys.exit(f"only {killed} of {made} were killed")


if __name__ == "__main__":
    main()
