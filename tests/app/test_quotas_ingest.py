"""Quotas hold where events come in: by category, by owner, over months and restarts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness import Running, envelope, running
from tracer import clock
from tracer.projects import queries as projects
from tracer.projects.quotas import actions, queries
from tracer.projects.quotas.model import MONTH, Quota

EVENT = ({"type": "event"}, {"message": "It broke"})
SESSION = ({"type": "session"}, {"sid": "a", "status": "ok"})
TRANSACTION = ({"type": "transaction"}, {"type": "transaction", "transaction": "/"})
FILE = ({"type": "attachment", "filename": "a.txt"}, b"text")
REPORT = ({"type": "client_report"}, {"discarded_events": []})
LOGS = ({"type": "log", "item_count": 7}, {"items": []})


def set_quota(tracer: Running, scope: str = "project", **wanted: Any) -> Quota:
    project = tracer.project
    key = projects.working_key(tracer.meta.read(), project.id)
    place = {
        "organization": (None, None),
        "project": (project.id, None),
        "key": (project.id, key.id),
    }
    settings = {"category": "error", "window_s": 3600, "amount": 1, "is_hard": True, **wanted}
    with tracer.meta.write() as tx:
        return actions.set_quota(tx, tracer.org.id, *place[scope], **settings)


def post(tracer: Running, *items: Any) -> Any:
    return tracer.post_envelope(envelope({"event_id": clock.new_id()}, items))


def fates(tracer: Running) -> dict[str, int]:
    tracer.digest()
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, reason, sum(quantity) FROM outcomes GROUP BY 1, 2, 3"
    )
    return {" ".join(row[:3]).strip(): row[3] for row in rows}


def at(year: int, month: int, day: int, hour: int = 0) -> None:
    moment = datetime(year, month, day, hour, tzinfo=UTC).timestamp()
    clock.set_clock(lambda: moment)


@pytest.mark.parametrize("scope", ["organization", "project", "key"])
def test_hard_quota_of_a_month_refuses_what_is_more(tracer: Running, scope: str) -> None:
    at(2026, 3, 10)
    set_quota(tracer, scope, window_s=MONTH, amount=2)
    answers = [post(tracer, EVENT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = answers[2].headers["x-sentry-rate-limits"]
    assert told == f"3600:default;error;security:{scope}:{scope}_quota"
    assert answers[2].headers["retry-after"] == "3600"
    assert "2 errors a month" in answers[2].json()["detail"]
    assert fates(tracer) == {"error stored": 2, f"error rate_limited {scope}_quota": 1}


def test_month_begins_anew_and_not_when_the_clock_goes_back(tracer: Running) -> None:
    at(2026, 3, 31, 23)
    set_quota(tracer, window_s=MONTH)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]
    at(2026, 2, 1)
    assert post(tracer, EVENT).status_code == 429
    at(2026, 4, 1)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]


def test_wait_is_what_is_left_of_the_month_where_that_is_short(tracer: Running) -> None:
    moment = datetime(2026, 3, 31, 23, 59, tzinfo=UTC).timestamp()
    clock.set_clock(lambda: moment)
    set_quota(tracer, window_s=MONTH, amount=0)
    assert post(tracer, EVENT).headers["retry-after"] == "60"


def test_bucket_leaks_while_time_passes(tracer: Running) -> None:
    began = clock.now_s()
    clock.set_clock(lambda: began)
    set_quota(tracer, window_s=60, amount=6)
    assert [post(tracer, EVENT).status_code for _ in range(7)] == [200] * 6 + [429]
    clock.set_clock(lambda: began + 10)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]
    clock.set_clock(lambda: began - 3600)
    assert post(tracer, EVENT).status_code == 429


def test_envelope_loses_the_limited_items_only(tracer: Running) -> None:
    set_quota(tracer, category="transaction", amount=0)
    answer = post(tracer, EVENT, TRANSACTION, SESSION, FILE)
    assert answer.status_code == 200
    told = answer.headers["x-sentry-rate-limits"]
    assert told == "3600:transaction:project:project_rate_limit"
    assert "retry-after" not in answer.headers
    assert fates(tracer) == {
        "error stored": 1,
        "attachment stored": 1,
        "session unsupported session": 1,
        "transaction rate_limited project_rate_limit": 1,
    }


def test_attachments_go_with_their_event_and_not_with_others(tracer: Running) -> None:
    set_quota(tracer, amount=0)
    assert post(tracer, EVENT, FILE, REPORT).status_code == 200
    assert post(tracer, FILE).status_code == 200
    found = fates(tracer)
    assert found["attachment rate_limited project_rate_limit"] == 1
    assert found["attachment stored"] == found["internal stored"] == 1


def test_quota_of_everything_spares_reports_of_what_was_dropped(tracer: Running) -> None:
    set_quota(tracer, "organization", category="", amount=0, window_s=60)
    answer = post(tracer, EVENT, SESSION)
    assert answer.status_code == 429
    assert answer.headers["x-sentry-rate-limits"].endswith("::organization:organization_rate_limit")
    assert post(tracer, REPORT).status_code == 200
    assert post(tracer, EVENT, REPORT).status_code == 200
    found = fates(tracer)
    assert found["error rate_limited organization_rate_limit"] == 2
    assert found["internal stored"] == 2


def test_containers_count_what_they_hold(tracer: Running) -> None:
    set_quota(tracer, category="log_item", amount=10)
    assert [post(tracer, LOGS).status_code for _ in range(2)] == [200, 429]
    assert fates(tracer)["log_item rate_limited project_rate_limit"] == 7


def test_strictest_of_several_quotas_wins_and_is_named(tracer: Running) -> None:
    at(2026, 3, 10)
    set_quota(tracer, "key", window_s=60, amount=0)
    set_quota(tracer, "project", window_s=60, amount=1)
    set_quota(tracer, "organization", window_s=MONTH, amount=0)
    answer = post(tracer, EVENT)
    first, *others = answer.headers["x-sentry-rate-limits"].split(", ")
    assert first in (
        "3600:default;error;security:organization:organization_quota",
        "3600:default;error;security:key:key_rate_limit",
    )
    assert len(others) == 1
    assert fates(tracer).keys() <= {
        "error rate_limited organization_quota",
        "error rate_limited key_rate_limit",
    }


def test_what_one_quota_refuses_another_does_not_count(tracer: Running) -> None:
    set_quota(tracer, "organization", window_s=MONTH, amount=2)
    quota = set_quota(tracer, "key", window_s=MONTH, amount=1)
    assert [post(tracer, EVENT).status_code for _ in range(3)] == [200, 429, 429]
    with tracer.meta.write() as tx:
        actions.remove_quota(tx, quota)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]


def test_soft_quota_warns_and_takes_all(tracer: Running) -> None:
    at(2026, 3, 10)
    set_quota(tracer, window_s=MONTH, amount=1, is_hard=False)
    first, second = post(tracer, EVENT), post(tracer, EVENT)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "x-tracer-quota" not in first.headers
    assert second.headers["x-tracer-quota"] == "default;error;security:project:2/1:month"
    assert "x-sentry-rate-limits" not in second.headers
    assert fates(tracer) == {"error stored": 2}


def test_soft_bucket_recovers_soon_after_a_burst(tracer: Running) -> None:
    began = clock.now_s()
    clock.set_clock(lambda: began)
    set_quota(tracer, window_s=60, amount=1, is_hard=False)
    for _ in range(10):
        assert post(tracer, EVENT).status_code == 200
    clock.set_clock(lambda: began + 180)
    assert "x-tracer-quota" not in post(tracer, EVENT).headers


def test_one_project_does_not_use_up_another(tracer: Running) -> None:
    other = tracer.add_project("other")
    set_quota(tracer, amount=1)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]
    raw = envelope({}, [EVENT])
    assert [tracer.post_envelope(raw, other).status_code for _ in range(2)] == [200, 200]


def test_new_quota_of_a_month_counts_what_came_before_it(tracer: Running) -> None:
    tracer.send(message="Hello")
    tracer.send(message="Hello")
    set_quota(tracer, window_s=MONTH, amount=3)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]


def test_changed_amount_keeps_what_was_counted(tracer: Running) -> None:
    set_quota(tracer, window_s=MONTH, amount=2)
    assert [post(tracer, EVENT).status_code for _ in range(3)] == [200, 200, 429]
    set_quota(tracer, window_s=MONTH, amount=3)
    assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("window_s", [MONTH, 86_400])
def test_counts_survive_a_restart(tmp_path: Path, window_s: int) -> None:
    with running(tmp_path / "data") as tracer:
        set_quota(tracer, window_s=window_s, amount=2)
        assert post(tracer, EVENT).status_code == 200
    with running(tmp_path / "data") as tracer:
        assert [post(tracer, EVENT).status_code for _ in range(2)] == [200, 429]


def test_counts_are_written_with_the_batch_that_stores_the_events(tracer: Running) -> None:
    quota = set_quota(tracer, window_s=MONTH, amount=5)
    tracer.send(message="Hello")
    level = "SELECT level FROM quota_use WHERE quota_id = :id"
    assert tracer.meta.read().value(level, id=quota.id) == 1


def test_removed_quota_holds_no_longer(tracer: Running) -> None:
    quota = set_quota(tracer, amount=0)
    assert post(tracer, EVENT).status_code == 429
    with tracer.meta.write() as tx:
        actions.remove_quota(tx, quota)
    assert post(tracer, EVENT).status_code == 200
    tracer.digest()
    assert queries.every_quota(tracer.meta.read()) == []
