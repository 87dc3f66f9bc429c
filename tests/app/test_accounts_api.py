from __future__ import annotations

from harness import Running


def test_root_tells_who_asks(tracer: Running) -> None:
    answer = tracer.api("/api/0/", scopes=("project:read", "event:read"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["version"] == "0"
    assert body["auth"] == {"scopes": ["event:read", "project:read"]}
    assert body["user"]["email"] == "owner@example.com"
    assert body["user"]["id"].isdigit()


def test_root_is_open_and_then_knows_nobody(tracer: Running) -> None:
    answer = tracer.visitor.get("/api/0/")
    assert answer.status_code == 200
    assert answer.json() == {"version": "0", "auth": None, "user": None}


def test_wrong_token_is_refused_in_json(tracer: Running) -> None:
    headers = {"Authorization": "Bearer sntryu_" + "0" * 64}
    for path in ("/api/0/", "/api/0/organizations/"):
        answer = tracer.visitor.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Invalid token"}


def test_organizations_have_what_sentry_cli_requires(tracer: Running) -> None:
    answer = tracer.api("/api/0/organizations/?cursor=")
    [organization] = answer.json()
    assert organization["id"] == str(tracer.org.id)
    assert organization["slug"] == tracer.org.slug
    assert organization["dateCreated"].endswith("Z")
    for name in ("isEarlyAdopter", "require2FA", "requireEmailVerification"):
        assert organization[name] is False
    assert organization["features"] == []
    assert 'rel="next"; results="false"' in answer.headers["link"]


def test_organization_is_found_by_slug_and_id(tracer: Running) -> None:
    by_slug = tracer.api(f"/api/0/organizations/{tracer.org.slug}/").json()
    assert by_slug == tracer.api(f"/api/0/organizations/{tracer.org.id}/").json()
    assert by_slug["role"] == "owner"
    assert "org:admin" in by_slug["access"]


def test_other_organization_is_not_found(tracer: Running) -> None:
    from tracer.accounts.actions import create_organization

    with tracer.meta.write() as tx:
        other = create_organization(tx, "other", "Other")
    for name in ("other", str(other), "nonsense"):
        answer = tracer.api(f"/api/0/organizations/{name}/")
        assert answer.status_code == 404, name


def test_missing_scope_is_forbidden(tracer: Running) -> None:
    assert tracer.api("/api/0/organizations/", scopes=("event:read",)).status_code == 403
    path = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.api(path, scopes=("event:read",)).status_code == 403
    assert tracer.visitor.get(path).status_code == 401
