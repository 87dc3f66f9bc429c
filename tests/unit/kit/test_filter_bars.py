from __future__ import annotations

from tracer.kit.filters import bars


def test_bars_stand_side_by_side_and_the_highest_fills_the_height() -> None:
    assert bars([1, 0, 4], 9) == "M0 9v-2h3v2zM8 9v-8h3v8z"


def test_small_bars_stay_visible() -> None:
    assert bars([1, 1000]).startswith("M0 28v-1.5h3")


def test_no_events_draw_nothing() -> None:
    assert bars([0, 0]) == bars([]) == ""
