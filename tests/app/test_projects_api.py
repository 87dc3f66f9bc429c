from __future__ import annotations

import re
from typing import Any

import pytest

from harness import Running
from tracer.accounts.actions import create_organization
from tracer.projects.actions import create_project


@pytest.fixture
def root(tracer: Running) -> str:
    return f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/"


@pytest.fixture
def listing(tracer: Running) -> str:
    return f"/api/0/organizations/{tracer.org.slug}/projects/"


def next_cursor(answer: Any, rel: str = "next") -> str:
    found = re.search(f'rel="{rel}"; results="true"; cursor="([^"]+)"', answer.headers["link"])
    return found[1] if found else ""


def test_projects_are_shaped_as_sentry_shapes_them(tracer: Running, listing: str) -> None:
    [project] = tracer.api(listing).json()
    assert project["id"] == str(tracer.project.id)
    assert project["slug"] == tracer.project.slug
    assert project["team"] is None
    assert project["teams"] == []
    assert project["status"] == "active"
    assert project["firstEvent"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", project["dateCreated"])
    assert project["organization"] == {"id": str(tracer.org.id), "slug": tracer.org.slug}
    assert tracer.api("/api/0/projects/").json() == [project]


def test_projects_are_paged_by_the_link_header(tracer: Running, listing: str) -> None:
    for number in range(120):
        tracer.add_project(f"shop-{number:03}")
    first = tracer.api(listing + "?cursor=")
    assert len(first.json()) == 100
    assert 'rel="previous"; results="false"' in first.headers["link"]
    second = tracer.api(f"{listing}?cursor={next_cursor(first)}")
    assert len(second.json()) == 21
    assert next_cursor(second) == ""
    back = tracer.api(f"{listing}?cursor={next_cursor(second, 'previous')}")
    assert back.json() == first.json()
    assert next_cursor(back, "previous") == ""
    assert next_cursor(back) == next_cursor(first)
    slugs = [p["slug"] for p in first.json() + second.json()]
    assert len(set(slugs)) == 121
    found = tracer.api(listing + "?query=shop-11").json()
    assert [p["slug"] for p in found] == [f"shop-11{n}" for n in range(10)]


@pytest.mark.parametrize("cursor", ["0:100:0", "x", "é", "W10", "x" * 5000, "%00"])
def test_cursor_that_is_none_is_refused(tracer: Running, listing: str, cursor: str) -> None:
    answer = tracer.api(f"{listing}?cursor={cursor}")
    assert answer.status_code == 400
    assert "cursor" in answer.json()["detail"]


def test_project_is_created_with_a_key(tracer: Running, listing: str) -> None:
    answer = tracer.api(listing, "POST", json={"name": "New shop", "platform": "node-express"})
    assert answer.status_code == 201
    assert (answer.json()["slug"], answer.json()["platform"]) == ("new-shop", "node-express")
    keys = tracer.api(f"/api/0/projects/{tracer.org.slug}/new-shop/keys/").json()
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "A", "slug": "taken"}, 409),
        ({"name": "A", "slug": "Bad Slug"}, 400),
        ({"name": "A", "slug": "42"}, 400),
        ({"name": ""}, 400),
        ({"name": "   "}, 400),
        ({"name": "x" * 101}, 400),
        ({"name": 7}, 400),
        ({"name": "A", "platform": "../x"}, 400),
        ({}, 400),
        ([], 400),
        (None, 400),
    ],
)
def test_bad_project_is_refused(tracer: Running, listing: str, body: Any, status: int) -> None:
    tracer.add_project("taken")
    answer = tracer.api(listing, "POST", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert tracer.meta.read().value("SELECT count(*) FROM projects") == 2


def test_project_is_found_by_slug_and_id(tracer: Running, root: str) -> None:
    by_slug = tracer.api(root).json()
    path = f"/api/0/projects/{tracer.org.id}/{tracer.project.id}/"
    assert tracer.api(path).json() == by_slug
    assert by_slug["allowedDomains"] == ["*"]
    assert by_slug["dataScrubberDefaults"] is True
    for wrong in ("nonsense", "99", "9" * 40):
        assert tracer.api(f"/api/0/projects/{tracer.org.slug}/{wrong}/").status_code == 404


def test_only_what_is_sent_is_updated(tracer: Running, root: str) -> None:
    body = {"sensitiveFields": ["iban"], "scrubIPAddresses": True}
    answer = tracer.api(root, "PUT", json=body)
    assert answer.status_code == 200
    changed = answer.json()
    assert changed["sensitiveFields"] == ["iban"]
    assert changed["scrubIPAddresses"] is True
    assert changed["name"] == tracer.project.name
    assert changed["dataScrubberDefaults"] is True
    renamed = tracer.api(root, "PUT", json={"slug": "shop", "platform": None}).json()
    assert (renamed["slug"], renamed["platform"]) == ("shop", "other")
    assert renamed["sensitiveFields"] == ["iban"]
    assert tracer.api(root).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"slug": "taken"}, 409),
        ({"slug": "No"}, 400),
        ({"allowedDomains": ["a b"]}, 400),
        ({"sensitiveFields": ["x"] * 201}, 400),
        ({"sensitiveFields": "iban"}, 400),
        ({"name": None}, 400),
    ],
)
def test_bad_update_is_refused(tracer: Running, root: str, body: Any, status: int) -> None:
    tracer.add_project("taken")
    before = tracer.api(root).json()
    assert tracer.api(root, "PUT", json=body).status_code == status
    assert tracer.api(root).json() == before


def test_project_is_deleted(tracer: Running, root: str) -> None:
    answer = tracer.api(root, "DELETE")
    assert answer.status_code == 204
    assert answer.content == b""
    assert tracer.api(root).status_code == 404
    assert tracer.api("/api/0/projects/").json() == []


@pytest.mark.parametrize(
    ("method", "suffix", "scope", "status"),
    [
        ("GET", "", "project:read", 200),
        ("GET", "", "event:read", 403),
        ("GET", "keys/", "event:read", 403),
        ("PUT", "", "project:read", 403),
        ("PUT", "", "project:write", 200),
        ("DELETE", "", "project:write", 403),
        ("DELETE", "", "project:admin", 204),
        ("POST", "keys/", "project:read", 403),
        ("POST", "keys/", "project:write", 201),
    ],
)
def test_scope_decides_what_a_token_may_do(
    tracer: Running, root: str, method: str, suffix: str, scope: str, status: int
) -> None:
    body = None if method in ("GET", "DELETE") else {}
    answer = tracer.api(root + suffix, method, json=body, scopes=(scope,))
    assert answer.status_code == status


def test_other_organization_is_out_of_reach(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        organization_id = create_organization(tx, "other", "Other")
        project = create_project(tx, organization_id, "secret-plans", "Secret plans")
    for path in (
        "/api/0/organizations/other/projects/",
        "/api/0/projects/other/secret-plans/",
        f"/api/0/projects/other/{project.id}/",
        f"/api/0/projects/{tracer.org.slug}/secret-plans/",
        f"/api/0/projects/{tracer.org.slug}/{project.id}/",
        "/api/0/projects/other/secret-plans/keys/",
    ):
        assert tracer.api(path).status_code == 404, path
    assert len(tracer.api("/api/0/projects/").json()) == 1


def test_keys_are_shaped_as_sentry_shapes_them(tracer: Running, root: str) -> None:
    [key] = tracer.api(root + "keys/").json()
    assert key["id"] == key["public"] == tracer.key
    assert key["projectId"] == tracer.project.id
    assert key["isActive"] is True
    assert key["dsn"] == {"public": f"http://{tracer.key}@testserver/{tracer.project.id}"}
    assert tracer.api(f"{root}keys/{tracer.key}/").json() == key


def test_key_is_created_changed_rotated_and_deleted(tracer: Running, root: str) -> None:
    made = tracer.api(root + "keys/", "POST", json={"name": "CI"}).json()
    path = f"{root}keys/{made['id']}/"
    assert made["name"] == made["label"] == "CI"
    changed = tracer.api(path, "PUT", json={"isActive": False}).json()
    assert (changed["isActive"], changed["name"]) == (False, "CI")
    assert tracer.tracer.keys.find(made["id"]).is_active is False
    assert tracer.api(path + "rotate/", "POST", json={}).status_code == 400
    assert tracer.api(path, "PUT", json={"isActive": True, "name": "Build"}).json()["isActive"]
    new = tracer.api(path + "rotate/", "POST", json={"overlap": "1h"})
    assert new.status_code == 201
    assert new.json()["name"] == "Build"
    assert tracer.api(path).json()["dateExpires"] is not None
    assert tracer.api(path, "DELETE").status_code == 204
    assert tracer.api(path).status_code == 404
    assert tracer.tracer.keys.find(made["id"]) is None


def test_key_of_another_project_is_not_found(tracer: Running, root: str) -> None:
    other = tracer.key_of(tracer.add_project("shop"))
    for method in ("GET", "DELETE"):
        assert tracer.api(f"{root}keys/{other}/", method).status_code == 404
    assert tracer.api(f"{root}keys/{other}/", "PUT", json={}).status_code == 404


@pytest.mark.parametrize("body", [{"overlap": "9y"}, {"overlap": 1}, None, "x"])
def test_bad_rotation_is_refused(tracer: Running, root: str, body: Any) -> None:
    answer = tracer.api(f"{root}keys/{tracer.key}/rotate/", "POST", json=body)
    assert answer.status_code == 400
    assert len(tracer.api(root + "keys/").json()) == 1


def test_cookie_needs_the_csrf_header_in_the_api(tracer: Running, listing: str) -> None:
    browser = tracer.login()
    assert browser.get(listing).status_code == 200
    assert browser.post(listing, json={"name": "Forged"}).status_code == 403
    headers = {"X-CSRF-Token": tracer.csrf(browser)}
    assert browser.post(listing, json={"name": "Mine"}, headers=headers).status_code == 201
