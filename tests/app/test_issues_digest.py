from __future__ import annotations

import time
from typing import Any

import pytest

from harness import Running
from issue_samples import detail, failure, issues, outcomes, the_issue
from tracer import clock
from tracer.issues import actions, queries, tasks
from tracer.issues.ingest import rollups
from tracer.issues.model import Issue
from tracer.kit.context import Actor

HOUR_S = 3600


def _load(tracer: Running, issue: dict[str, Any]) -> Issue:
    found = queries.issue(tracer.meta.read(), tracer.reach, int(issue["id"]))
    assert found is not None
    return found


def _resolve(tracer: Running, issue: dict[str, Any], **details: Any) -> None:
    body = {"status": "resolved", **({"statusDetails": details} if details else {})}
    assert tracer.api(f"/api/0/issues/{issue['id']}/", "PUT", json=body).status_code == 200


def _activity(tracer: Running, issue: dict[str, Any]) -> list[str]:
    return [entry["type"] for entry in detail(tracer, issue["id"])["activity"]]


def test_first_event_makes_an_issue(tracer: Running) -> None:
    tracer.send(failure(release="shop@1.0.0", user={"id": 42}))
    issue = the_issue(tracer)
    assert issue["title"].startswith("ValueError")
    assert issue["shortId"] == f"{tracer.project.slug.upper()}-1"
    assert issue["status"] == "unresolved"
    assert issue["level"] == "error"
    assert (issue["count"], issue["userCount"]) == ("1", 1)
    assert issue["metadata"] == {
        "title": issue["title"],
        "type": "ValueError",
        "value": "no stock",
    }
    whole = detail(tracer, issue["id"])
    assert whole["firstRelease"] == whole["lastRelease"] == {"version": "shop@1.0.0"}
    assert [entry["type"] for entry in whole["activity"]] == ["first_seen"]
    assert outcomes(tracer) == {"stored:": 1}


def test_events_alike_are_one_issue_and_others_another(tracer: Running) -> None:
    for _ in range(3):
        tracer.send(failure(), digest=False)
    tracer.send(failure("KeyError", "7"))
    found = {issue["metadata"]["type"]: issue for issue in issues(tracer)}
    assert found["ValueError"]["count"] == "3"
    assert found["KeyError"]["count"] == "1"
    assert {issue["shortId"][-2:] for issue in found.values()} == {"-1", "-2"}


def test_short_ids_count_up_by_project(tracer: Running) -> None:
    other = tracer.add_project("billing")
    tracer.send(failure())
    tracer.send(failure(), project=other)
    names = {issue["shortId"] for issue in issues(tracer)}
    assert names == {f"{tracer.project.slug.upper()}-1", "BILLING-1"}


def test_event_sent_twice_counts_once(tracer: Running) -> None:
    event_id = tracer.send(failure())
    tracer.send(failure(event_id=event_id))
    assert the_issue(tracer)["count"] == "1"
    assert outcomes(tracer) == {"stored:": 1, "invalid:duplicate": 1}


def test_event_twice_in_one_batch_counts_once(tracer: Running) -> None:
    event = failure(event_id=clock.new_id())
    for _ in range(4):
        tracer.send(event, digest=False)
    tracer.digest()
    assert the_issue(tracer)["count"] == "1"
    assert outcomes(tracer) == {"stored:": 1, "invalid:duplicate": 3}


def test_same_event_id_in_another_project_is_another_event(tracer: Running) -> None:
    event = failure(event_id=clock.new_id())
    tracer.send(event)
    tracer.send(event, project=tracer.add_project("billing"))
    assert len(issues(tracer)) == 2


def test_first_and_last_seen_follow_the_events_not_their_arrival(tracer: Running) -> None:
    now = time.time()
    for age_s, level in ((2 * HOUR_S, "error"), (HOUR_S, "fatal"), (5 * HOUR_S, "warning")):
        tracer.send(failure(timestamp=now - age_s, level=level, release=f"shop@1.0.{age_s}"))
    issue = _load(tracer, the_issue(tracer))
    assert abs(issue.first_seen_at / 1000 - (now - 5 * HOUR_S)) < 1
    assert abs(issue.last_seen_at / 1000 - (now - HOUR_S)) < 1
    assert issue.level == 50
    assert issue.first_release == f"shop@1.0.{5 * HOUR_S}"
    assert issue.last_release == f"shop@1.0.{HOUR_S}"


def test_users_are_counted_once_over_all_and_in_each_environment(tracer: Running) -> None:
    for user, environment in (
        ("1", "production"),
        ("2", "production"),
        ("1", "staging"),
        ("1", "production"),
    ):
        tracer.send(failure(user={"id": user}, environment=environment), digest=False)
    tracer.digest()
    tracer.send(failure(user={"id": "3"}, environment="staging"))
    tracer.send(failure())
    assert the_issue(tracer)["userCount"] == 3
    [production] = issues(tracer, environment="production")
    [staging] = issues(tracer, environment="staging")
    assert (production["count"], production["userCount"]) == ("4", 2)
    assert (staging["count"], staging["userCount"]) == ("2", 2)


def test_counts_by_environment_and_release(tracer: Running) -> None:
    tracer.send(failure(environment="production", release="shop@1.0.0"))
    tracer.send(failure(environment="production", release="shop@1.1.0"))
    tracer.send(failure(environment="staging", release="shop@1.1.0"))
    reader, issue = tracer.meta.read(), _load(tracer, the_issue(tracer))
    environments = {
        one.name: one.event_count for one in queries.environments(reader, tracer.reach, issue)
    }
    releases = {
        one.name: one.event_count for one in queries.releases(tracer.tracer, tracer.reach, issue)
    }
    assert environments == {"production": 2, "staging": 1}
    assert releases == {"shop@1.0.0": 1, "shop@1.1.0": 2}


def test_hourly_counts_are_scoped_to_the_environment(tracer: Running) -> None:
    now = time.time()
    for age_s, environment in ((0, "production"), (3 * HOUR_S, "production"), (0, "staging")):
        tracer.send(failure(timestamp=now - age_s, environment=environment))
    [issue] = issues(tracer)
    [production] = issues(tracer, environment="production", statsPeriod="14d")
    day = [count for _, count in issue["stats"]["24h"]]
    assert (len(day), day[-1], day[-4], sum(day)) == (24, 2, 1, 3)
    fortnight = [count for _, count in production["stats"]["14d"]]
    assert (len(fortnight), fortnight[-1], sum(fortnight)) == (14, 2, 2)


def test_tag_values_past_the_limit_count_as_others(
    tracer: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MAX_TAG_VALUES", 3)
    for number in (1, 2, 3, 4, 5, 1):
        tracer.send(failure(tags={"customer": f"c{number}"}))
    issue = _load(tracer, the_issue(tracer))
    tag = queries.tag(tracer.tracer, tracer.reach, issue, "customer")
    assert tag is not None
    assert [(one.value, one.event_count) for one in tag.values] == [
        ("c1", 2),
        ("c2", 1),
        ("c3", 1),
        ("", 2),
    ]
    assert (tag.value_count, tag.event_count) == (3, 6)
    assert abs(sum(one.percent for one in tag.values) - 100) < 0.001


# Regression -------------------------------------------------------------------------------------


def test_resolved_issue_reopens_when_an_event_arrives(tracer: Running) -> None:
    tracer.send(failure())
    _resolve(tracer, the_issue(tracer))
    assert the_issue(tracer)["status"] == "resolved"
    tracer.send(failure(environment="staging"))
    issue = the_issue(tracer)
    assert (issue["status"], issue["substatus"]) == ("unresolved", "regressed")
    assert _activity(tracer, issue) == ["regression", "resolved", "first_seen"]
    # The list of one environment knows as well, also where no new event came.
    assert [one["id"] for one in issues(tracer, "is:unresolved", environment="production")] == [
        issue["id"]
    ]


def test_event_older_than_the_resolution_does_not_reopen(tracer: Running) -> None:
    tracer.send(failure())
    _resolve(tracer, the_issue(tracer))
    tracer.send(failure(timestamp=time.time() - HOUR_S))
    issue = the_issue(tracer)
    assert (issue["status"], issue["count"]) == ("resolved", "2")


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("shop@1.1.9", "resolved"),
        ("shop@1.2.0", "resolved"),
        ("shop@1.10.0", "unresolved"),
        (None, "resolved"),
    ],
)
def test_issue_resolved_in_a_release_reopens_when_an_event_arrives_from_a_later_one(
    tracer: Running, release: str | None, status: str
) -> None:
    tracer.send(failure(release="shop@1.2.0"))
    _resolve(tracer, the_issue(tracer), inRelease="shop@1.2.0")
    tracer.send(failure(**({"release": release} if release else {})))
    assert the_issue(tracer)["status"] == status


def test_releases_that_are_no_versions_are_compared_by_age(tracer: Running) -> None:
    tracer.send(failure(release="aaa"))
    tracer.send(failure("KeyError", release="bbb"))
    [issue] = issues(tracer, "error.type:ValueError")
    _resolve(tracer, issue, inRelease="bbb")
    tracer.send(failure(release="aaa"))
    assert detail(tracer, issue["id"])["status"] == "resolved"
    tracer.send(failure(release="ccc"))
    assert detail(tracer, issue["id"])["status"] == "unresolved"


def test_next_release_is_the_one_after_the_newest(tracer: Running) -> None:
    tracer.send(failure(release="shop@1.0.0"))
    tracer.send(failure("KeyError", release="shop@1.1.0"))
    [issue] = issues(tracer, "error.type:ValueError")
    _resolve(tracer, issue, inNextRelease=True)
    assert detail(tracer, issue["id"])["statusDetails"] == {"inRelease": "shop@1.1.0"}
    tracer.send(failure(release="shop@1.1.0"))
    assert detail(tracer, issue["id"])["status"] == "resolved"
    tracer.send(failure(release="shop@1.1.1"))
    assert detail(tracer, issue["id"])["status"] == "unresolved"


def test_archived_issue_stays_archived(tracer: Running) -> None:
    tracer.send(failure())
    issue = _load(tracer, the_issue(tracer))
    with tracer.meta.write() as tx:
        actions.archive(tx, issue, by=Actor("user"))
    tracer.send(failure())
    found = the_issue(tracer)
    assert (found["status"], found["count"]) == ("ignored", "2")


# Deletion ---------------------------------------------------------------------------------------


def test_deleted_issue_leaves_nothing_and_its_kind_starts_anew(tracer: Running) -> None:
    attached = ({"type": "attachment", "filename": "log.txt"}, b"what happened")
    old = tracer.send(failure(user={"id": 1}), items=[attached])
    kept = tracer.send(failure("KeyError"), items=[attached])
    [issue] = issues(tracer, "error.type:ValueError")
    assert tracer.api(f"/api/0/issues/{issue['id']}/", "DELETE").status_code == 202
    assert tracer.api(f"/api/0/issues/{issue['id']}/").status_code == 404
    new = tracer.send(failure())
    tracer.run_tasks()
    [again] = issues(tracer, "error.type:ValueError")
    assert (again["count"], again["shortId"] == issue["shortId"]) == ("1", False)
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/events/"
    assert tracer.api(f"{path}{old}/").status_code == 404
    assert tracer.api(f"{path}{new}/json/").json()["event_id"] == new
    reader = tracer.meta.read()
    assert queries.attachments(reader, tracer.project.id, old) == []
    [shared] = queries.attachments(reader, tracer.project.id, kept)
    assert tracer.tracer.blobs.open(shared.blob) == b"what happened"
    [other] = issues(tracer, "error.type:KeyError")
    assert tracer.api(f"/api/0/issues/{other['id']}/", "DELETE").status_code == 202
    tracer.run_tasks()
    assert not tracer.tracer.blobs.exists(shared.blob)


def test_deleted_issue_is_no_longer_found_by_its_text(tracer: Running) -> None:
    tracer.send(failure(value="the very odd widget"))
    [issue] = issues(tracer, "odd widget")
    tracer.api(f"/api/0/issues/{issue['id']}/", "DELETE")
    assert issues(tracer, "odd widget") == []


# Forgetting -------------------------------------------------------------------------------------


def _days_later(days: int) -> None:
    then = time.time() + days * 86_400
    clock.set_clock(lambda: then)


def test_event_ids_are_remembered_for_three_days(tracer: Running) -> None:
    event_id, sent_at = tracer.send(failure()), time.time()
    for days, count in ((2, "1"), (4, "2")):
        _days_later(days)
        tasks.forget_recent(tracer.tracer)
        tracer.send(failure(event_id=event_id, timestamp=sent_at))
        assert the_issue(tracer)["count"] == count


def test_hourly_counts_are_kept_for_ninety_days(tracer: Running) -> None:
    tracer.send(failure())
    for days, kept in ((89, 1), (91, None)):
        _days_later(days)
        tasks.forget_hours(tracer.tracer)
        assert tracer.meta.read().value("SELECT sum(event_count) FROM issue_hours") == kept
