"""A policy that hides an environment: nothing of its events is told at any door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness import Running, running
from issue_samples import failure
from tracer.app import build
from tracer.kit.csrf import SAFE_METHODS
from tracer.settings import Settings

POLICIES = "/api/0/organizations/{}/policies/"
#: In every field of a hidden event; in none of the others.
MARK = "zqhidden"
TABLE = build(Settings()).table
#: Addresses with one of these are about events.
ABOUT_EVENTS = ("issue", "event", "feedback", "attachment", "live", "search", "stats", "tags")


class Shop(NamedTuple):
    """An application with a viewer of whom the environment `zqhidden` is hidden. `only` is an
    issue all of whose events are; `both` has one besides that is not."""

    app: Running
    viewer: Any
    token: str
    only: int
    both: int
    hidden_event: str
    seen_event: str
    attachment: int


def hidden(type_: str, **fields: Any) -> dict[str, Any]:
    return failure(
        type_,
        f"{MARK} value",
        environment=MARK,
        release=f"{MARK}@1",
        server_name=f"{MARK}-host",
        transaction=f"/{MARK}",
        logger=MARK,
        user={"id": MARK, "email": f"{MARK}@example.com", "ip_address": "192.0.2.3"},
        tags={"shelf": MARK, MARK: "1"},
        extra={"note": MARK},
        contexts={MARK: {"type": MARK, "note": MARK}},
        breadcrumbs={"values": [{"message": MARK, "timestamp": 1}]},
        request={"url": f"http://{MARK}.example/", "data": MARK},
        **fields,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running(tmp_path_factory.mktemp("hidden") / "data") as app:
        yield _fill(app)


def _fill(app: Running) -> Shop:
    headers = {"type": "attachment", "filename": f"{MARK}.txt", "content_type": "text/plain"}
    app.send(hidden(f"{MARK}Error"))
    seen = app.send(failure("SharedError", "plain", release="shop@2"))
    event_id = app.send(hidden("SharedError"), items=[(headers, MARK.encode())])
    report = {"event_id": event_id, "name": MARK, "email": "a@b.example", "comments": MARK}
    app.send(items=[({"type": "user_report"}, report)])
    reader = app.meta.read()
    ids = dict(reader.rows("SELECT type, id FROM issues"))
    attachment = reader.value("SELECT id FROM attachments")
    viewer = app.login("viewer@example.com", "viewer")
    token = app.token("event:read", "project:read", email="viewer@example.com", role="viewer")
    body = {
        "name": "Hidden",
        "effect": "deny",
        "conditions": {"roles": ["viewer", "member"], "environments": [MARK]},
    }
    made = app.api(POLICIES.format(app.org.slug), "POST", json=body)
    assert made.status_code == 201, made.text
    return Shop(
        app, viewer, token, ids[f"{MARK}Error"], ids["SharedError"], event_id, seen, attachment
    )


def ask(shop: Shop, path: str, *, token: bool) -> Any:
    if token:
        return shop.app.visitor.get(path, headers={"Authorization": f"Bearer {shop.token}"})
    return shop.viewer.get(path)


def targets(shop: Shop) -> list[str]:
    """Every address that may tell of events, for both issues and both events."""
    found: set[str] = set()
    for route in TABLE.routes:
        if route.method not in SAFE_METHODS or route.path == "/live/":
            continue
        if not any(word in route.path for word in ABOUT_EVENTS) and "project" not in route.path:
            continue
        for issue_id in (shop.only, shop.both):
            for event_id in (shop.hidden_event, shop.seen_event, "latest", "oldest"):
                found.add(_filled(route.path, shop, issue_id, event_id))
    return sorted(found)


def _filled(path: str, shop: Shop, issue_id: int, event_id: str) -> str:
    values = {
        "issue_id": issue_id,
        "event_id": event_id,
        "attachment_id": shop.attachment,
        "organization_slug": shop.app.org.slug,
        "project_slug": shop.app.project.slug,
        "slug": shop.app.project.slug,
        "key": "shelf",
        "platform_id": "python",
        "user_id": 1,
        "member_id": 1,
        "feedback_id": 1,
        "comment_id": 1,
    }
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: str(values.get(m[1], 1)), path)


@pytest.mark.parametrize("token", [False, True], ids=["login", "token"])
def test_no_address_tells_of_hidden_events(shop: Shop, token: bool) -> None:
    asked = targets(shop)
    assert len(asked) > 40
    told = []
    for path in asked:
        answer = ask(shop, path, token=token)
        assert answer.status_code < 500, path
        if MARK in answer.text.replace(path, ""):
            told.append(path)
    assert told == []


def test_owner_is_told_of_them_at_the_same_addresses(shop: Shop) -> None:
    """Otherwise the test above would find nothing whatever it asked."""
    pages = (
        "/issues/",
        f"/issues/{shop.only}/",
        f"/issues/{shop.both}/",
        f"/issues/{shop.both}/events/{shop.hidden_event}/json",
        f"/issues/{shop.only}/markdown",
        "/feedback/",
        f"/feedback/of-issue/{shop.both}/",
        f"/attachments/{shop.attachment}",
    )
    for path in pages:
        answer = shop.app.page(path)
        assert answer.status_code == 200, path
        assert MARK in answer.text, path


@pytest.mark.parametrize("token", [False, True], ids=["login", "token"])
def test_what_is_hidden_is_answered_as_what_is_not_there(shop: Shop, token: bool) -> None:
    organization, project = shop.app.org.slug, shop.app.project.slug
    paths = (
        [
            f"/api/0/issues/{shop.only}/",
            f"/api/0/issues/{shop.only}/events/",
            f"/api/0/issues/{shop.both}/events/{shop.hidden_event}/",
            f"/api/0/projects/{organization}/{project}/events/{shop.hidden_event}/",
            f"/api/0/projects/{organization}/{project}/events/{shop.hidden_event}/json/",
        ]
        if token
        else [
            f"/issues/{shop.only}/",
            f"/issues/{shop.both}/events/{shop.hidden_event}/",
            f"/issues/{shop.both}/events/{shop.hidden_event}/json",
            f"/attachments/{shop.attachment}",
        ]
    )
    for path in paths:
        missing = re.sub(r"[0-9a-f]{32}", "f" * 32, path)
        if missing == path:
            missing = path.replace(str(shop.only), "99999").replace(f"/{shop.attachment}", "/99999")
        answer, never = ask(shop, path, token=token), ask(shop, missing, token=token)
        assert answer.status_code == never.status_code == 404, path
        assert len(answer.content) == len(never.content), path


@pytest.mark.parametrize(
    "query",
    [
        f"environment:{MARK}",
        f"release:{MARK}@1",
        f"shelf:{MARK}",
        f"{MARK}:1",
        f"transaction:/{MARK}",
        f"user:id:{MARK}",
        f"{MARK} value",
        f"environment:{MARK} OR shelf:{MARK}",
        f"level:debug OR (is:unresolved {MARK})",
        f'"{MARK}"',
        f"{MARK}Error",
        f"title:*{MARK}*",
        f"server_name:{MARK}-host",
    ],
)
def test_search_finds_nothing_by_what_is_hidden(shop: Shop, query: str) -> None:
    """Whoever may see it finds it by the same words."""
    path = f"/api/0/organizations/{shop.app.org.slug}/issues/"
    headers = {"Authorization": f"Bearer {shop.token}"}
    found = shop.app.visitor.get(path, params={"query": query}, headers=headers)
    assert found.status_code in (200, 400), found.text
    if found.status_code == 200:
        assert found.json() == []
    seen = shop.app.api(path + "?query=" + query.replace(" ", "+"))
    assert seen.status_code == 200, seen.text
    assert seen.json() != [], "the owner finds it"


def test_environment_is_not_offered_and_chosen_finds_nothing(shop: Shop) -> None:
    assert MARK not in shop.viewer.get("/issues/").text
    chosen = shop.viewer.get("/issues/", params={"environment": MARK})
    assert chosen.status_code == 200
    assert "SharedError" not in chosen.text
    assert "SharedError" in shop.app.page(f"/issues/?environment={MARK}").text
    path = f"/api/0/organizations/{shop.app.org.slug}/issues/?environment={MARK}&environment=moon"
    assert ask(shop, path, token=True).json() == []
    assert len(shop.app.api(path).json()) == 2


def test_issue_of_both_is_told_by_the_events_that_may_be_seen(shop: Shop) -> None:
    issue = ask(shop, f"/api/0/issues/{shop.both}/", token=True).json()
    assert issue["title"] == "SharedError: plain"
    events = ask(shop, f"/api/0/issues/{shop.both}/events/", token=True).json()
    assert [event["eventID"] for event in events] == [shop.seen_event]


def test_nobody_changes_an_issue_that_is_hidden_from_them(shop: Shop) -> None:
    """As whole objects, in bulk by id, and in bulk by a search that the owner's would find."""
    member = shop.app.login("member@example.com", "member")
    token = shop.app.token("event:admin", email="member@example.com", role="member")
    headers = {"Authorization": f"Bearer {token}"}
    for action in ("resolve", "archive", "assign", "comment", "delete"):
        answer = shop.app.post(f"/issues/{shop.only}/{action}", {"text": "x"}, browser=member)
        assert answer.status_code == 404, action
    for action in ("resolve", "archive", "delete"):
        fields = {"id": str(shop.only), "action": action}
        assert shop.app.post("/issues/bulk", fields, browser=member).status_code < 500
    lists = f"/api/0/organizations/{shop.app.org.slug}/issues/"
    for path in (f"/api/0/issues/{shop.only}/", f"{lists}?id={shop.only}"):
        for method in ("PUT", "DELETE"):
            body = {"status": "resolved"} if method == "PUT" else None
            answer = shop.app.visitor.request(method, path, json=body, headers=headers)
            assert answer.status_code < 500
    query = {"query": f"title:*{MARK}*"}
    body = {"status": "resolved"}
    shop.app.visitor.put(lists, params=query, json=body, headers=headers)
    row = shop.app.meta.read().row(
        "SELECT status, (SELECT count(*) FROM issue_activity a WHERE a.issue_id = i.id"
        " AND a.user_id IS NOT NULL) FROM issues i WHERE id = :id",
        id=shop.only,
    )
    assert row == (0, 0)


def test_hidden_in_one_project_only(tmp_path: Path) -> None:
    with running(tmp_path / "data") as app:
        other = app.add_project("depot")
        app.send(failure("FirstError", environment="staging"))
        app.send(failure("SecondError", environment="staging"), project=other)
        body = {
            "name": "Hidden",
            "effect": "deny",
            "conditions": {
                "roles": ["viewer"],
                "projects": [other.slug],
                "environments": ["staging"],
            },
        }
        assert app.api(POLICIES.format(app.org.slug), "POST", json=body).status_code == 201
        text = app.page("/issues/", browser=app.login("v@example.com", "viewer")).text
        assert "FirstError" in text
        assert "SecondError" not in text
