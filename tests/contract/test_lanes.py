"""Both lanes prepare the same, in order, and no frame takes others down with it."""

from __future__ import annotations

import json
import multiprocessing

import pytest

import fatal_items
from harness import envelope
from tracer.ingest import lanes
from tracer.ingest.lanes import BusyLane, ProcessLane, ThreadLane
from tracer.ingest.prepare import Workshop
from tracer.protocol.envelope import Limits
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage.codec import Codec
from tracer.storage.spool import Frame

RULES = {1: ProjectRules()}


def frame(id_: int, payload: bytes) -> Frame:
    head = json.dumps({"kind": "envelope", "encoding": ""}).encode()
    return Frame(id_, 1, "k", 1.0, head, envelope({}, [({"type": "fatal"}, payload)]))


@pytest.fixture(params=["thread", "process"])
def lane(request):
    workshop = Workshop({"fatal": fatal_items.HANDLER}, Limits(), 1 << 20, Codec({}))
    if request.param == "thread":
        lane = ThreadLane(workshop, lambda: None)
    else:
        lane = ProcessLane(workshop, {}, 1)
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
    workshop = Workshop({"fatal": fatal_items.HANDLER}, Limits(), 1 << 20, Codec({}))
    lane = ProcessLane(workshop, {}, 1)
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
    workshop = Workshop({"fatal": fatal_items.HANDLER}, Limits(), 1 << 20, Codec({}))
    lane = BusyLane(ThreadLane(workshop, lambda: None), ProcessLane(workshop, {}, 1))
    try:
        chunk = [frame(number, b"x") for number in range(lanes.BUSY_FRAMES)]
        assert len(lane.submit(chunk, RULES).result()) == len(chunk)
        assert multiprocessing.active_children() != []
        lane.idle()
        assert multiprocessing.active_children() == []
        assert len(lane.submit(chunk[:1], RULES).result()) == 1
    finally:
        lane.close()
