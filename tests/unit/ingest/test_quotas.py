"""How full a quota is: months that begin anew, buckets that leak, and for how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tracer.ingest.quotas import Counter
from tracer.projects.quotas.model import MONTH, Quota, Use


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type]


NOW = ms(2026, 3, 31, 23, 30)
MONTH_ENDS = ms(2026, 4, 1)


def counter(window_s: int, amount: int, level: float = 0.0, *, is_hard: bool = True) -> Counter:
    quota = Quota(1, 1, 7, None, "error", window_s, amount, is_hard, NOW)
    return Counter(quota, Use(level, NOW))


def test_month_counts_up_to_its_last_millisecond_and_begins_anew_with_the_next() -> None:
    one = counter(MONTH, 10, 4)
    assert one.room(NOW) == 6
    one.add(3, NOW)
    assert one.room(MONTH_ENDS - 1) == 3
    assert one.room(MONTH_ENDS) == 10
    assert one.at_ms == MONTH_ENDS
    one.add(2, MONTH_ENDS)
    assert one.room(ms(2026, 4, 30, 23, 59)) == 8
    assert one.room(ms(2026, 5, 1)) == 10


def test_month_goes_on_when_the_clock_is_set_back() -> None:
    one = counter(MONTH, 10, 4)
    assert one.room(ms(2026, 1, 1)) == 6


def test_bucket_leaks_its_amount_in_each_window_and_never_below_empty() -> None:
    one = counter(60, 30, 30)
    assert one.room(NOW) == 0
    assert one.room(NOW + 10_000) == pytest.approx(5)
    assert one.room(NOW + 20_000) == pytest.approx(10)
    assert one.room(NOW + 3_600_000) == 30


def test_bucket_leaks_nothing_while_the_clock_is_behind() -> None:
    one = counter(60, 30, 30)
    assert one.room(NOW - 60_000) == 0
    assert one.room(NOW - 50_000) == pytest.approx(5)


def test_only_what_goes_beyond_the_amount_is_over() -> None:
    one = counter(MONTH, 3)
    one.add(3, NOW)
    assert (one.level, one.over_ms, one.is_dirty) == (3, None, True)
    one.add(1, NOW + 5)
    assert (one.level, one.over_ms) == (4, NOW + 5)


def test_soft_bucket_is_never_fuller_than_twice_its_amount() -> None:
    one = counter(60, 10, is_hard=False)
    one.add(15, NOW)
    assert one.level == 15
    one.add(500, NOW)
    assert one.level == 21
    month = counter(MONTH, 10, is_hard=False)
    month.add(500, NOW)
    assert month.level == 500


def test_refusal_is_remembered() -> None:
    one = counter(60, 10)
    assert not one.is_dirty
    one.refuse(NOW + 7)
    assert (one.level, one.over_ms, one.is_dirty) == (0, NOW + 7, True)


@pytest.mark.parametrize(
    ("window_s", "amount", "level", "quantity", "wait_s"),
    [
        # 30 a minute leak 0.5 a second.
        (60, 30, 30, 1, 2),
        (60, 30, 30, 3, 6),
        (60, 30, 29.75, 1, 2),
        (60, 30, 29.5, 1, 1),
        # More at once than the bucket holds fits when it is empty.
        (60, 30, 30, 500, 60),
        (86_400, 2, 2, 2, 3600),
        (60, 0, 0, 1, 3600),
        (1, 1000, 1000, 1, 1),
    ],
)
def test_wait_for_room_in_a_bucket(
    window_s: int, amount: int, level: float, quantity: int, wait_s: int
) -> None:
    assert counter(window_s, amount, level).wait_s(quantity, NOW) == wait_s


@pytest.mark.parametrize(
    ("now_ms", "wait_s"),
    [
        (MONTH_ENDS - 1_800_000, 1800),
        (MONTH_ENDS - 1_500, 2),
        (MONTH_ENDS - 1, 1),
        (MONTH_ENDS, 1),
        (MONTH_ENDS - 7_200_000, 3600),
    ],
)
def test_wait_for_the_next_month_is_between_a_second_and_an_hour(now_ms: int, wait_s: int) -> None:
    assert counter(MONTH, 1, 1).wait_s(1, now_ms) == wait_s
