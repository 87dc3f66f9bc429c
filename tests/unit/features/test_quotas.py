"""What a quota would have dropped, and what a month comes to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tracer import clock
from tracer.errors import Invalid
from tracer.features.quotas.model import (
    DAY_MS,
    HOUR_MS,
    Draft,
    Seen,
    by_category,
    errors_by_project,
    forecast,
    would_drop,
)
from tracer.projects.quotas.model import MONTH, Quota, Use, per, window, window_name

NOW = clock.to_ms(datetime(2026, 3, 16, tzinfo=UTC))
MARCH = clock.to_ms(datetime(2026, 3, 1, tzinfo=UTC))


def quota(
    amount: int, window_s: int = 3600, category: str = "error", *, hard: bool = True
) -> Quota:
    return Quota(1, 1, None, None, category, window_s, amount, hard, MARCH)


def ago(hours: int) -> int:
    return NOW - hours * HOUR_MS


@pytest.mark.parametrize(
    ("amount", "window_s", "items", "dropped"),
    [
        (30, 3600, [(5, 100), (2, 100)], 80),
        (30, 3600, [(3, 100), (2, 100)], 110),
        (1, 60, [(5, 50)], 0),
        (1, 60, [(5, 100)], 39),
        (0, 3600, [(5, 7)], 7),
        (1000, 86_400, [(n, 100) for n in range(24, 0, -1)], 400),
    ],
)
def test_short_window_would_have_dropped(
    amount: int, window_s: int, items: list[tuple[int, int]], dropped: int
) -> None:
    effect = would_drop(quota(amount, window_s), [(ago(n), count) for n, count in items], NOW)
    assert effect.dropped == dropped
    assert effect.offered == sum(count for _, count in items)


def test_month_would_have_dropped_what_came_after_it_was_full() -> None:
    hours = [(MARCH, 900), (ago(30), 80), (ago(5), 50)]
    effect = would_drop(quota(1000, MONTH), hours, NOW)
    assert (effect.offered, effect.dropped, effect.hours) == (130, 30, 1)
    assert effect.share == pytest.approx(100 * 30 / 130)


def test_month_that_ends_within_the_week_begins_anew() -> None:
    now = MARCH + 2 * DAY_MS
    hours = [(MARCH - 5 * HOUR_MS, 100), (MARCH + HOUR_MS, 100)]
    assert would_drop(quota(100, MONTH), hours, now).dropped == 0
    assert would_drop(quota(99, MONTH), hours, now).dropped == 2


def test_forecast_goes_on_at_the_present_pace() -> None:
    assert forecast(1500, 700, since_ms=0, now_ms=NOW) == 1500 + 16 * 100
    assert forecast(50, 50, since_ms=NOW - 2 * DAY_MS, now_ms=NOW) == 50 + 16 * 25
    assert forecast(50, 50, since_ms=NOW, now_ms=NOW) == 50 + 16 * 50


def test_use_is_summed_by_what_quotas_are_set_for() -> None:
    seen = [
        Seen(1, "error", 10, 0),
        Seen(1, "security", 5, 0),
        Seen(2, "default", 1, 0),
        Seen(2, "profile_chunk", 3, 0),
        Seen(2, "unknown", 4, 0),
    ]
    rows = by_category(seen, since_ms=0, now_ms=NOW)
    assert [(row.category, row.month) for row in rows] == [
        ("error", 16),
        ("profile", 3),
        ("other", 4),
    ]
    projects = errors_by_project(seen, since_ms=0, now_ms=NOW)
    assert [row[:2] for row in projects] == [(1, 15), (2, 1)]


def test_use_of_a_month_that_is_over_is_nothing() -> None:
    use = Use(level=70, at=MARCH - DAY_MS, over_at=MARCH - 1)
    assert use.now(quota(100, MONTH), NOW) == 0
    assert not use.is_over(quota(100, MONTH), NOW)
    assert use.is_over(quota(100, MONTH), MARCH - 1)


def test_use_of_a_bucket_leaks() -> None:
    use = Use(level=60, at=NOW - 30_000, over_at=NOW - 30_000)
    assert use.now(quota(60, 60), NOW) == 30
    assert use.is_over(quota(60, 60), NOW)
    assert not use.is_over(quota(60, 60), NOW + HOUR_MS)


@pytest.mark.parametrize("seconds", [1, 60, 90, 3600, 86_400, MONTH])
def test_window_is_read_as_it_is_written(seconds: int) -> None:
    assert window(window_name(seconds)) == seconds
    assert per(seconds)


@pytest.mark.parametrize("text", ["", "0", "-1", "86401", "1.5", "year", "²", "9" * 50])
def test_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        window(text)


def test_draft_says_what_was_tried() -> None:
    assert Draft.read("all", "day", 70, is_hard=True).tried == "|86400|70|1|0"
    with pytest.raises(Invalid):
        Draft.read("all", "day", 0, is_hard=False)
