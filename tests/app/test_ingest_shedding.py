"""A spool that fills refuses the least important first, says so to SDKs, and counts every item."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from harness import envelope, running
from tracer import clock
from tracer.ingest.shedding import Announcer, refused_at
from tracer.protocol.categories import category_of
from tracer.storage.spool import Load

#: Of 28 frames the levels begin at 14, 16, … 26.
SETTINGS = {"spool_max_frames": 28, "spool_high_percent": 50}
#: What goes on each level, by item type.
GOES_AT = {
    "attachment": 1,
    "made_up_type": 1,
    "replay_event": 2,
    "replay_recording": 2,
    "profile": 3,
    "transaction": 4,
    "span": 4,
    "log": 4,
    "session": 5,
    "check_in": 5,
}
REPORT = ({"type": "client_report"}, {"timestamp": 1, "discarded_events": []})


def message(text):
    return ({"type": "event"}, {"message": text, "level": "error"})


def post(tracer, *items):
    return tracer.post_envelope(envelope({"event_id": clock.new_id()}, items))


def wait_for_level(tracer, level):
    deadline = time.monotonic() + 10
    while tracer.tracer.spool.level != level:
        assert time.monotonic() < deadline, tracer.tracer.spool.load()
        time.sleep(0.002)


def fill(tracer, frames, level):
    """Let so many frames wait; reports of what SDKs dropped are refused last of all."""
    while tracer.tracer.spool.load().frames < frames:
        assert post(tracer, REPORT).status_code == 200
    wait_for_level(tracer, level)


def fates(tracer):
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, reason, sum(quantity) FROM outcomes GROUP BY 1, 2, 3"
    )
    return {tuple(row[:3]): row[3] for row in rows}


def categories(answer):
    wait_s, named, *rest = answer.headers["x-sentry-rate-limits"].split(":")
    assert 15 <= int(wait_s) <= 45
    assert rest == ["organization", "backpressure"]
    return set(filter(None, named.split(";")))


@pytest.fixture
def tracer(tmp_path):
    with running(tmp_path / "data", **SETTINGS) as started:
        yield started


def test_the_least_important_goes_first_and_every_item_has_one_outcome(tracer):
    others = [({"type": kind}, {"x": "y" * 50}) for kind in GOES_AT]
    sent: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    with tracer.meta.write():
        for level in range(1, 6):
            fill(tracer, 13 + 2 * level, level)
            answer = post(tracer, message(f"of level {'x' * level}"), *others)
            assert answer.status_code == 200
            assert "retry-after" not in answer.headers
            gone = {category_of(kind) for kind, at in GOES_AT.items() if at <= level}
            assert gone - {"unknown"} <= categories(answer)
            assert not {"error", "default", "feedback", "internal"} & categories(answer)
            sent.update(["error", *(category_of(kind) for kind in GOES_AT)])
            refused.update(category_of(kind) for kind, at in GOES_AT.items() if at <= level)
    tracer.digest()
    counted: Counter[str] = Counter()
    for (category, outcome, reason), quantity in fates(tracer).items():
        if category not in ("internal", "request"):
            counted[category] += quantity
        if reason == "backpressure":
            assert outcome == "rate_limited"
            assert quantity == refused.pop(category)
    assert counted == sent
    assert not refused
    assert fates(tracer)["error", "stored", ""] == 5
    assert not tracer.tracer.digest.imbalance


def test_errors_of_known_issues_go_before_those_of_new_ones(tracer):
    with tracer.meta.write():
        fill(tracer, 15, 1)
        assert post(tracer, message("seen before")).status_code == 200
        fill(tracer, 25, 6)
        known = post(tracer, message("seen before"))
        assert known.status_code == 429
        assert 15 <= int(known.headers["retry-after"]) <= 45
        assert "error" not in categories(known)
        assert "session" in categories(known)
        assert post(tracer, message("never seen")).status_code == 200
        assert post(tracer, message("never seen")).status_code == 429
    tracer.digest()
    assert fates(tracer)["error", "stored", ""] == 2
    assert fates(tracer)["error", "rate_limited", "backpressure"] == 2
    assert not [key for key in fates(tracer) if key[1] == "refused"]


def test_a_full_spool_refuses_all_and_takes_all_again_once_digested(tracer):
    with tracer.meta.write():
        fill(tracer, 25, 6)
        while post(tracer, REPORT).status_code == 200:
            assert tracer.tracer.spool.load().frames <= 28
        wait_for_level(tracer, 7)
        answer = post(tracer, message("new"))
        assert answer.status_code == 429
        assert categories(answer) == set()
        assert tracer.tracer.spool.load().share > 0.9
        assert post(tracer, REPORT).status_code == 429
    tracer.digest()
    wait_for_level(tracer, 0)
    answer = post(tracer, message("new"), ({"type": "attachment", "filename": "a"}, b"bytes"))
    assert answer.status_code == 200
    assert "x-sentry-rate-limits" not in answer.headers
    tracer.digest()
    assert fates(tracer)["attachment", "stored", ""] == 1


def test_refused_attachments_do_not_lie_in_the_spool(tracer):
    with tracer.meta.write():
        fill(tracer, 15, 1)
        before = tracer.tracer.spool.waiting_bytes
        attachment = (
            {"type": "attachment", "filename": "dump"},
            clock.new_secret().encode() * 2000,
        )
        assert post(tracer, message("kept"), attachment).status_code == 200
        assert tracer.tracer.spool.waiting_bytes - before < 1000
    tracer.digest()
    found = tracer.api(f"/api/0/organizations/{tracer.org.slug}/issues/?query=").json()
    assert [issue["title"] for issue in found] == ["kept"]
    assert fates(tracer)["attachment", "rate_limited", "backpressure"] == 1


def test_store_endpoint_and_dialogs_follow_the_same_levels(tracer):
    path = f"/api/{tracer.project.id}/store/?sentry_key={tracer.key}"
    with tracer.meta.write():
        fill(tracer, 25, 6)
        assert tracer.visitor.post(path, json={"message": "fresh"}).status_code == 200
        assert tracer.visitor.post(path, json={"message": "fresh"}).status_code == 429
        event = {"type": "transaction", "transaction": "GET /", "event_id": clock.new_id()}
        assert tracer.visitor.post(path, json=event).status_code == 429
    tracer.digest()
    assert fates(tracer)["transaction", "rate_limited", "backpressure"] == 1


def test_levels_are_logged_with_what_is_refused(tracer, caplog):
    with tracer.meta.write():
        fill(tracer, 17, 2)
    tracer.digest()
    wait_for_level(tracer, 0)
    said = [record.getMessage() for record in caplog.records if "spool" in record.getMessage()]
    assert any(re.search(r"full by frames .*refused now: attachments, replays$", s) for s in said)
    assert said[-1] == "The spool has room again: everything is accepted"


def test_a_load_that_wavers_is_logged_once_a_minute(caplog):
    announce = Announcer()
    for level in (3, 2, 3, 2, 1, 3, 4, 3, 0, 1):
        announce(Load(level, 0.7, "bytes", 1, 1, 1.0))
    said = [record.getMessage() for record in caplog.records]
    assert [len(refused_at(3)), len(said)] == [3, 4]
    assert [line.startswith("The spool has room") for line in said] == [False, False, True, False]
