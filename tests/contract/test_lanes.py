"""Both lanes prepare the same, in order, and no frame takes others down with it."""

from __future__ import annotations

import json
import multiprocessing

import pytest

import fatal_items
from harness import envelope
from tracer.ingest import lanes
from tracer.ingest.careful import Careful
from tracer.ingest.lanes import BusyLane, ProcessLane, ThreadLane
from tracer.ingest.mark import Mark
from tracer.ingest.prepare import PreparedFrame, Workshop
from tracer.ingest.solo import Equipment, Solo
from tracer.protocol.envelope import Limits
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage.codec import Codec
from tracer.storage.spool import Frame

RULES = {1: ProjectRules()}
EQUIPMENT = Equipment({"fatal": fatal_items.HANDLER}, 1 << 20, {})


def frame(id_: int, payload: bytes) -> Frame:
    head = json.dumps({"kind": "envelope", "encoding": ""}).encode()
    return Frame(id_, 1, "k", 1.0, head, envelope({}, [({"type": "fatal"}, payload)]))


def solo(limit_s: float = 5.0) -> Solo:
    return Solo(EQUIPMENT, limit_s)


def thread_lane(limit_s: float = 5.0, mark: Mark | None = None) -> ThreadLane:
    workshop = Workshop(EQUIPMENT.handlers, Limits(), 1 << 20, Codec({}))
    return ThreadLane(Careful(workshop, mark or Mark(None), solo(limit_s)), lambda: None)


def process_lane(limit_s: float = 5.0, processes: int = 1) -> ProcessLane:
    return ProcessLane(EQUIPMENT, processes, solo(limit_s))


def payloads(prepared: list[PreparedFrame]) -> list[bytes | str]:
    """What each frame became: its payload, or the reason why it failed."""
    return [one.failure[0] if one.failure else one.items[0].value for one in prepared]


@pytest.fixture(params=["thread", "process"])
def lane(request):
    lane = {"thread": thread_lane, "process": process_lane}[request.param]()
    yield lane
    lane.close()


def test_frames_come_back_in_order(lane):
    frames = [frame(number, str(number).encode()) for number in range(20)]
    prepared = lane.submit(frames, RULES).result()
    assert [one.frame for one in prepared] == list(range(20))
    assert [one.items[0].value for one in prepared] == [str(n).encode() for n in range(20)]


def test_a_frame_that_cannot_be_opened_fails_alone(lane):
    broken = Frame(2, 1, "k", 1.0, b"{}", b"\xff")
    prepared = lane.submit([frame(1, b"a"), broken, frame(3, b"b")], RULES).result()
    assert [one.failure is None for one in prepared] == [True, False, True]


def test_a_frame_that_kills_its_worker_is_found_and_the_rest_is_prepared():
    lane = process_lane()
    try:
        chunk = [frame(1, b"a"), frame(2, b"fatal"), frame(3, b"b")]
        jobs = [lane.submit(chunk, RULES), lane.submit([frame(4, b"c")], RULES)]
        prepared = [one for job in jobs for one in job.result()]
        assert [one.frame for one in prepared] == [1, 2, 3, 4]
        assert [one.failure and one.failure[0] for one in prepared] == [
            None,
            "WorkerDied",
            None,
            None,
        ]
        assert lane.submit([frame(5, b"d")], RULES).result()[0].items[0].value == b"d"
    finally:
        lane.close()


def test_workers_end_when_nothing_has_needed_them_for_a_while(monkeypatch):
    monkeypatch.setattr(lanes, "KEEP_WORKERS_S", 0.0)
    others = set(multiprocessing.active_children())  # of servers that other tests still have open
    lane = BusyLane(thread_lane(), process_lane())
    try:
        chunk = [frame(number, b"x") for number in range(lanes.BUSY_FRAMES)]
        assert len(lane.submit(chunk, RULES).result()) == len(chunk)
        assert set(multiprocessing.active_children()) > others
        lane.idle()
        assert set(multiprocessing.active_children()) <= others
        assert len(lane.submit(chunk[:1], RULES).result()) == 1
    finally:
        lane.close()


@pytest.mark.parametrize("make", [thread_lane, process_lane], ids=["thread", "process"])
def test_a_frame_that_takes_too_long_is_found_and_the_rest_is_prepared(make):
    lane = make(1.0)
    try:
        chunk = [frame(1, b"a"), frame(2, b"endless"), frame(3, b"b"), frame(4, b"endless")]
        jobs = [lane.submit(chunk, RULES), lane.submit([frame(5, b"c")], RULES)]
        found = [one for job in jobs for one in payloads(job.result())]
        assert found == [b"a", "TookTooLong", b"b", "TookTooLong", b"c"]
        assert payloads(lane.submit([frame(6, b"d")], RULES).result()) == [b"d"]
    finally:
        lane.close()


@pytest.mark.parametrize("make", [thread_lane, process_lane], ids=["thread", "process"])
def test_a_frame_that_is_slow_once_is_not_found_guilty(make, tmp_path):
    """As on a machine that stood still for a while."""
    lane = make(1.0)
    once = f"once {tmp_path / 'was here'}".encode()
    try:
        chunk = [frame(1, b"a"), frame(2, once), frame(3, b"b")]
        assert payloads(lane.submit(chunk, RULES).result()) == [b"a", once, b"b"]
    finally:
        lane.close()


def test_many_fatal_frames_among_many_workers_are_all_found():
    lane = process_lane(processes=2)
    try:
        chunk = [frame(n, b"fatal" if n % 17 == 3 else b"%d" % n) for n in range(1, 31)]
        found = payloads(lane.submit(chunk, RULES).result())
        assert found == ["WorkerDied" if n % 17 == 3 else b"%d" % n for n in range(1, 31)]
    finally:
        lane.close()


def test_a_frame_that_ended_the_process_is_judged_apart_by_the_next(tmp_path):
    before = Mark(tmp_path / "digest.mark")
    before.preparing(2)
    lane = thread_lane(mark=Mark(tmp_path / "digest.mark"))
    try:
        chunk = [frame(1, b"a"), frame(2, b"fatal"), frame(3, b"b")]
        assert payloads(lane.submit(chunk, RULES).result()) == [b"a", "WorkerDied", b"b"]
    finally:
        lane.close()
