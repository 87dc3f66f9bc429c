"""Counting fates and what was accepted, and holding the two against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer import clock
from tracer.ingest import balance, outcomes
from tracer.ingest.outcomes import Refusals
from tracer.storage.meta import Meta

HOUR_MS = 3_600_000
HOUR = 500_000 * HOUR_MS
STORED = (7, "error", "stored", "")


@pytest.fixture
def meta(tmp_path: Path) -> Iterator[Meta]:
    meta = Meta(tmp_path / "meta.db")
    yield meta
    meta.close()


def at(hours: float) -> None:
    clock.set_clock(lambda: (HOUR + hours * HOUR_MS) / 1000)


def record(meta: Meta, *counts: dict[outcomes.Key, int]) -> None:
    with meta.write(unaudited="digest") as tx:
        for one in counts:
            outcomes.record_refused(tx, one)


def rows(meta: Meta, table: str) -> list[tuple[int, str, int]]:
    found = meta.read().rows(
        f"SELECT hour_at, category, quantity FROM {table} ORDER BY hour_at, category, quantity"
    )
    return [((hour_at - HOUR) // HOUR_MS, *rest) for hour_at, *rest in found]


def test_counts_of_an_hour_add_up_from_its_first_to_its_last_moment(meta: Meta) -> None:
    for hours in (0.0, 0.5, 0.9999, 1.0):
        at(hours)
        record(meta, {STORED: 2})
    assert rows(meta, "outcomes") == [(0, "error", 6), (1, "error", 2)]
    assert rows(meta, "accepted") == [(0, "error", 6), (1, "error", 2)]


def test_requests_refused_and_what_sdks_dropped_were_never_accepted(meta: Meta) -> None:
    at(0)
    counts = {(7, "error", fate, "why"): 1 for fate in outcomes.FATES}
    counts[7, "request", outcomes.REFUSED, "too_large"] = 4
    counts[7, "error", outcomes.CLIENT_DISCARD, "sample_rate"] = 5
    record(meta, counts)
    assert rows(meta, "accepted") == [(0, "error", len(outcomes.FATES))]
    assert balance.check(meta.read()) == []


def test_difference_is_what_is_missing_or_too_many_by_project_and_category() -> None:
    accepted = {(1, "error"): 5, (1, "session"): 2, (2, "error"): 1}
    counts = {
        (1, "error", "stored", ""): 2,
        (1, "error", "invalid", "duplicate"): 3,
        (2, "error", "stored", ""): 3,
        (3, "span", "unsupported", ""): 1,
        (3, "request", "refused", ""): 9,
    }
    assert outcomes.differences(accepted, counts) == {
        (1, "session"): 2,
        (2, "error"): -2,
        (3, "span"): -1,
    }


def test_imbalances_are_found_by_hour_the_latest_first(meta: Meta) -> None:
    for hours in (0, 1, 2):
        at(hours)
        with meta.write(unaudited="digest") as tx:
            outcomes.record(tx, {STORED: 1, (7, "request", "refused", ""): 3})
            outcomes.record_accepted(tx, {(7, "error"): 1 if hours == 1 else 2})
    found = balance.check(meta.read())
    assert [(one.hour_at - HOUR) // HOUR_MS for one in found] == [2, 0]
    assert [(one.project_id, one.category, one.accepted, one.decided) for one in found] == [
        (7, "error", 2, 1)
    ] * 2
    assert balance.check(meta.read(), limit=1) == found[:1]


def test_imbalance_is_noted_until_it_is_settled_and_the_first_one_stays(meta: Meta) -> None:
    at(0)
    assert not balance.is_noted(meta.read())
    with meta.write(unaudited="digest") as tx:
        balance.note(tx, {(7, "error"): 1})
        balance.note(tx, {(8, "span"): -1})
    assert balance.is_noted(meta.read())
    noted = meta.read().value("SELECT value FROM facts")
    assert noted == f'{{"at":{HOUR},"missing":[[7,"error",1]]}}'
    with meta.write(unaudited="digest") as tx:
        balance.settle(tx)
    assert not balance.is_noted(meta.read())


def test_taking_back_subtracts_once_from_the_first_hour_that_has_as_much(meta: Meta) -> None:
    letter = (7, "error", "dead_letter", "ValueError")
    others = [
        (8, "error", "dead_letter", "ValueError"),
        (7, "session", "dead_letter", "ValueError"),
        (7, "error", "stored", "ValueError"),
        (7, "error", "dead_letter", "KeyError"),
    ]
    for hours, quantity in enumerate((9, 1, 2, 5)):
        at(hours)
        record(meta, {letter: quantity, **dict.fromkeys(others, 9)})
    with meta.write(unaudited="digest") as tx:
        # Within the hour that begins the search: rounded down to its beginning.
        outcomes.take_back(tx, letter, 2, since_ms=HOUR + HOUR_MS + HOUR_MS // 2)
    left = meta.read().rows(
        """
        SELECT quantity
        FROM outcomes
        WHERE project_id = 7 AND category = 'error' AND outcome = 'dead_letter'
            AND reason = 'ValueError'
        ORDER BY hour_at
        """
    )
    assert [quantity for (quantity,) in left] == [9, 1, 0, 5]
    untouched = "SELECT count(*) FROM outcomes WHERE quantity = 9"
    assert meta.read().value(untouched) == 4 * len(others) + 1
    assert balance.check(meta.read()) == []


def test_taking_back_reaches_the_very_hour_it_begins_with(meta: Meta) -> None:
    at(0.5)
    record(meta, {STORED: 2})
    with meta.write(unaudited="digest") as tx:
        outcomes.take_back(tx, STORED, 2, since_ms=HOUR + HOUR_MS - 1)
    assert rows(meta, "outcomes") == rows(meta, "accepted") == [(0, "error", 0)]


def test_taking_back_what_is_forgotten_changes_nothing(meta: Meta) -> None:
    at(0)
    record(meta, {STORED: 2})
    with meta.write(unaudited="digest") as tx:
        outcomes.take_back(tx, STORED, 2, since_ms=HOUR + HOUR_MS)
        outcomes.take_back(tx, STORED, 3, since_ms=HOUR)
    assert rows(meta, "outcomes") == rows(meta, "accepted") == [(0, "error", 2)]


def test_refusals_are_taken_once_and_can_be_given_back() -> None:
    refusals = Refusals()
    refusals.count(7, "too_large")
    refusals.count(7, "too_large", 2)
    refusals.count(7, "project_quota", 5, category="error", outcome="rate_limited")
    counted = {
        (7, "request", "refused", "too_large"): 3,
        (7, "error", "rate_limited", "project_quota"): 5,
    }
    taken = refusals.take()
    assert taken == counted
    assert refusals.take() == {}
    refusals.count(7, "too_large")
    refusals.give_back(taken)
    counted[7, "request", "refused", "too_large"] = 4
    assert refusals.take() == counted


def test_a_flood_of_different_refusals_is_bounded_and_known_ones_go_on_counting() -> None:
    refusals = Refusals()
    for number in range(10_002):
        refusals.count(number, "no_key")
    refusals.count(0, "no_key")
    taken = refusals.take()
    assert len(taken) == 10_000
    assert taken[0, "request", "refused", "no_key"] == 2
