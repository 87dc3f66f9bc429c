from __future__ import annotations

import pytest

from tracer.protocol.categories import (
    ITEM_CATEGORY,
    LEVEL_NAMES,
    LEVELS,
    category_of,
)


@pytest.mark.parametrize(
    ("item_type", "category"),
    [
        ("event", "error"),
        ("log", "log_item"),
        ("check_in", "monitor"),
        ("sessions", "session"),
        ("replay_recording", "replay"),
        ("user_report", "feedback"),
        ("raw_security", "security"),
        ("client_report", "internal"),
        ("statsd", "metric_bucket"),
        ("never_heard_of", "unknown"),
    ],
)
def test_items_count_under_the_categories_of_rate_limits(item_type: str, category: str) -> None:
    assert category_of(item_type) == category


def test_every_item_type_of_the_protocol_is_known() -> None:
    named = (
        "event transaction span log trace_metric check_in session sessions client_report profile"
        " profile_chunk profile_chunk_ui replay_event replay_recording replay_video feedback"
        " user_report attachment raw_security security unreal_report form_data nel integration"
        " otel_span otel_log statsd metric_buckets metric_meta"
    )
    assert set(ITEM_CATEGORY) == set(named.split())


def test_levels_are_ordered_and_named_both_ways() -> None:
    assert sorted(LEVELS, key=LEVELS.__getitem__) == ["debug", "info", "warning", "error", "fatal"]
    assert all(LEVEL_NAMES[number] == name for name, number in LEVELS.items())
