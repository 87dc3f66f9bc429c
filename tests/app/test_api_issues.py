from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness import Running
from issue_samples import detail, failure, issues, the_issue
from tracer.accounts.actions import create_organization
from tracer.projects.actions import create_project


def _of_project(tracer: Running) -> str:
    return f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}"


def _cursor(answer: Any, rel: str) -> str | None:
    """The cursor of a `Link` header, None when it says that there is nothing there."""
    pattern = rf'<([^>]+)>; rel="{rel}"; results="(true|false)"; cursor="([^"]*)"'
    found = re.search(pattern, answer.headers["link"])
    assert found is not None
    return found[3] if found[2] == "true" else None


def _pages(tracer: Running, path: str) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = ""
    while cursor is not None:
        answer = tracer.api(f"{path}&cursor={cursor}")
        assert answer.status_code == 200
        yield answer.json()
        cursor = _cursor(answer, "next")


def test_issue_has_what_sentry_cli_requires(tracer: Running) -> None:
    tracer.send(failure())
    [issue] = tracer.api(f"{_of_project(tracer)}/issues/?query=&cursor=").json()
    assert isinstance(issue["id"], str)
    assert issue["shortId"].endswith("-1")
    assert issue["title"].startswith("ValueError")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", issue["lastSeen"])
    assert (issue["status"], issue["level"]) == ("unresolved", "error")
    assert issue["project"]["slug"] == tracer.project.slug
    assert issue["permalink"].endswith(f"/issues/{issue['id']}/")


def test_list_shows_unresolved_issues_unless_asked_otherwise(tracer: Running) -> None:
    tracer.send(failure("KeyError"))
    tracer.send(failure())
    path = f"{_of_project(tracer)}/issues/"
    tracer.api(f"{path}?query=KeyError", "PUT", json={"status": "resolved"})
    assert [one["metadata"]["type"] for one in tracer.api(path).json()] == ["ValueError"]
    assert len(tracer.api(f"{path}?query=").json()) == 2
    assert len(tracer.api(f"{path}?query=is:resolved").json()) == 1


def test_lists_are_paged_by_the_link_header(tracer: Running) -> None:
    for number in range(7):
        tracer.send(failure(f"Error{number}"), digest=False)
    tracer.digest()
    path = f"{_of_project(tracer)}/issues/?query=&limit=3&sort=new"
    pages = [[one["id"] for one in page] for page in _pages(tracer, path)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({one for page in pages for one in page}) == 7
    first = tracer.api(path)
    assert _cursor(first, "previous") is None
    second = tracer.api(f"{path}&cursor={_cursor(first, 'next')}")
    back = tracer.api(f"{path}&cursor={_cursor(second, 'previous')}")
    assert back.json() == first.json()


@pytest.mark.parametrize(
    "parameters",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "sort=title",
        "statsPeriod=never",
        "cursor=nonsense",
        "cursor=IjEi",
        "query=level:odd",
        "query=timesSeen:x",
        "query=%22",
        "&".join(f"environment={number}" for number in range(21)),
        "project=nowhere",
    ],
)
def test_bad_parameters_are_refused_with_a_reason(tracer: Running, parameters: str) -> None:
    answer = tracer.api(f"/api/0/organizations/{tracer.org.slug}/issues/?{parameters}")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_organization_list_can_be_narrowed_to_projects(tracer: Running) -> None:
    other = tracer.add_project("billing")
    tracer.send(failure())
    tracer.send(failure(), project=other)
    assert len(issues(tracer)) == 2
    for name in ("billing", str(other.id)):
        assert [one["project"]["slug"] for one in issues(tracer, project=name)] == ["billing"]
    assert len(issues(tracer, project="-1")) == 2


def test_other_organization_is_as_if_it_were_not_there(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        org_id = create_organization(tx, "rival", "Rival")
        project = create_project(tx, org_id, "secret", "Secret", "python")
    event_id = tracer.send(failure(), project=project)
    assert issues(tracer) == []
    [(issue_id, short_id)] = tracer.meta.read().rows("SELECT id, short_id FROM issues")
    for path in (
        f"/api/0/issues/{issue_id}/",
        f"/api/0/issues/SECRET-{short_id}/",
        f"/api/0/issues/{issue_id}/events/latest/",
        f"/api/0/organizations/rival/issues/{issue_id}/",
        f"/api/0/organizations/{tracer.org.slug}/issues/{issue_id}/",
        "/api/0/organizations/rival/issues/",
        "/api/0/projects/rival/secret/issues/",
        f"/api/0/projects/{tracer.org.slug}/secret/events/{event_id}/",
    ):
        assert tracer.api(path).status_code == 404, path
    path = f"/api/0/organizations/{tracer.org.slug}/issues/?id={issue_id}"
    answer = tracer.api(path, "PUT", json={"status": "resolved"})
    assert answer.json() == {"ids": []}
    assert tracer.api(path, "DELETE").status_code == 204
    assert tracer.meta.read().value("SELECT status FROM issues") == 0


def test_scopes_are_asked_for(tracer: Running) -> None:
    tracer.send(failure())
    path = f"/api/0/issues/{the_issue(tracer)['id']}/"
    assert tracer.api(path, scopes=("event:read",)).status_code == 200
    assert tracer.api(path, scopes=("project:read",)).status_code == 403
    refused = tracer.api(path, "PUT", json={"status": "resolved"}, scopes=("event:read",))
    assert refused.status_code == 403
    assert tracer.api(path, "DELETE", scopes=("event:write",)).status_code == 403
    assert tracer.visitor.get(path).status_code == 401


def test_issue_is_found_by_number_and_short_id_at_both_paths(tracer: Running) -> None:
    tracer.send(failure())
    issue = the_issue(tracer)
    bodies = [
        tracer.api(f"{prefix}issues/{name}/").json()
        for prefix in ("/api/0/", f"/api/0/organizations/{tracer.org.slug}/")
        for name in (issue["id"], issue["shortId"], issue["shortId"].lower())
    ]
    assert all(body["id"] == issue["id"] for body in bodies)
    assert tracer.api("/api/0/issues/999/").status_code == 404
    assert tracer.api("/api/0/issues/NO-1/").status_code == 404


def test_update_resolves_assigns_and_reopens(tracer: Running) -> None:
    user_id = tracer.add_user("dev@example.com", "member")
    tracer.send(failure(release="shop@1.0.0"))
    path = f"/api/0/issues/{the_issue(tracer)['id']}/"
    body = {"status": "resolvedInNextRelease", "assignedTo": f"user:{user_id}", "hasSeen": True}
    issue = tracer.api(path, "PUT", json=body).json()
    assert issue["status"] == "resolved"
    assert issue["statusDetails"] == {"inRelease": "shop@1.0.0"}
    assert issue["assignedTo"] == {
        "type": "user",
        "id": str(user_id),
        "name": "dev@example.com",
        "email": "dev@example.com",
    }
    assert [one["type"] for one in issue["activity"]] == ["assigned", "resolved", "first_seen"]
    issue = tracer.api(path, "PUT", json={"status": "unresolved", "assignedTo": None}).json()
    assert (issue["status"], issue["statusDetails"], issue["assignedTo"]) == (
        "unresolved",
        {},
        None,
    )
    issue = tracer.api(path, "PUT", json={"assignedTo": "DEV@example.com"}).json()
    assert issue["assignedTo"]["id"] == str(user_id)
    snoozed = tracer.api(path, "PUT", json={"status": "ignored", "snoozeDuration": 60}).json()
    assert snoozed["status"] == "ignored"


def test_an_update_without_effect_leaves_no_trace(tracer: Running) -> None:
    tracer.send(failure())
    path = f"/api/0/issues/{the_issue(tracer)['id']}/"
    for body in ({}, {"status": "unresolved"}, {"assignedTo": ""}):
        issue = tracer.api(path, "PUT", json=body).json()
        assert [one["type"] for one in issue["activity"]] == ["first_seen"]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "gone"},
        {"assignedTo": "nobody@example.com"},
        {"assignedTo": "team:1"},
        {"assignedTo": 7},
        {"status": "resolved", "statusDetails": {"inRelease": "x" * 251}},
        {"status": "resolved", "statusDetails": "now"},
        [],
        "resolved",
    ],
)
def test_bad_updates_are_refused_and_change_nothing(tracer: Running, body: Any) -> None:
    tracer.send(failure())
    issue = the_issue(tracer)
    for path in (
        f"/api/0/issues/{issue['id']}/",
        f"{_of_project(tracer)}/issues/?id={issue['id']}",
    ):
        assert tracer.api(path, "PUT", json=body).status_code == 400
    assert the_issue(tracer) == issue


def test_bulk_changes_the_named_issues_of_the_project_only(tracer: Running) -> None:
    other = tracer.add_project("billing")
    for type_ in ("KeyError", "ValueError", "TypeError"):
        tracer.send(failure(type_))
    tracer.send(failure("OSError"), project=other)
    ids = {one["metadata"]["type"]: one["id"] for one in issues(tracer)}
    wanted = "&".join(f"id={ids[type_]}" for type_ in ("KeyError", "ValueError", "OSError"))
    answer = tracer.api(
        f"{_of_project(tracer)}/issues/?{wanted}&id=99999", "PUT", json={"status": "resolved"}
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "resolved"
    assert set(answer.json()["ids"]) == {ids["KeyError"], ids["ValueError"]}
    assert {one["metadata"]["type"] for one in issues(tracer, "is:resolved")} == {
        "KeyError",
        "ValueError",
    }


def test_bulk_without_ids_changes_all_that_match(tracer: Running) -> None:
    for type_ in ("KeyError", "ValueError", "TypeError"):
        tracer.send(failure(type_))
    path = f"{_of_project(tracer)}/issues/"
    answer = tracer.api(
        f"{path}?query=error.type:[KeyError,TypeError]", "PUT", json={"status": "ignored"}
    )
    assert len(answer.json()["ids"]) == 2
    answer = tracer.api(f"{path}?status=unresolved", "PUT", json={"status": "resolved"})
    assert len(answer.json()["ids"]) == 1
    assert issues(tracer, "is:unresolved") == []


def test_bulk_deletes_and_asks_for_ids(tracer: Running) -> None:
    for type_ in ("KeyError", "ValueError"):
        tracer.send(failure(type_))
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    assert tracer.api(path, "DELETE").status_code == 400
    [issue] = issues(tracer, "KeyError")
    assert tracer.api(f"{path}?id={issue['id']}", "DELETE").status_code == 204
    assert [one["metadata"]["type"] for one in issues(tracer)] == ["ValueError"]
    assert tracer.api(f"{path}?id=x", "DELETE").status_code == 400


def test_comments_are_their_authors(tracer: Running) -> None:
    tracer.send(failure())
    path = f"/api/0/issues/{the_issue(tracer)['id']}/comments/"
    answer = tracer.api(path, "POST", json={"text": " Seen on *two* hosts "})
    assert answer.status_code == 201
    note = answer.json()
    assert (note["type"], note["data"]) == ("note", {"text": "Seen on *two* hosts"})
    assert note["user"]["name"] == "owner@example.com"
    assert the_issue(tracer)["numComments"] == 1
    changed = tracer.api(f"{path}{note['id']}/", "PUT", json={"text": "On three"}).json()
    assert changed["data"] == {"text": "On three"}
    assert [one["data"]["text"] for one in tracer.api(path).json()] == ["On three"]
    stranger = {"Authorization": f"Bearer {tracer.token(email='b@example.com', role='member')}"}
    for method in ("PUT", "DELETE"):
        refused = tracer.visitor.request(
            method, f"{path}{note['id']}/", json={"text": "x"}, headers=stranger
        )
        assert refused.status_code == 403
    assert tracer.api(f"{path}{note['id']}/", "DELETE").status_code == 204
    assert tracer.api(path).json() == []
    assert tracer.api(f"{path}{note['id']}/", "DELETE").status_code == 404


@pytest.mark.parametrize("body", [{"text": ""}, {"text": "  "}, {"text": "x" * 10_001}, {}])
def test_comments_have_limits(tracer: Running, body: dict[str, str]) -> None:
    tracer.send(failure())
    path = f"/api/0/issues/{the_issue(tracer)['id']}/comments/"
    assert tracer.api(path, "POST", json=body).status_code == 400


def test_tags_and_their_values(tracer: Running) -> None:
    for name in ("a", "a", "b", "c"):
        tracer.send(failure(tags={"shop": name}), digest=False)
    tracer.digest()
    path = f"/api/0/issues/{the_issue(tracer)['id']}/tags/"
    keys = {one["key"] for one in tracer.api(path).json()}
    assert {"shop", "environment", "level"} <= keys
    tag = tracer.api(f"{path}shop/").json()
    assert (tag["uniqueValues"], tag["totalValues"]) == (3, 4)
    assert tag["topValues"][0]["value"] == "a"
    values = [
        one["value"] for page in _pages(tracer, f"{path}shop/values/?limit=2") for one in page
    ]
    assert values == ["a", "b", "c"]
    assert tracer.api(f"{path}nothing/").status_code == 404


def test_hashes_say_which_event_came_last(tracer: Running) -> None:
    tracer.send(failure())
    event_id = tracer.send(failure())
    issue = the_issue(tracer)
    [*_, found] = tracer.api(f"/api/0/issues/{issue['id']}/hashes/").json()
    with_event = [
        one["latestEvent"]["eventID"]
        for one in tracer.api(f"/api/0/issues/{issue['id']}/hashes/").json()
        if one["latestEvent"]
    ]
    assert re.fullmatch(r"[0-9a-f]{32}", found["id"])
    assert with_event == [event_id]


def test_events_of_an_issue(tracer: Running) -> None:
    first = tracer.send(failure(timestamp=1.7e9 + 1), digest=False)
    ids = [first, *(tracer.send(failure(), digest=False) for _ in range(2))]
    tracer.digest()
    issue = the_issue(tracer)
    path = f"/api/0/issues/{issue['id']}/events/"
    pages = list(_pages(tracer, f"{path}?limit=2"))
    assert {one["eventID"] for page in pages for one in page} == set(ids)
    assert [len(page) for page in pages] == [2, 1]
    assert {one["groupID"] for page in pages for one in page} == {issue["id"]}
    latest = tracer.api(f"{path}latest/").json()
    oldest = tracer.api(f"{path}oldest/").json()
    assert latest["nextEventID"] is None
    assert oldest["previousEventID"] is None
    assert oldest["nextEventID"] is not None
    assert tracer.api(f"{path}recommended/").status_code == 200
    assert tracer.api(f"{path}{ids[1]}/").json()["eventID"] == ids[1]
    assert tracer.api(f"{path}nonsense/").status_code == 404


def test_event_has_its_parts_as_entries(tracer: Running) -> None:
    event_id = tracer.send(
        failure(
            release="shop@1.0.0",
            user={"id": 42, "email": "ada@example.com"},
            request={"url": "https://shop.test/cart", "method": "POST"},
            breadcrumbs=[{"message": "clicked", "timestamp": 1.7e9}],
            logentry={"message": "Out of stock"},
            extra={"basket": 3},
            modules={"django": "5.2"},
        )
    )
    path = f"{_of_project(tracer)}/events/{event_id}/"
    event = tracer.api(path).json()
    entries = {entry["type"]: entry["data"] for entry in event["entries"]}
    assert set(entries) == {"exception", "message", "request", "breadcrumbs"}
    [exception] = entries["exception"]["values"]
    frame = exception["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["lineNo"], frame["inApp"]) == ("raise_valueerror", 12, True)
    assert frame["context"][:2] == [[11, "def checkout(cart):"], [12, "    raise error"]]
    assert frame["vars"] == {"cart": "<Cart 7>"}
    assert entries["request"]["method"] == "POST"
    assert event["user"]["id"] == "42"
    assert event["context"] == {"basket": 3}
    assert event["packages"] == {"django": "5.2"}
    assert event["release"] == {"version": "shop@1.0.0"}
    assert {"key": "level", "value": "error"} in event["tags"]
    assert event["groupID"] == the_issue(tracer)["id"]
    stored = tracer.api(f"{path}json/").json()
    assert stored["event_id"] == event_id
    assert stored["grouping"]["hashes"] == event["fingerprints"]


def test_events_of_a_project_have_what_sentry_cli_requires(tracer: Running) -> None:
    ids = {tracer.send(failure("KeyError")), tracer.send(failure())}
    events = tracer.api(f"{_of_project(tracer)}/events/?cursor=").json()
    assert {one["eventID"] for one in events} == ids
    for event in events:
        assert event["dateCreated"].endswith("Z")
        assert event["title"]
        assert event["user"] is None
        assert {"key", "value"} == set(event["tags"][0])
        assert detail(tracer, event["groupID"])["count"] == "1"
