from __future__ import annotations

import pytest

from harness import Running

EMAIL = "owner@example.com"


def test_name_and_theme_are_saved(tracer: Running) -> None:
    answer = tracer.post("/account/", {"name": " Ada  Lovelace ", "theme": "dark"})
    assert answer.status_code == 303
    page = tracer.page("/account/").text
    assert 'value="Ada Lovelace"' in page
    assert 'data-theme="dark"' in page
    assert "Saved." in page


def test_theme_buttons_lead_back_to_the_page(tracer: Running) -> None:
    answer = tracer.post("/account/theme", {"theme": "light", "next": "/members/"})
    assert answer.headers["location"] == "/members/"
    assert 'data-theme="light"' in tracer.page("/members/").text
    away = tracer.post("/account/theme", {"theme": "light", "next": "//evil.example"})
    assert away.headers["location"] == "/"
    assert tracer.post("/account/theme", {"theme": "pink"}).status_code == 400


def test_members_are_listed_with_role_and_last_login(tracer: Running) -> None:
    tracer.add_user("bob@example.com", "viewer")
    page = tracer.page("/members/").text
    assert "bob@example.com" in page
    assert "viewer" in page
    assert "never" in page
    assert "2 members" in page


def test_name_of_a_member_is_text_not_markup(tracer: Running) -> None:
    tracer.post("/account/", {"name": "<script>alert(1)</script>", "theme": "dark"})
    page = tracer.page("/members/").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_revoked_token_is_refused(tracer: Running) -> None:
    plain = tracer.token("project:read")
    headers = {"Authorization": f"Bearer {plain}"}
    assert tracer.visitor.get("/api/0/projects/", headers=headers).status_code == 200
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    assert tracer.post(f"/account/tokens/{token_id}/revoke").status_code == 303
    assert tracer.visitor.get("/api/0/projects/", headers=headers).status_code == 401
    assert tracer.post(f"/account/tokens/{token_id}/revoke").status_code == 404


def test_nobody_can_revoke_the_token_of_another_user(tracer: Running) -> None:
    tracer.token("project:read", email="bob@example.com", role="member")
    token_id = tracer.meta.read().value("SELECT id FROM tokens")
    assert tracer.post(f"/account/tokens/{token_id}/revoke").status_code == 404
    assert tracer.meta.read().value("SELECT count(*) FROM tokens") == 1


def test_token_never_does_more_than_the_role(tracer: Running) -> None:
    viewer = tracer.login("eve@example.com", "viewer")
    assert "project:write" not in viewer.get("/account/tokens/new").text
    only_refused = tracer.post("/account/tokens/", {"scope": ["project:write"]}, browser=viewer)
    assert only_refused.status_code == 422
    plain = tracer.token("project:write", email="eve@example.com", role="viewer")
    headers = {"Authorization": f"Bearer {plain}"}
    body = {"name": "Mine"}
    answer = tracer.visitor.post(
        f"/api/0/organizations/{tracer.org.slug}/projects/", json=body, headers=headers
    )
    assert answer.status_code == 403


def test_token_loses_what_its_owner_loses(tracer: Running) -> None:
    plain = tracer.token("project:write", email="bob@example.com", role="admin")
    headers = {"Authorization": f"Bearer {plain}"}
    path = f"/api/0/organizations/{tracer.org.slug}/projects/"
    assert tracer.visitor.post(path, json={"name": "One"}, headers=headers).status_code == 201
    tracer.add_user("bob@example.com", "viewer")
    assert tracer.visitor.post(path, json={"name": "Two"}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/account/"), ("GET", "/account/tokens/"), ("POST", "/account/tokens/")],
)
def test_token_cannot_change_the_account_that_made_it(
    tracer: Running, method: str, path: str
) -> None:
    headers = {"Authorization": f"Bearer {tracer.token()}"}
    answer = tracer.visitor.request(method, path, data={"scope": "org:admin"}, headers=headers)
    assert answer.status_code == 403
    assert tracer.meta.read().value("SELECT count(*) FROM tokens") == 1


def test_last_use_of_a_token_is_shown(tracer: Running) -> None:
    tracer.api("/api/0/projects/", scopes=("project:read",))
    tracer.app.guard.flush(tracer.meta)
    assert tracer.meta.read().value("SELECT used_at FROM tokens") is not None
    assert "<time" in tracer.page("/account/tokens/").text
