"""Access tokens on the pages, in the API and in the lists."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from harness import Running
from tracer import clock
from tracer.accounts.tokens import keys
from tracer.accounts.tokens.model import DAY_MS

PATH = "/api/0/projects/"
JWT = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"


def status(tracer: Running, text: str, path: str = PATH) -> int:
    headers = {"Authorization": f"Bearer {text}"}
    return int(tracer.visitor.get(path, headers=headers).status_code)


@pytest.fixture
def later() -> Any:
    """Moves the clock on, until the end of the test."""
    yield lambda seconds: clock.set_clock(lambda: time.time() + seconds)
    clock.set_clock(None)


def test_token_is_shown_once(tracer: Running) -> None:
    fields = {"name": "deploy", "scope": ["event:read", "project:read"], "lifetime": "30d"}
    answer = tracer.post("/account/tokens/", fields)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(JWT, answer.text)
    assert found
    page = tracer.page("/account/tokens/").text
    assert not re.search(JWT, page)
    assert "deploy" in page
    assert status(tracer, found[0]) == 200
    entries = tracer.meta.read().rows("SELECT action, object, after FROM audit ORDER BY id")
    assert "token.create" in [entry[0] for entry in entries]
    assert not any(found[0] in str(entry) for entry in entries)


@pytest.mark.parametrize("root", ["/account/tokens/", "/settings/tokens/"])
def test_pages_make_rotate_and_revoke(tracer: Running, root: str) -> None:
    assert tracer.page(root + "new").status_code == 200
    wrong = tracer.post(root, {"name": "x"})
    assert wrong.status_code == 422
    assert "Choose at least one scope." in wrong.text
    fields = {"name": "ci", "scope": "project:read", "project": str(tracer.project.id)}
    first = re.search(JWT, tracer.post(root, fields).text)
    assert first
    token_id = tracer.meta.read().value("SELECT max(id) FROM tokens")
    second = re.search(JWT, tracer.post(f"{root}{token_id}/rotate", {"overlap": "1d"}).text)
    assert second
    assert (status(tracer, first[0]), status(tracer, second[0])) == (200, 200)
    assert tracer.post(f"{root}{token_id}/revoke").status_code == 303
    assert (status(tracer, first[0]), status(tracer, second[0])) == (401, 200)
    assert tracer.post(f"{root}{token_id}/revoke").status_code == 404


def test_pages_offer_and_take_only_what_the_actor_may_do(tracer: Running) -> None:
    viewer = tracer.login("eve@example.com", "viewer")
    assert "project:write" not in viewer.get("/account/tokens/new").text
    refused = tracer.post("/account/tokens/", {"scope": ["project:write"]}, browser=viewer)
    assert refused.status_code == 422
    assert tracer.page("/settings/tokens/", browser=viewer).status_code == 403
    assert tracer.meta.read().value("SELECT count(*) FROM tokens") == 0


def test_making_a_token_asks_for_the_password_again(tracer: Running, later: Any) -> None:
    tracer.page("/account/tokens/")
    later(16 * 60)
    for path in ("/account/tokens/new", "/settings/tokens/new"):
        assert tracer.page(path).headers["location"].startswith("/account/confirm/")
    answer = tracer.post("/account/tokens/", {"scope": "project:read"})
    assert answer.headers["location"].startswith("/account/confirm/")
    assert tracer.meta.read().value("SELECT count(*) FROM tokens") == 0


def by_login(tracer: Running, method: str, path: str, body: Any = None) -> Any:
    browser = tracer.login()
    headers = {"X-CSRF-Token": tracer.csrf(browser)}
    return browser.request(method, path, json=body, headers=headers)


def test_api_makes_lists_rotates_and_revokes(tracer: Running) -> None:
    organization = f"/api/0/organizations/{tracer.org.slug}/org-auth-tokens/"
    for root in ("/api/0/api-tokens/", organization):
        body = {"name": "ci", "scopes": ["project:read"], "projects": [tracer.project.id]}
        made = by_login(tracer, "POST", root, body)
        assert made.status_code == 201, made.text
        assert status(tracer, made.json()["token"]) == 200
        listed = by_login(tracer, "GET", root).json()
        assert [entry["name"] for entry in listed] == ["ci"]
        assert "token" not in listed[0]
        one = f"{root}{made.json()['id']}/"
        rotated = by_login(tracer, "POST", one + "rotate/", {"overlap": "0"})
        assert rotated.status_code == 201
        assert status(tracer, made.json()["token"]) == 401
        last = f"{root}{rotated.json()['id']}/"
        assert by_login(tracer, "DELETE", last).status_code == 204
        assert status(tracer, rotated.json()["token"]) == 401
        assert by_login(tracer, "DELETE", last).status_code == 404


def test_api_refuses_tokens_and_foreign_projects(tracer: Running) -> None:
    organization = f"/api/0/organizations/{tracer.org.slug}/org-auth-tokens/"
    for root in ("/api/0/api-tokens/", organization):
        assert tracer.api(root).status_code == 403
        assert tracer.api(root, "POST", json={"scopes": ["org:read"]}).status_code == 403
        body = {"scopes": ["project:read"], "projects": [999]}
        assert by_login(tracer, "POST", root, body).status_code == 400
        assert by_login(tracer, "POST", root, {"scopes": ["x"]}).status_code == 400


def test_last_use_and_address_are_listed(tracer: Running) -> None:
    tracer.api(PATH)
    tracer.app.guard.flush(tracer.meta)
    row = tracer.meta.read().row("SELECT used_at, used_address FROM tokens")
    assert row[0] is not None
    assert row[1] in tracer.page("/account/tokens/").text


def create(tracer: Running, root: str = "/account/tokens/", **fields: Any) -> str:
    found = re.search(JWT, tracer.post(root, {"scope": "project:read", **fields}).text)
    assert found
    return found[0]


def test_list_says_which_projects_and_until_when(tracer: Running, later: Any) -> None:
    create(tracer, name="narrow", project=str(tracer.project.id), lifetime="30d")
    page = tracer.page("/account/tokens/").text
    assert f"Only {tracer.project.slug}" in page
    assert "never used" in page
    later(31 * 86_400)
    browser = tracer.login()
    page = tracer.page("/account/tokens/", browser=browser).text
    assert "ended" in page
    assert "Remove" in page
    assert "Rotate narrow" not in page
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    refused = tracer.post(f"/account/tokens/{token_id}/rotate", {"overlap": "1d"}, browser=browser)
    assert refused.status_code == 409
    assert tracer.post(f"/account/tokens/{token_id}/revoke", browser=browser).status_code == 303
    assert "narrow" not in tracer.page("/account/tokens/", browser=browser).text


def test_list_points_out_tokens_that_their_signing_key_will_end(tracer: Running) -> None:
    create(tracer, name="old", lifetime="never")
    assert "no expiry" in tracer.page("/account/tokens/").text
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, 7 * DAY_MS)
    page = tracer.page("/account/tokens/").text
    assert "rotate before" in page
    assert "no expiry" not in page
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    rotated = tracer.post(f"/account/tokens/{token_id}/rotate", {"overlap": "1h"})
    assert "rotate before" not in rotated.text
    assert "replaced, works until" in rotated.text


def test_project_that_is_not_there_cannot_be_ticked(tracer: Running) -> None:
    answer = tracer.post("/account/tokens/", {"scope": "project:read", "project": "999"})
    assert answer.status_code == 422
    assert "There is no such project." in answer.text
    assert tracer.meta.read().value("SELECT count(*) FROM tokens") == 0


def test_tokens_of_others_are_neither_seen_nor_touched(tracer: Running) -> None:
    create(tracer, name="mine")
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    manager = tracer.login("ann@example.com", "manager")
    assert "mine" not in tracer.page("/account/tokens/", browser=manager).text
    assert "mine" not in tracer.page("/settings/tokens/", browser=manager).text
    for root in ("/account/tokens/", "/settings/tokens/"):
        for verb in ("revoke", "rotate"):
            answer = tracer.post(f"{root}{token_id}/{verb}", {"overlap": "0"}, browser=manager)
            assert answer.status_code == 404
    assert tracer.meta.read().value("SELECT revoked_at FROM tokens") is None


def test_every_change_of_a_token_is_recorded_and_its_text_never(tracer: Running) -> None:
    text = create(tracer, "/settings/tokens/", name="ci")
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    again = re.search(
        JWT, tracer.post(f"/settings/tokens/{token_id}/rotate", {"overlap": "1h"}).text
    )
    assert again
    tracer.post(f"/settings/tokens/{token_id}/revoke")
    rows = tracer.meta.read().rows("SELECT * FROM audit WHERE object_type = 'token' ORDER BY id")
    assert [row[10] for row in rows] == [
        "token.create",
        "token.create",
        "token.rotate",
        "token.revoke",
    ]
    for secret in (text, again[0], text.rsplit(".", 1)[1]):
        assert not any(secret in str(row) for row in rows)


def test_where_projects_are_too_many_to_tick_they_are_named(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.many(
            "INSERT INTO projects (organization_id, slug, name, created_at) VALUES (?, ?, ?, 1)",
            [(tracer.org.id, f"many-{number}", f"Many {number}") for number in range(201)],
        )
    page = tracer.page("/account/tokens/new").text
    assert 'name="project"' not in page
    assert 'name="projects"' in page
    fields = {"name": "few", "scope": ["project:read"]}
    wrong = tracer.post("/account/tokens/", {**fields, "projects": "many-7 unknown-one"})
    assert wrong.status_code == 422
    assert "There is no such project." in wrong.text
    assert "many-7 unknown-one" in wrong.text
    made = re.search(JWT, tracer.post("/account/tokens/", {**fields, "projects": "many-7"}).text)
    assert made
    bearer = {"Authorization": f"Bearer {made[0]}"}
    assert [one["slug"] for one in tracer.visitor.get(PATH, headers=bearer).json()] == ["many-7"]
