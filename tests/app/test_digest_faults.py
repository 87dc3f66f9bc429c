"""Whatever digest dies of, and at whichever step: what was acknowledged is there exactly once."""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

import failpoints
from harness import Running, envelope, running
from letter_steps import ids
from tracer import clock
from tracer.app import local
from tracer.manifest import FEATURES
from tracer.settings import Settings
from tracer.storage.events import Sql
from tracer.storage.folder import Folder
from tracer.storage.spool import NewFrame

TESTS = Path(__file__).parents[1]


def run(data: Path, step: str) -> subprocess.CompletedProcess[str]:
    """A server in a process of its own that dies at a step."""
    return subprocess.run(
        [sys.executable, str(TESTS / "failpoints.py"), str(data), step],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def stored(server: Running) -> Counter[str]:
    """Events in the event store, each with how often it is there."""
    events = server.tracer.events
    rows = Counter(row[0] for row in events.select(Sql("SELECT event_id FROM events")))
    assert rows == Counter(row[0] for row in events.select(Sql("SELECT event_id FROM payloads")))
    return rows


def counted(server: Running) -> dict[tuple[str, str], int]:
    sql = "SELECT category, outcome, sum(quantity) FROM outcomes GROUP BY 1, 2"
    server.tracer.digest.flush()
    return {tuple(row[:2]): row[2] for row in server.meta.read().rows(sql)}


@pytest.mark.parametrize("step", failpoints.STEPS)
def test_nothing_is_lost_or_doubled_when_the_process_is_killed_in_any_step(
    tmp_path: Path, step: str
) -> None:
    killed = run(tmp_path / "data", step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    lines = killed.stdout.split("\n")[:-1]
    letters = [int(line.split()[1]) for line in lines if line.startswith("letter")]
    acknowledged = {line for line in lines if not line.startswith("letter")}
    assert acknowledged
    with running(tmp_path / "data") as server:
        server.digest()
        found = stored(server)
        # The last one may be stored, and its answer not read.
        assert acknowledged <= set(found)
        assert len(found) <= len(acknowledged) + 1
        assert set(found.values()) == {1}
        assert server.meta.read().value("SELECT sum(event_count) FROM issues") == len(found)
        assert set(letters) <= set(ids(server))
        sums = counted(server)
        assert sums["error", "stored"] == len(found)
        assert sums.get(("unknown", "dead_letter"), 0) == len(ids(server))
        assert server.tracer.spool.depth == 0 or server.tracer.digest.settle(5)


def spool(data: Path, payloads: list[bytes]) -> None:
    """Frames with one `fatal` item each, for a server that will digest them."""
    with running(data) as server:
        project, key = server.project.id, server.key
    store = local.open_spool(Folder(data), Settings(data=data, disk_floor_bytes=0))
    head = json.dumps({"kind": "envelope", "encoding": ""}).encode()
    for payload in payloads:
        body = envelope({}, [({"type": "fatal"}, payload)])
        store.append_sync(NewFrame(project, key, clock.now_s(), head, body))
    store.close()


@pytest.mark.parametrize(
    ("payload", "reason", "most_starts"),
    [(b"fatal", "WorkerDied", 2), (b"fatal in store", "ProcessDied", 4)],
)
def test_a_frame_that_ends_the_whole_process_is_found_after_a_few_starts(
    tmp_path: Path, payload: bytes, reason: str, most_starts: int
) -> None:
    data = tmp_path / "data"
    spool(data, [b"a", b"b", payload, b"c"])
    starts = 1
    while run(data, "none").returncode != 0:
        starts += 1
        assert starts <= most_starts, "it was not found"
    assert starts > 1, "it was not fatal"
    with running(data, (*FEATURES, failpoints.POISON)) as server:
        (letter,) = server.tracer.spool.letters.read.page(limit=9)
        assert letter.reason == reason
        sums = counted(server)
        assert sums["unknown", "stored"] == 3
        assert sum(n for (_, fate), n in sums.items() if fate == "dead_letter") == 1


def test_killing_digest_processes_in_a_flood_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data", digest_processes=1) as server:
        lane = server.tracer.digest._lane._busy
        sent, kills = 0, 0
        while kills < 3:
            with server.meta.write():  # meanwhile digest waits, so that a large chunk gathers
                for _ in range(60):
                    server.send(message="flood", digest=False)
            sent += 60
            # The first one while it starts, the others at work.
            if kills == 0 or (lane._first is not None and lane._first.done()):
                for child in multiprocessing.active_children():
                    child.kill()
                    kills += 1
            assert sent < 6000, "no process was ever started"
            server.digest()
        found = stored(server)
        assert len(found) == sent
        assert set(found.values()) == {1}
        assert server.meta.read().value("SELECT sum(event_count) FROM issues") == sent
        assert ids(server) == []


class Damage:
    """A lasting fault of a store: the method raises it until the test says otherwise."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = error

    def __call__(self) -> None:
        if self.error is not None:
            raise self.error


def test_damage_of_a_store_holds_frames_back_and_buries_none(server_with: Any) -> None:
    damage = Damage(apsw.CorruptError("CorruptError: database disk image is malformed"))
    server = server_with(damage)
    first = server.send(message="one", digest=False)
    second = server.send(message="two", digest=False)
    assert not server.tracer.digest.settle(1.5)
    assert ids(server) == []
    damage.error = None
    server.digest()
    assert stored(server) == {first: 1, second: 1}


@pytest.fixture
def server_with(tmp_path: Path) -> Any:
    """A server whose event store fails before each append."""
    with running(tmp_path / "data") as server:

        def make(damage: Damage) -> Running:
            digest = server.tracer.digest
            events = failpoints.Between(digest._stores.events, "append", before=damage, turn=None)
            digest._stores = replace(digest._stores, events=events)
            return server

        yield make
