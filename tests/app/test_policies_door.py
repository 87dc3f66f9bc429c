"""Policies at the door: each condition and requirement, as a request meets it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from harness import Running
from tracer import clock

READING = {"permissions": ["event:read"]}


@pytest.fixture
def ben(tracer: Running) -> TestClient:
    return tracer.login("ben@example.com", "member")


def save(tracer: Running, effect: str, conditions: Any, requirements: Any = None) -> None:
    body = {"name": f"rule {clock.new_id()}", "effect": effect, "conditions": conditions}
    if requirements:
        body["requirements"] = requirements
    answer = tracer.api(f"/api/0/organizations/{tracer.org.slug}/policies/", "POST", json=body)
    assert answer.status_code == 201, answer.text


def at(moment: str) -> None:
    fixed = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    clock.set_clock(lambda: fixed)


def issues(browser: TestClient) -> int:
    status: int = browser.get("/issues/").status_code
    return status


def test_without_policies_roles_alone_decide(tracer: Running, ben: TestClient) -> None:
    assert issues(ben) == 200
    assert ben.get("/settings/policies/").status_code == 403


def test_at_certain_times(tracer: Running, ben: TestClient) -> None:
    hours = {"days": ["sat", "sun"], "start": "00:00", "end": "24:00", "zone": "Europe/Berlin"}
    save(tracer, "deny", {"roles": ["member"], "hours": hours})
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET expires_at = expires_at + 900000000000")
    for moment, status in (
        ("2027-01-01T22:59", 200),  # Friday in Berlin
        ("2027-01-01T23:00", 403),  # Saturday there
        ("2027-01-03T22:59", 403),
        ("2027-01-03T23:00", 200),  # Monday
    ):
        at(moment)
        with tracer.meta.write(unaudited="test") as tx:
            tx.execute("UPDATE logins SET seen_at = :now", now=clock.now_ms())
        assert issues(ben) == status, moment


def test_of_a_team(tracer: Running, ben: TestClient) -> None:
    api = f"/api/0/organizations/{tracer.org.slug}/teams/"
    assert tracer.api(api, "POST", json={"slug": "contractors"}).status_code == 201
    save(tracer, "deny", {"teams": ["contractors"], **READING})
    assert issues(ben) == 200
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute(
            """
            INSERT INTO team_members (team_id, user_id, role, created_at)
            SELECT t.id, u.id, 'lead', 1
            FROM teams t, users u
            WHERE u.email = 'ben@example.com'
            """
        )
    assert issues(ben) == 403
    assert issues(tracer.login()) == 200


def test_second_factor_required_for_a_permission(tracer: Running, ben: TestClient) -> None:
    save(tracer, "require", {"roles": ["member"], **READING}, {"secondFactor": True})
    refused = ben.get("/issues/")
    assert refused.status_code == 403
    assert "asks for a second factor." in refused.text
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET second_factor_at = 1")
    assert issues(ben) == 200


def test_login_required_where_a_token_will_not_do(tracer: Running, ben: TestClient) -> None:
    token = tracer.token("event:read", email="ben@example.com", role="member")
    save(tracer, "require", {"roles": ["member"], **READING}, {"actorKinds": ["user"]})
    assert issues(ben) == 200
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    answer = tracer.visitor.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert answer.json()["detail"].endswith("asks for a login.")


def test_token_of_somebody_loses_what_a_policy_takes_from_them(
    tracer: Running, ben: TestClient
) -> None:
    token = tracer.token("event:read", email="ben@example.com", role="member")
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    assert tracer.visitor.get(path, headers=headers).status_code == 200
    save(tracer, "deny", {"roles": ["member"], **READING})
    assert tracer.visitor.get(path, headers=headers).status_code == 403


def test_export_is_refused_as_the_page_is(tracer: Running) -> None:
    boss = tracer.login("boss@example.com", "manager")
    assert boss.get("/settings/audit/").status_code == 200
    assert tracer.post("/settings/audit/export", {"format": "csv"}, browser=boss).status_code == 200
    save(tracer, "deny", {"roles": ["manager"], "permissions": ["org:write"]})
    refused = tracer.post("/settings/audit/export", {"format": "csv"}, browser=boss)
    assert refused.status_code == 403
    assert "does not allow this." in refused.text


def test_project_that_may_not_be_read_is_not_there(tracer: Running, ben: TestClient) -> None:
    other = tracer.add_project("depot")
    save(
        tracer,
        "deny",
        {"roles": ["member"], "permissions": ["project:read"], "projects": [other.slug]},
    )
    assert ben.get("/projects/depot/").status_code == 404
    assert "depot" not in ben.get("/projects/").text
    assert "depot" in tracer.page("/projects/").text


def test_refusal_names_the_policy_and_offers_a_way_out(tracer: Running, ben: TestClient) -> None:
    save(tracer, "deny", {"roles": ["member"]})
    page = ben.get("/issues/")
    assert page.status_code == 403
    assert "The policy “rule" in page.text
    assert 'href="/account/"' in page.text
    assert "data-watch" not in page.text
    assert ben.get("/account/").status_code == 200
    part = ben.get("/issues/", headers={"HX-Request": "true"})
    assert part.status_code == 403


def test_policy_switched_off_or_deleted_takes_nothing(tracer: Running, ben: TestClient) -> None:
    save(tracer, "deny", {"roles": ["member"]})
    assert issues(ben) == 403
    policy_id = tracer.meta.read().value("SELECT id FROM policies")
    tracer.post(f"/settings/policies/{policy_id}/disable")
    assert issues(ben) == 200
    tracer.post(f"/settings/policies/{policy_id}/enable")
    assert issues(ben) == 403
    tracer.post(f"/settings/policies/{policy_id}/delete")
    assert issues(ben) == 200


def test_events_are_received_whatever_policies_say(tracer: Running) -> None:
    save(tracer, "deny", {"roles": ["member", "viewer", "admin", "manager", "organization"]})
    tracer.send(message="Still counted")
    assert tracer.meta.read().value("SELECT count(*) FROM issues") == 1
