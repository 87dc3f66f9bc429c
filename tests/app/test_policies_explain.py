"""Why somebody may or may not do something, as the page tells it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from harness import Running
from tracer.accounts.tokens import keys

HOME = "/settings/policies/"


@pytest.fixture(autouse=True)
def people(tracer: Running) -> None:
    tracer.add_user("ben@example.com", "member")
    tracer.add_user("cara@example.com", "viewer")


def deny(tracer: Running, name: str, **conditions: Any) -> None:
    body = {"name": name, "effect": "deny", "conditions": conditions}
    path = f"/api/0/organizations/{tracer.org.slug}/policies/"
    assert tracer.api(path, "POST", json=body).status_code == 201


def text_of(answer: Any) -> str:
    """What can be read on a page, on one line."""
    bare = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)^.*?<main", "", answer.text))
    return " ".join(html.unescape(bare).split())


def ask(tracer: Running, **query: str) -> str:
    wanted = "&".join(f"{name}={value}" for name, value in query.items())
    return text_of(tracer.page(f"{HOME}explain?{wanted}"))


def test_explain_names_the_role_that_grants(tracer: Running) -> None:
    said = ask(tracer, actor="ben@example.com", permission="event:write")
    assert "ben@example.com may use event:write The role member grants event:write." in said


def test_explain_names_the_role_that_does_not_grant(tracer: Running) -> None:
    said = ask(tracer, actor="cara@example.com", permission="event:write")
    assert "cara@example.com may not use event:write" in said
    assert "The role viewer does not grant event:write." in said


def test_explain_names_the_policy_that_refuses(tracer: Running) -> None:
    deny(tracer, "No writing", permissions=["event:write"], projects=[tracer.project.slug])
    asked = {"actor": "ben@example.com", "permission": "event:write"}
    assert "may use event:write" in ask(tracer, **asked)
    said = ask(tracer, **asked, project=tracer.project.slug)
    assert "may not use event:write The policy “No writing” does not allow this." in said


def test_explain_agrees_with_the_door_about_a_token(tracer: Running) -> None:
    token = tracer.token("event:read", email="ben@example.com", role="member")
    number = tracer.meta.read().value("SELECT id FROM tokens")
    deny(tracer, "No tokens", actorKinds=["token"], roles=["member"])
    said = ask(tracer, actor=f"token:{number}", permission="event:read")
    assert "The policy “No tokens” does not allow this." in said
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    answer = tracer.visitor.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert "No tokens" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"actor": "nobody@example.com"}, "There is no such member or token."),
        ({"actor": "token:99"}, "There is no such member or token."),
        ({"actor": "ben@example.com", "permission": "x"}, "There is no permission called x."),
        ({"actor": "ben@example.com", "project": "x"}, "There is no project called x."),
        ({"actor": "ben@example.com", "environment": "x"}, "Name the project"),
        ({"actor": "ben@example.com", "address": "x"}, "is no address or range"),
    ],
)
def test_question_that_makes_no_sense_is_answered_with_the_reason(
    tracer: Running, query: dict[str, str], why: str
) -> None:
    assert why in ask(tracer, **query)


def test_token_whose_signing_key_is_retired_may_nothing(tracer: Running) -> None:
    tracer.token("event:read", email="ben@example.com", role="member")
    number = tracer.meta.read().value("SELECT id FROM tokens")
    asked = {"actor": f"token:{number}", "permission": "event:read"}
    draft = {"name": "No tokens", "effect": "deny", "actor_kind": "token"}
    assert "test (token 1) may use event:read" in ask(tracer, **asked)
    assert "1 of 1 token " in text_of(tracer.post(HOME + "dry-run", draft))
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, overlap_ms=0)
    said = ask(tracer, **asked)
    assert "may not use event:read" in said
    assert "The key that signed it is no longer accepted." in said
    assert "and 0 tokens there are" in text_of(tracer.post(HOME + "dry-run", draft))
