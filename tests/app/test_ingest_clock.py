"""A clock that jumps back and forth while events come in: each is stored once, none is refused."""

from __future__ import annotations

import time

import pytest

from harness import running
from tracer import clock

HOUR = 3600.0
DAY = 24 * HOUR
JUMPS = (0, -HOUR, DAY, 400 * DAY, -3 * DAY, 0)


@pytest.fixture
def jump():
    """Sets the clock ahead or back by seconds."""

    def set_off(seconds):
        clock.set_clock(lambda: time.time() + seconds)

    yield set_off
    clock.set_clock(None)


def stored(tracer):
    return tracer.meta.read().value("SELECT coalesce(sum(event_count), 0) FROM issues")


def test_every_event_is_stored_once_whatever_the_clock_says(tmp_path, jump):
    ids = [clock.new_id() for _ in JUMPS]
    with running(tmp_path / "data", spool_max_hours=1) as tracer:
        for event_id, seconds in zip(ids, JUMPS, strict=True):
            jump(seconds)
            tracer.send(message=f"{seconds:.0f} s off", event_id=event_id)
        assert stored(tracer) == len(JUMPS)
        assert tracer.tracer.spool.level == 0
    with running(tmp_path / "data") as tracer:
        assert stored(tracer) == len(JUMPS)


@pytest.mark.parametrize("seconds", [-30 * DAY, 30 * DAY])
def test_a_jump_makes_what_waits_neither_old_nor_refused(tmp_path, jump, seconds):
    with running(tmp_path / "data", spool_max_hours=1) as tracer:
        with tracer.meta.write():
            tracer.send(message="before", digest=False)
            jump(seconds)
            tracer.send(message="after", digest=False)
            tracer.send(message="after", digest=False)
            load = tracer.tracer.spool.load()
            assert load.level == 0
            assert load.age_s < 60
        tracer.digest()
        assert stored(tracer) == 3
