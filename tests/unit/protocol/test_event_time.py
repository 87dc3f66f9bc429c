"""Timestamps in every notation, and the correction of client clocks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracer.protocol.event import Event, decode_event
from tracer.protocol.timestamps import parse_timestamp

NOW = 1_795_459_000.0  # 2026-11-23T18:36:40Z
DAY = 86400.0


def decode(event: Any, sent_at: Any = None) -> Event:
    return decode_event(
        json.dumps(event).encode(),
        project_id=1,
        envelope={"sent_at": sent_at} if sent_at is not None else {},
        received_at=NOW,
        client_ip=None,
        user_agent=None,
    )


def kinds(event: Event) -> list[str]:
    return [note["type"] for note in event.data.get("errors", [])]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1795459000, NOW),
        (1795459000.5, NOW + 0.5),
        (1795459000123, NOW + 0.123),
        (1795459000123456, NOW + 0.123456),
        ("1795459000.5", NOW + 0.5),
        ("1795459000123", NOW + 0.123),
        ("1.7954590e9", NOW),
        ("2026-11-23T18:36:40Z", NOW),
        ("2026-11-23T18:36:40", NOW),
        (" 2026-11-23 18:36:40 UTC ", NOW),
        ("2026-11-23T19:36:40+01:00", NOW),
        ("2026-11-23T18:36:40.123456789Z", NOW + 0.123456),
        ("1979-01-01", 283996800.0),
        (0, 0.0),
    ],
)
def test_moments_are_read(given: Any, seconds: float) -> None:
    assert parse_timestamp(given) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "soon",
        "nan",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1" * 100,
        True,
        -1,
        1e300,
        float("nan"),
        float("inf"),
        [],
        {},
    ],
)
def test_what_is_no_moment_is_refused(given: Any) -> None:
    assert parse_timestamp(given) is None


def test_milliseconds_in_text_are_not_taken_for_a_date() -> None:
    assert parse_timestamp("1795120112345") == pytest.approx(1795120112.345)


def test_a_good_clock_is_left_alone() -> None:
    event = decode({"timestamp": NOW - 30}, sent_at=NOW - 59)
    assert event.timestamp == event.data["timestamp"] == NOW - 30
    assert event.data["received"] == NOW
    assert kinds(event) == []


@pytest.mark.parametrize("offset", [-3600.0, -61.0, 61.0, 3600.0, 400 * DAY, -400 * DAY])
def test_a_wrong_clock_moves_event_and_breadcrumbs(offset: float) -> None:
    event = decode(
        {"timestamp": NOW - 10 + offset, "breadcrumbs": [{"timestamp": NOW - 20 + offset}]},
        sent_at=NOW + offset,
    )
    assert event.timestamp == pytest.approx(NOW - 10)
    assert event.data["breadcrumbs"]["values"][0]["timestamp"] == pytest.approx(NOW - 20)
    assert kinds(event) == ["clock_drift"]


def test_the_note_says_what_the_client_sent() -> None:
    event = decode({"timestamp": "2026-11-23T17:36:30Z"}, sent_at="2026-11-23T17:36:40Z")
    assert event.data["errors"] == [
        {
            "type": "clock_drift",
            "name": "timestamp",
            "value": "2026-11-23T17:36:30Z",
            "reason": "corrected: the client's clock is 3600 s behind",
        }
    ]


def test_an_event_of_the_future_happened_now_and_its_breadcrumbs_before() -> None:
    event = decode({"timestamp": NOW + 500, "breadcrumbs": [{"timestamp": NOW + 490}]})
    assert event.timestamp == NOW
    assert event.data["breadcrumbs"]["values"][0]["timestamp"] == NOW - 10
    assert kinds(event) == ["future_timestamp"]
    assert decode({"timestamp": NOW + 59}).timestamp == NOW + 59


def test_an_event_older_than_thirty_days_happened_now() -> None:
    event = decode({"timestamp": NOW - 31 * DAY}, sent_at=NOW)
    assert event.timestamp == NOW
    assert kinds(event) == ["past_timestamp"]
    assert decode({"timestamp": NOW - 29 * DAY}).timestamp == NOW - 29 * DAY


@pytest.mark.parametrize("given", ["soon", [], "0000-00-00", {"a": 1}])
def test_an_unreadable_time_is_the_time_of_receipt(given: Any) -> None:
    event = decode({"timestamp": given})
    assert event.timestamp == NOW
    assert kinds(event)[-1] == "invalid_data"


def test_an_unreadable_sent_at_corrects_nothing() -> None:
    assert decode({"timestamp": NOW - 5}, sent_at={"x": 1}).timestamp == NOW - 5
