"""What becomes of accepted items: one outcome each, nothing twice, bad frames set aside."""

from __future__ import annotations

import json
import multiprocessing
import time

import pytest

from harness import envelope, running
from tracer import clock
from tracer.storage.spool import NewFrame


def outcomes(tracer):
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        """
        SELECT project_id, category, outcome, reason, sum(quantity)
        FROM outcomes
        GROUP BY 1, 2, 3, 4
        """
    )
    return {tuple(row[:4]): row[4] for row in rows}


def spool(tracer, body, **head):
    """A frame as the endpoint would write it, whatever the endpoint thinks of it."""
    noted = {"kind": "envelope", "encoding": "", "content_type": "", "ip": "", "ua": "", **head}
    raw = json.dumps(noted).encode()
    frame = NewFrame(tracer.project.id, tracer.key, clock.now_s(), raw, body)
    tracer.tracer.spool.append_sync(frame)
    tracer.digest()


def test_every_item_of_an_envelope_has_one_outcome(tracer):
    span = {"type": "span", "item_count": 7}
    tracer.send(
        message="one",
        items=[
            ({"type": "attachment", "filename": "a.txt"}, b"bytes"),
            ({"type": "client_report"}, {"discarded_events": [_discarded(3), _discarded(2)]}),
            (span, {"items": []}),
            ({"type": "statsd"}, b"x:1|c"),
            ({"type": "from_the_future"}, b"?"),
            ({"type": "user_report"}, b"not json"),
        ],
    )
    id_ = tracer.project.id
    assert outcomes(tracer) == {
        (id_, "error", "stored", ""): 1,
        (id_, "attachment", "stored", ""): 1,
        (id_, "internal", "stored", ""): 1,
        (id_, "error", "client_discard", "before_send"): 5,
        (id_, "span", "unsupported", "span"): 7,
        (id_, "metric_bucket", "unsupported", "statsd"): 1,
        (id_, "unknown", "unknown_type", ""): 1,
        (id_, "feedback", "invalid", "malformed"): 1,
    }


def _discarded(quantity):
    return {"reason": "before_send", "category": "error", "quantity": quantity}


@pytest.mark.parametrize(
    "report",
    [
        [],
        {"discarded_events": {"reason": "x"}},
        {"discarded_events": [1, None, {"quantity": -4}, {"quantity": "many"}]},
        {"discarded_events": [{"reason": "R" * 300, "category": {}, "quantity": 1e300}] * 150},
    ],
)
def test_odd_client_reports_do_no_harm(tracer, report):
    tracer.send(items=[({"type": "client_report"}, report)])
    counted = outcomes(tracer)
    assert {key[1] for key in counted} <= {"internal", "other"}
    assert {key[3] for key in counted} <= {"", "not_an_object", "no_discarded_events", "other"}


def test_an_event_sent_twice_is_stored_once(tracer):
    event_id = tracer.send(message="again")
    tracer.send({"event_id": event_id}, message="again")
    tracer.send(message="again")
    found = outcomes(tracer)
    assert found[tracer.project.id, "error", "stored", ""] == 2
    assert found[tracer.project.id, "error", "invalid", "duplicate"] == 1
    assert tracer.meta.read().value("SELECT event_count FROM issues") == 2


def test_the_same_id_in_two_projects_is_two_events(tracer):
    other = tracer.add_project("other")
    tracer.tracer.keys.refresh(tracer.meta.read())
    event_id = tracer.send(message="here")
    tracer.send({"event_id": event_id}, message="there", project=other)
    assert tracer.meta.read().value("SELECT sum(event_count) FROM issues") == 2


def test_a_frame_that_cannot_be_opened_is_a_dead_letter_and_holds_nothing_back(tracer):
    spool(tracer, b"\x00 this was never an envelope")
    tracer.send(message="after it")
    letters = tracer.tracer.spool.letters.read.page(limit=10)
    assert [letter.reason for letter in letters] == ["Invalid"]
    found = outcomes(tracer)
    assert found[tracer.project.id, "unknown", "dead_letter", "Invalid"] == 1
    assert found[tracer.project.id, "error", "stored", ""] == 1


def test_frames_of_a_deleted_project_end_as_invalid(tracer):
    doomed = tracer.add_project("doomed")
    tracer.tracer.keys.refresh(tracer.meta.read())
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM projects WHERE id = :id", id=doomed.id)
    body = envelope({}, [({"type": "event"}, {"message": "too late"})])
    raw = json.dumps({"kind": "envelope", "encoding": ""}).encode()
    tracer.tracer.keys.refresh(tracer.meta.read())
    tracer.tracer.spool.append_sync(NewFrame(doomed.id, "k", clock.now_s(), raw, body))
    tracer.digest()
    assert outcomes(tracer)[doomed.id, "error", "invalid", "project_deleted"] == 1
    assert tracer.tracer.spool.letters.read.count() == 0


def test_floods_are_digested_by_workers_with_the_same_result(tmp_path):
    event = {"exception": {"values": [{"type": "E", "value": "v"}]}, "extra": {"password": "p"}}
    others = set(multiprocessing.active_children())  # of servers that other tests still have open
    with running(tmp_path / "data", digest_processes=1) as tracer:
        tracer.send(event)
        assert set(multiprocessing.active_children()) <= others
        sent = 1
        while set(multiprocessing.active_children()) <= others or sent < 200:
            with tracer.meta.write():  # meanwhile digest waits, so that a large chunk gathers
                for _ in range(60):
                    tracer.send(event, digest=False)
            tracer.digest()
            sent += 60
            assert sent < 3000, "no worker was ever started"
        time.sleep(2)
        with tracer.meta.write():
            for _ in range(60):
                tracer.send(event, digest=False)
        tracer.digest()
        sent += 60
        assert outcomes(tracer) == {(tracer.project.id, "error", "stored", ""): sent}
        assert tracer.meta.read().rows("SELECT event_count FROM issues") == [(sent,)]
        issue = tracer.api(f"/api/0/organizations/{tracer.org.slug}/issues/").json()[0]
        latest = tracer.api(f"/api/0/issues/{issue['id']}/events/latest/").text
        assert "[Filtered]" in latest
    assert set(multiprocessing.active_children()) <= others


def test_what_waits_at_a_stop_is_digested_after_the_next_start(tmp_path):
    with running(tmp_path / "data") as tracer, tracer.meta.write():
        for number in range(3):
            tracer.send(message=f"number {number}", digest=False)
        assert tracer.tracer.spool.depth == 3
    with running(tmp_path / "data") as tracer:
        tracer.digest()
        assert tracer.meta.read().value("SELECT sum(event_count) FROM issues") == 3


def test_secrets_never_reach_the_store_or_the_title(tracer):
    tracer.send(
        {
            "exception": {
                "values": [
                    {
                        "type": "AuthError",
                        "value": "login failed for postgres://admin:hunter2@db/app",
                        "stacktrace": {
                            "frames": [
                                {
                                    "function": "f",
                                    "filename": "a.py",
                                    "vars": {"password": "s3cret"},
                                }
                            ]
                        },
                    }
                ]
            },
            "request": {"url": "http://x/", "headers": {"Authorization": "Bearer abcdef123456"}},
        }
    )
    issue = tracer.api(f"/api/0/organizations/{tracer.org.slug}/issues/").json()[0]
    page = tracer.page(f"/issues/{issue['id']}/").text
    raw = tracer.page(f"/issues/{issue['id']}/events/latest/json").text
    for text in (issue["title"], page, raw):
        for secret in ("hunter2", "s3cret", "abcdef123456"):
            assert secret not in text
    assert "[Filtered]" in page
    assert "removed by data scrubbing" in page
