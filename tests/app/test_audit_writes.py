"""Every kind of write of issues, projects and feedback leaves an entry: who, from where, what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from authenticator import Authenticator
from factor_steps import (
    CONFIRM,
    EMAIL,
    SECOND,
    add_app,
    add_passkey,
    assertion,
    at,
    code,
    logged_in,
    password,
    post,
)
from harness import PASSWORD, Running

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def entries(tracer: Running, **wanted: object) -> list[dict[str, Any]]:
    """Entries as the API tells them, the newest first."""
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    answer = tracer.api(f"/api/0/organizations/{tracer.org.slug}/audit-logs/?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def last(tracer: Running, event: str) -> dict[str, Any]:
    return entries(tracer, event=event)[0]


def send_issue(tracer: Running, message: str = "It broke") -> int:
    event_id = tracer.send(message=message)
    found: int = tracer.meta.read().value(
        "SELECT issue_id FROM recent_events WHERE event_id = :id", id=bytes.fromhex(event_id)
    )
    return found


@pytest.fixture
def owner(tracer: Running) -> Any:
    browser = tracer.login()
    browser.headers["user-agent"] = BROWSER
    return browser


def test_entry_names_person_address_device_and_the_change(tracer: Running, owner: Any) -> None:
    issue = send_issue(tracer)
    tracer.post(f"/issues/{issue}/resolve", {"release": "1.2"}, browser=owner)
    entry = last(tracer, "issue.resolve")
    assert (entry["actorKind"], entry["actor"]) == ("user", "owner@example.com")
    assert entry["actorId"] == str(tracer.add_user())
    assert entry["ipAddress"] == "testclient"
    assert entry["device"] == BROWSER
    assert (entry["targetType"], entry["targetObject"]) == ("issue", str(issue))
    assert entry["targetName"] == "FIRST-PROJECT-1"
    assert entry["projectId"] == str(tracer.project.id)
    assert entry["organizationId"] == str(tracer.org.id)
    assert entry["before"] == {"status": "unresolved", "resolved_in": None}
    assert entry["after"] == {"status": "resolved", "resolved_in": "1.2"}


def test_entry_of_a_token_names_the_token(tracer: Running) -> None:
    issue = send_issue(tracer)
    tracer.api(f"/api/0/issues/{issue}/", "PUT", json={"status": "ignored"})
    entry = last(tracer, "issue.archive")
    assert entry["actorKind"] == "token"
    tokens = [row[0] for row in tracer.meta.read().rows("SELECT id FROM tokens")]
    assert int(entry["tokenId"]) in tokens


Do = Callable[[Running, Any, int], Any]
ON_ISSUE: dict[str, Do] = {
    "issue.archive": lambda t, b, i: t.post(f"/issues/{i}/archive", browser=b),
    "issue.assign": lambda t, b, i: t.post(
        f"/issues/{i}/assign", {"user": t.add_user()}, browser=b
    ),
    "comment.create": lambda t, b, i: t.post(f"/issues/{i}/comment", {"text": "Hm"}, browser=b),
    "issue.delete": lambda t, b, i: t.api(f"/api/0/issues/{i}/", "DELETE"),
}


@pytest.mark.parametrize("event", ON_ISSUE)
def test_change_of_an_issue_is_recorded(tracer: Running, owner: Any, event: str) -> None:
    issue = send_issue(tracer)
    answer = ON_ISSUE[event](tracer, owner, issue)
    assert answer.status_code < 400, answer.text
    entry = last(tracer, event)
    assert entry["targetName"] == "FIRST-PROJECT-1"
    assert entry["before"] or entry["after"]


def test_comments_are_recorded_with_what_they_said(tracer: Running) -> None:
    issue = send_issue(tracer)
    path = f"/api/0/issues/{issue}/comments/"
    comment = tracer.api(path, "POST", json={"text": "first"}).json()["id"]
    tracer.api(f"{path}{comment}/", "PUT", json={"text": "second"})
    tracer.api(f"{path}{comment}/", "DELETE")
    found = entries(tracer, target_type="comment")
    assert [entry["event"] for entry in found] == [
        "comment.delete",
        "comment.update",
        "comment.create",
    ]
    assert found[1]["before"] == {"text": "first"}
    assert found[1]["after"] == {"text": "second"}
    assert found[0]["before"] == {"text": "second"}


def test_bulk_change_is_one_entry_with_the_ids(tracer: Running, owner: Any) -> None:
    ids = [send_issue(tracer, f"Number {word}") for word in ("one", "two", "three")]
    tracer.post(f"/issues/{ids[1]}/archive", browser=owner)
    tracer.post("/issues/bulk", {"id": ids, "action": "resolve"}, browser=owner)
    found = entries(tracer, event="issue.resolve")
    assert len(found) == 1
    assert sorted(found[0]["after"]["ids"]) == sorted(map(str, ids))
    assert found[0]["after"]["status"] == "resolved"
    before = dict(zip(found[0]["after"]["ids"], found[0]["before"]["status"], strict=True))
    assert before[str(ids[1])] == "ignored"
    assert before[str(ids[0])] == "unresolved"


def test_bulk_change_of_two_projects_is_found_by_each_of_them(tracer: Running, owner: Any) -> None:
    other = tracer.add_project("other")
    first = send_issue(tracer)
    tracer.send(message="Elsewhere", project=other)
    second = tracer.meta.read().value("SELECT id FROM issues WHERE project_id = :p", p=other.id)
    tracer.post("/issues/bulk", {"id": [first, second], "action": "archive"}, browser=owner)
    for project, issue in ((tracer.project, first), (other, second)):
        (entry,) = entries(tracer, event="issue.archive", project=project.id)
        assert entry["targetObject"] == str(issue)


def test_project_from_its_making_to_its_erasure(tracer: Running, owner: Any) -> None:
    tracer.post(
        "/projects/new", {"name": "Shop", "slug": "shop", "platform": "python"}, browser=owner
    )
    path = f"/api/0/projects/{tracer.org.slug}/shop/"
    assert tracer.api(path, "PUT", json={"name": "Shop two"}).status_code == 200
    assert tracer.api(path, "DELETE").status_code == 204
    tracer.run_tasks()
    made = last(tracer, "project.create")
    assert made["after"]["slug"] == "shop"
    assert made["targetName"] == "shop"
    project = made["targetObject"]
    assert last(tracer, "project.update")["before"] == {"name": "Shop"}
    assert last(tracer, "project.update")["after"] == {"name": "Shop two"}
    assert last(tracer, "project.delete")["before"]["name"] == "Shop two"
    erased = last(tracer, "project.erase")
    assert (erased["actorKind"], erased["actor"]) == ("task", "erase_project")
    assert tracer.meta.read().value("SELECT count(*) FROM projects WHERE id = :p", p=project) == 0
    assert len(entries(tracer, project=project)) >= 5


def test_key_of_a_project_is_recorded_without_the_key(tracer: Running, owner: Any) -> None:
    keys = f"/projects/{tracer.project.slug}/keys/"
    tracer.post(keys, {"label": "Second"}, browser=owner)
    key = tracer.meta.read().row("SELECT id, public_key FROM project_keys WHERE label = 'Second'")
    for verb, data in (
        ("edit", {"label": "Third", "count": "", "window": "60"}),
        ("rotate", {"overlap": "1h"}),
        ("disable", {}),
        ("enable", {}),
        ("disable", {}),
        ("delete", {}),
    ):
        answer = tracer.post(f"{keys}{key[0]}/{verb}", data, browser=owner)
        assert answer.status_code == 303, answer.text
    events = [entry["event"] for entry in entries(tracer, target_id=key[0])]
    assert events.count("project_key.update") >= 3
    assert {"project_key.create", "project_key.rotate", "project_key.delete"} <= set(events)
    assert key[1] not in json.dumps(entries(tracer))


def test_feedback_is_recorded(tracer: Running, owner: Any) -> None:
    event_id = tracer.send(message="Oh")
    report = {"event_id": event_id, "name": "Ada", "email": "ada@x.org", "comments": "It hurts"}
    tracer.send(items=[({"type": "user_report"}, report)])
    feedback = tracer.meta.read().value("SELECT id FROM feedback")
    tracer.post(f"/feedback/{feedback}/status", {"status": "done"}, browser=owner)
    entry = last(tracer, "feedback.update")
    assert (entry["before"], entry["after"]) == ({"status": "open"}, {"status": "done"})


def test_what_nobody_changed_leaves_no_entry(tracer: Running, owner: Any) -> None:
    issue = send_issue(tracer)
    tracer.post(f"/issues/{issue}/resolve", browser=owner)
    count = len(entries(tracer))
    tracer.post(f"/issues/{issue}/resolve", browser=owner)
    tracer.page(f"/issues/{issue}/", browser=owner)
    project = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/"
    assert tracer.api(project, "PUT", json={"name": tracer.project.name}).status_code == 200
    organization = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.api(organization, "PUT", json={"name": tracer.org.name}).status_code == 200
    assert len(entries(tracer)) == count


def test_secrets_are_in_no_entry(tracer: Running) -> None:
    browser = tracer.browser()
    tracer.add_user()
    form = {"email": "owner@example.com", "password": PASSWORD, "csrf": tracer.csrf(browser)}
    assert browser.post("/login", data=form).status_code == 303
    cookie = browser.cookies["tracer_login"]
    token = tracer.token()
    issue = send_issue(tracer)
    tracer.api(f"/api/0/issues/{issue}/comments/", "POST", json={"text": f"Use {token}"})
    rows = tracer.meta.read().rows("SELECT * FROM audit")
    everything = repr(rows)
    assert "comment.create" in everything
    hashed = tracer.meta.read().value("SELECT password_hash FROM users LIMIT 1")
    for secret in (PASSWORD, cookie, token, token.rpartition(".")[2], hashed):
        assert secret not in everything


def test_second_factors_are_recorded_without_seed_and_codes(tracer: Running) -> None:
    at(1_800_000_000)
    browser = logged_in(tracer, EMAIL, "member")
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    seed, codes = add_app(browser)
    device = Authenticator()
    assert add_passkey(browser, device).status_code == 303
    at(1_800_000_060)
    shown = code(seed)
    fresh = tracer.browser()
    password(fresh)
    answer = post(fresh, SECOND, SECOND, code=shown, remember="1")
    assert answer.status_code == 303, answer.text
    again = tracer.browser()
    password(again)
    assert post(again, SECOND, SECOND, recovery=codes[0]).status_code == 303
    alone = tracer.browser()
    credential = assertion(alone, "/login", "/login/passkey/options", device)
    assert post(alone, "/login", "/login/passkey", credential=credential).status_code == 303
    post(again, CONFIRM, CONFIRM, recovery=codes[1])
    rows = tracer.meta.read().rows("SELECT * FROM audit WHERE id > :last", last=last)
    actions = [row[10] for row in rows]
    for action in ("factor.add", "factor.use", "device.remember", "recovery_codes.use"):
        assert action in actions
    assert actions.count("factor.add") == 2
    assert actions.count("login.start") == 3
    assert "login.confirm" in actions
    assert {row[6] for row in rows} == {EMAIL}
    everything = repr(rows)
    cookies = [cookie.value for b in (browser, fresh, again, alone) for cookie in b.cookies.jar]
    for secret in (PASSWORD, seed, shown, *codes, *(text.replace("-", "") for text in codes)):
        assert secret not in everything
    assert not [cookie for cookie in cookies if cookie and cookie in everything]


def test_write_whose_entry_fails_is_rolled_back(tracer: Running) -> None:
    issue = send_issue(tracer)
    token = tracer.token()
    with apsw.Connection(str(tracer.meta.path)) as direct:
        direct.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END"
        )
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/api/0/issues/{issue}/"
    answer = tracer.visitor.put(path, json={"status": "resolved"}, headers=headers)
    assert answer.status_code == 500
    assert tracer.visitor.get(path, headers=headers).json()["status"] == "unresolved"
    assert tracer.meta.read().value("SELECT count(*) FROM issue_activity") == 1
