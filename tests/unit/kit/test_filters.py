from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tracer import clock
from tracer.kit import filters

NOW_S = 1_772_600_000.0


@pytest.fixture(autouse=True)
def fixed_clock() -> Iterator[None]:
    clock.set_clock(lambda: NOW_S)
    yield
    clock.set_clock(None)


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0, "just now", "now"),
        (59, "just now", "now"),
        (60, "1 min ago", "1min"),
        (3599, "59 min ago", "59min"),
        (7200, "2 h ago", "2h"),
        (86_400 * 3, "3 d ago", "3d"),
        (86_400 * 65, "2 mo ago", "2mo"),
        (86_400 * 800, "2 y ago", "2y"),
        (-300, "in 5 min", "5min"),
        (-(86_400 * 7 - 30), "in 7 d", "6d"),
    ],
)
def test_ages_read_in_their_largest_unit(seconds: float, long: str, short: str) -> None:
    moment = NOW_S - seconds
    assert filters.ago(moment) == long
    assert filters.ago(int(moment * 1000)) == long
    assert filters.ago(datetime.fromtimestamp(moment, UTC)) == long
    assert filters.age(moment) == short


def test_time_element_holds_the_exact_moment() -> None:
    html = str(filters.when(1_772_599_699_123))
    assert 'datetime="2026-03-04T04:48:19.123Z"' in html
    assert 'title="2026-03-04 04:48:19 UTC"' in html
    assert ">5 min ago</time>" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1249, "1.2k"),
        (9_950, "10k"),
        (34_400, "34k"),
        (999_499, "999k"),
        (999_500, "1m"),
        (5_600_000, "5.6m"),
        (7_000_000_000, "7b"),
        (-1500, "-1.5k"),
        (0.25, "0.25"),
        (None, "–"),
    ],
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert filters.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1434, "1.4 KB"), (24_117_248, "23 MB"), (None, "–")],
)
def test_sizes_have_units(value: Any, text: str) -> None:
    assert filters.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4, "4 ms"),
        (1250, "1.25 s"),
        (200_000, "3 min 20 s"),
        (180_000, "3 min"),
        (7_500_000, "2 h 5 min"),
        (86_400_000 * 3 + 3_600_000 * 4, "3 d 4 h"),
    ],
)
def test_durations_have_two_units_at_most(value: int, text: str) -> None:
    assert filters.duration(value) == text


def test_plural_and_ordinal() -> None:
    assert [filters.plural(n, "event") for n in (0, 1, 1204)] == [
        "0 events",
        "1 event",
        "1,204 events",
    ]
    assert filters.plural(2, "entry", "entries") == "2 entries"
    assert [filters.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 21, 112)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "21st",
        "112th",
    ]


def test_json_is_indented_and_never_fails() -> None:
    assert filters.pretty({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    assert "object" in filters.pretty(object())


def test_times_beyond_the_calendar_do_not_fail() -> None:
    assert filters.stamp(10**20) == "1970-01-01 00:00:00 UTC"
