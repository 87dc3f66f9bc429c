"""What SDKs read out of the header that names the categories to hold back."""

from __future__ import annotations

import pytest
from sentry_sdk.transport import _parse_rate_limits

from tracer.ingest.shedding import limits_of, refused_at
from tracer.protocol.categories import ITEM_CATEGORY

TRANSACTIONS = {"transaction", "span", "log_item", "trace_metric", "metric_bucket"}
PROFILES = {"profile", "profile_chunk", "profile_chunk_ui"}
HELD_BACK = {
    1: {"attachment"},
    2: {"attachment", "replay"},
    3: {"attachment", "replay", *PROFILES},
    4: {"attachment", "replay", *PROFILES, *TRANSACTIONS},
    5: {"attachment", "replay", *PROFILES, *TRANSACTIONS, "session", "monitor"},
    6: {"attachment", "replay", *PROFILES, *TRANSACTIONS, "session", "monitor"},
    7: {None},
}


@pytest.mark.parametrize("level", HELD_BACK)
def test_the_python_sdk_holds_back_what_a_level_refuses_and_never_new_errors(level):
    assert {name for name, _ in _parse_rate_limits(limits_of(level, 30))} == HELD_BACK[level]


def test_nothing_is_said_while_everything_is_accepted():
    assert limits_of(0, 30) == ""
    assert refused_at(0) == ()


def test_every_named_category_is_one_that_sdks_know():
    named = {name for level in range(1, 7) for name in HELD_BACK[level]}
    assert named <= set(ITEM_CATEGORY.values())
