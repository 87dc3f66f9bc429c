"""When a level begins and ends, and how old the oldest frame is."""

from __future__ import annotations

import pytest

from tracer.storage.spool.pressure import LEVELS, Ages, Capacity, Pressure

HALF = Capacity(max_bytes=1400, max_frames=140, max_age_s=14.0, high_percent=50)


def levels(pressure: Pressure, *sizes: int) -> list[int]:
    found = []
    for size in sizes:
        pressure.update(size, 0, 0.0)
        found.append(pressure.level)
    return found


def test_levels_begin_in_equal_steps_above_the_high_mark():
    sizes = (0, 699, 701, 801, 901, 1001, 1101, 1201, 1301, 1400)
    assert levels(Pressure(HALF), *sizes) == [0, 0, 1, 2, 3, 4, 5, 6, 7, 7]


@pytest.mark.parametrize(
    ("measures", "measure"),
    [((1301, 0, 0.0), "bytes"), ((0, 131, 0.0), "frames"), ((0, 0, 13.1), "age")],
)
def test_the_fullest_measure_decides_and_is_named(measures, measure):
    pressure = Pressure(HALF)
    assert pressure.update(*measures)
    assert pressure.level == LEVELS
    load = pressure.weigh(*measures)
    assert (load.level, load.measure) == (LEVELS, measure)
    assert 0.92 < load.share < 0.95


def test_a_level_lasts_until_a_whole_step_is_free_again():
    pressure = Pressure(HALF)
    assert levels(pressure, 901, 850, 801, 799, 750, 701, 699, 601, 599) == [
        *(3, 3, 3, 2, 2, 2, 1, 1, 0),
    ]


def test_a_wavering_measure_does_not_make_a_level_waver():
    pressure = Pressure(HALF)
    pressure.update(701, 0, 0.0)
    changes = [pressure.update(size, 0, 0.0) for size in (690, 710) * 20]
    assert not any(changes)


def test_an_emptied_spool_takes_everything_at_once():
    assert levels(Pressure(HALF), 1400, 0) == [7, 0]


def test_age_is_that_of_the_oldest_frame_still_waiting():
    ages = Ages(0, 100.0)
    for second in range(1, 11):
        ages.note(second * 10, 100.0 + second)
    assert ages.age_s(1, 110.0) == pytest.approx(9.0)
    assert ages.age_s(51, 110.0) == pytest.approx(4.0)
    ages.forget(51)
    assert ages.age_s(51, 115.0) == pytest.approx(9.0)
    assert ages.age_s(101, 110.0) == pytest.approx(0.0)


def test_age_after_a_quiet_hour_counts_from_the_arrival():
    ages = Ages(7, 0.0)
    ages.note(7, 3600.0)
    ages.note(8, 3600.5)
    assert ages.age_s(8, 3601.5) == pytest.approx(1.0)


def test_a_long_backlog_keeps_a_bounded_number_of_marks():
    ages = Ages(0, 0.0)
    for second in range(1, 100_001):
        ages.note(second, float(second))
    assert len(ages._marks) <= 4096
    assert ages.age_s(1, 100_000.0) >= 99_000
