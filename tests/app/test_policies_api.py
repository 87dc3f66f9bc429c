"""Policies in the API."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Running

NO_WRITING = {
    "name": "No writing",
    "effect": "deny",
    "conditions": {"roles": ["member"], "permissions": ["event:write"]},
}


@pytest.fixture(autouse=True)
def people(tracer: Running) -> None:
    tracer.add_user("ben@example.com", "member")
    tracer.add_user("owner@example.com", "owner")


def ask(tracer: Running, path: str = "", method: str = "GET", body: Any = None) -> Any:
    return tracer.api(f"/api/0/organizations/{tracer.org.slug}/policies/{path}", method, json=body)


def test_policy_is_made_read_replaced_and_deleted(tracer: Running) -> None:
    assert ask(tracer).json() == []
    made = ask(tracer, "", "POST", NO_WRITING)
    assert made.status_code == 201
    policy = made.json()
    assert policy["isActive"] is True
    assert policy["conditions"] == NO_WRITING["conditions"]
    assert policy["sentence"] == "People and tokens with the role member may not use event:write."
    one = f"{policy['id']}/"
    assert ask(tracer, one).json() == policy
    assert ask(tracer).json() == [policy]
    body = {**NO_WRITING, "name": "Off", "isActive": False}
    changed = ask(tracer, one, "PUT", body)
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["isActive"]) == ("Off", False)
    assert ask(tracer, one, "DELETE").status_code == 204
    assert ask(tracer, one).status_code == 404


def test_those_that_deny_are_listed_and_asked_before_those_that_require(tracer: Running) -> None:
    must = {
        "name": "Factor",
        "effect": "require",
        "conditions": {"roles": ["member"], "permissions": ["event:write"]},
        "requirements": {"secondFactor": True},
    }
    ask(tracer, "", "POST", must)
    query = "explain/?actor=ben@example.com&permission=event:write"
    assert ask(tracer, query).json()["text"] == "The policy “Factor” asks for a second factor."
    assert ask(tracer, query + "&secondFactor=with").json()["allowed"] is True
    ask(tracer, "", "POST", NO_WRITING)
    assert [policy["name"] for policy in ask(tracer).json()] == ["No writing", "Factor"]
    found = ask(tracer, query + "&secondFactor=with").json()
    assert found["allowed"] is False
    assert (found["rule"], found["text"]) == (
        "policy",
        "The policy “No writing” does not allow this.",
    )
    assert [step["rule"] for step in found["steps"]] == ["role", "policy"]


def test_dry_run_of_making_changing_and_removing_stores_nothing(tracer: Running) -> None:
    result = ask(tracer, "dry-run/", "POST", {"policy": NO_WRITING}).json()
    assert (result["members"], result["membersChanged"]) == (2, 1)
    [change] = result["changes"]
    assert change["lost"] == ["event:admin", "event:write"]
    assert (change["role"], change["count"], change["example"]) == ("member", 1, "ben@example.com")
    assert ask(tracer).json() == []
    policy_id = int(ask(tracer, "", "POST", NO_WRITING).json()["id"])
    weaker = {**NO_WRITING, "conditions": {"roles": ["member"], "permissions": ["event:admin"]}}
    result = ask(tracer, "dry-run/", "POST", {"policy": weaker, "policyId": policy_id}).json()
    assert [(c["lost"], c["gained"]) for c in result["changes"]] == [([], ["event:write"])]
    result = ask(tracer, "dry-run/", "POST", {"policyId": policy_id}).json()
    assert result["changes"][0]["gained"] == ["event:admin", "event:write"]
    assert len(ask(tracer).json()) == 1


def test_dry_run_tells_of_tokens_too(tracer: Running) -> None:
    tracer.token("event:write", email="ben@example.com", role="member")
    result = ask(tracer, "dry-run/", "POST", {"policy": NO_WRITING}).json()
    by_kind = {change["kind"]: change for change in result["changes"]}
    assert result["tokensChanged"] == 1
    assert by_kind["token"]["lost"] == ["event:write"]


def test_dry_run_warns_of_a_lockout(tracer: Running) -> None:
    closed = {"name": "x", "effect": "deny", "conditions": {"roles": ["owner"]}}
    result = ask(tracer, "dry-run/", "POST", {"policy": closed}).json()
    assert result["lockout"] == "everyone"
    assert "lock everyone out" in result["message"]
    mine = {"name": "x", "effect": "deny", "conditions": {"actorKinds": ["token"]}}
    assert ask(tracer, "dry-run/", "POST", {"policy": mine}).json()["lockout"] == "editor"
    assert ask(tracer, "", "POST", mine).status_code == 409
    assert ask(tracer, "", "POST", {**mine, "acceptLockout": True}).status_code == 201
    assert ask(tracer).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({**NO_WRITING, "effect": "allow"}, 400),
        ({**NO_WRITING, "colour": "red"}, 400),
        ({**NO_WRITING, "conditions": {"roles": ["king"]}}, 400),
        ({**NO_WRITING, "conditions": {"hours": {"days": ["someday"]}}}, 400),
        ({**NO_WRITING, "name": "x" * 101}, 400),
        ({**NO_WRITING, "name": "x\u0000\n"}, 201),
    ],
)
def test_what_is_no_policy_is_refused(tracer: Running, body: Any, status: int) -> None:
    assert ask(tracer, "", "POST", body).status_code == status


def test_only_tokens_with_the_scope_and_only_of_owners(tracer: Running) -> None:
    path = f"/api/0/organizations/{tracer.org.slug}/policies/"
    for scopes, role, status in (
        (("org:admin",), "owner", 200),
        (("org:write",), "owner", 403),
        (("org:admin",), "manager", 403),
    ):
        token = tracer.token(*scopes, email=f"{role}@example.com", role=role)
        headers = {"Authorization": f"Bearer {token}"}
        assert tracer.visitor.get(path, headers=headers).status_code == status


def test_change_is_recorded_with_what_differs_and_who_did_it(tracer: Running) -> None:
    policy = ask(tracer, "", "POST", NO_WRITING).json()
    ask(tracer, f"{policy['id']}/", "PUT", {**NO_WRITING, "name": "No more writing"})
    row = tracer.meta.read().row(
        "SELECT actor_kind, actor, object, before, after FROM audit ORDER BY id DESC"
    )
    assert row == (
        "token",
        "owner@example.com",
        "No more writing",
        '{"name":"No writing"}',
        '{"name":"No more writing"}',
    )
