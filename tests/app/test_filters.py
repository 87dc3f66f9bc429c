"""Inbound filters from the settings page to what is stored and counted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import Running, envelope
from tracer.features.filters.queries import QUERY_BUDGET
from tracer.projects import actions
from tracer.protocol.filter_rules import FilterRules
from tracer.storage import counting
from tracer.storage.events import Sql

COUNT = Sql("SELECT count(*) FROM events")
PATH = "/projects/{}/filters/"
BOT = {"request": {"headers": {"User-Agent": "Googlebot/2.1"}}, "message": "Crawled"}


def fates(tracer: Running) -> dict[str, int]:
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, reason, sum(quantity) FROM outcomes GROUP BY 1, 2, 3"
    )
    return {" ".join(row[:3]).strip(): row[3] for row in rows}


def set_rules(tracer: Running, **rules: Any) -> None:
    with tracer.meta.write() as tx:
        actions.set_filters(tx, tracer.project, FilterRules(**rules))


def path(tracer: Running) -> str:
    return PATH.format(tracer.project.slug)


def save(tracer: Running, **fields: Any) -> Any:
    """Check first, then save, as the page has it."""
    checked = tracer.post(path(tracer), fields)
    assert checked.status_code == 200, checked.text
    found = re.search(r'name="tried" value="(\w+)"', checked.text)
    assert found
    return tracer.post(path(tracer), {**fields, "tried": found[1]})


def test_new_project_filters_crawlers_and_extensions(tracer: Running) -> None:
    tracer.send(BOT)
    assert fates(tracer) == {"error filtered web_crawlers": 1}
    assert tracer.tracer.events.select(COUNT)[0][0] == 0
    assert tracer.meta.read().value("SELECT count(*) FROM issues") == 0


def test_saved_filter_holds_at_once_and_a_removed_one_no_longer(tracer: Running) -> None:
    assert save(tracer, error_messages="*timeout*").status_code == 303
    tracer.send(message="A Timeout came")
    tracer.send(message="Another thing")
    assert save(tracer).status_code == 303
    tracer.send(message="A Timeout came")
    tracer.send(BOT)
    assert fates(tracer) == {"error filtered error_messages": 1, "error stored": 3}


def test_nothing_is_saved_before_its_dry_run_was_seen(tracer: Running) -> None:
    tracer.send(message="A timeout came")
    tracer.send(message="All is well")
    answer = tracer.post(path(tracer), {"error_messages": "*timeout*"})
    assert answer.status_code == 200
    text = re.sub(r"<[^>]+>|\s+", " ", answer.text)
    assert re.search(r"1 +of the latest +2 events", text), text
    assert "A timeout came" in answer.text
    tried = re.search(r'name="tried" value="(\w+)"', answer.text)
    assert tried
    stored = "SELECT filters FROM projects WHERE id = :id"
    before = tracer.meta.read().value(stored, id=tracer.project.id)
    other = tracer.post(path(tracer), {"error_messages": "*well*", "tried": tried[1]})
    assert other.status_code == 200
    assert tracer.meta.read().value(stored, id=tracer.project.id) == before


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("error_messages", "*", "everything"), ("addresses", "1.2.3", "no address")],
)
def test_wrong_entry_is_shown_with_its_field(
    tracer: Running, field: str, value: str, said: str
) -> None:
    answer = tracer.post(path(tracer), {field: value})
    assert answer.status_code == 422
    assert said in answer.text


def test_attachments_and_reports_go_with_a_filtered_event(tracer: Running) -> None:
    attachment = ({"type": "attachment", "filename": "a.txt"}, b"text")
    event_id = tracer.send(BOT, items=[attachment])
    report = {"event_id": event_id, "name": "N", "email": "n@example.com", "comments": "Help"}
    late = [({"type": "user_report"}, report), attachment]
    tracer.post_envelope(envelope({"event_id": event_id}, late))
    tracer.digest()
    assert fates(tracer) == {
        "error filtered web_crawlers": 1,
        "attachment filtered web_crawlers": 2,
        "feedback filtered web_crawlers": 1,
    }
    for table in ("attachments", "feedback"):
        assert tracer.meta.read().value(f"SELECT count(*) FROM {table}") == 0


def test_address_is_looked_at_before_it_is_scrubbed(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        tx.execute("UPDATE projects SET scrub_ip = 1")
        actions.set_filters(tx, tracer.project, FilterRules(addresses=("203.0.113.0/24",)))
    tracer.send(message="From there", user={"ip_address": "203.0.113.9"})
    tracer.send(message="From elsewhere", user={"ip_address": "198.51.100.9"})
    assert fates(tracer) == {"error filtered addresses": 1, "error stored": 1}


def test_filters_of_a_project_are_its_own(tracer: Running) -> None:
    other = tracer.add_project("other")
    set_rules(tracer, releases=("shop@1.*",))
    for project in (tracer.project, other):
        tracer.send(message="Old", release="shop@1.2", project=project)
    assert fates(tracer) == {"error filtered releases": 1, "error stored": 1}


def test_page_counts_what_was_filtered(tracer: Running) -> None:
    for _ in range(3):
        tracer.send(BOT)
    text = tracer.page(path(tracer)).text
    row = re.search(r"Web crawlers\s*</td>.*?</tr>", text, re.DOTALL)
    assert row
    assert "3 events in 7 days" in row[0]


def test_pages_keep_their_query_budget(tracer: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer.send(message="A timeout came")
    tracer.page(path(tracer))
    csrf = tracer.csrf(tracer.client)
    asked: list[int] = []
    monkeypatch.setattr(counting, "note_query", lambda: asked.append(1))
    assert tracer.page(path(tracer)).status_code == 200
    assert 0 < len(asked) <= QUERY_BUDGET
    asked.clear()
    assert tracer.page(path(tracer) + "discarded/").status_code == 200
    assert 0 < len(asked) <= QUERY_BUDGET
    asked.clear()
    fields = {"error_messages": "*timeout*"}
    tried = tracer.client.post(path(tracer), data=fields, headers={"X-CSRF-Token": csrf})
    assert "A timeout came" in tried.text
    assert 0 < len(asked) <= QUERY_BUDGET


def test_member_sees_the_filters_and_may_not_change_them(tracer: Running) -> None:
    browser = tracer.login("member@example.com", "member")
    answer = tracer.page(path(tracer), browser=browser)
    assert answer.status_code == 200
    assert "Check and save" not in answer.text
    assert tracer.post(path(tracer), {}, browser=browser).status_code == 403


def test_change_is_in_the_audit_log(tracer: Running) -> None:
    save(tracer, localhost="1")
    row = tracer.meta.read().row(
        "SELECT before ->> 'localhost', after ->> 'localhost' FROM audit"
        " WHERE action = 'project.filter'"
    )
    assert row == (0, 1)


# API --------------------------------------------------------------------------------------------


def test_api_lists_and_changes_filters_as_sentry_does(tracer: Running) -> None:
    api = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/filters/"
    found = {one["id"]: one["active"] for one in tracer.api(api).json()}
    assert found["browser-extensions"] is True
    assert found["localhost"] is False
    assert found["legacy-browsers"] == []
    assert tracer.api(f"{api}localhost/", "PUT", json={"active": True}).status_code == 204
    browsers = {"subfilters": ["ie", "chrome"]}
    assert tracer.api(f"{api}legacy-browsers/", "PUT", json=browsers).status_code == 204
    messages = {"patterns": ["*timeout*"]}
    assert tracer.api(f"{api}error-messages/", "PUT", json=messages).status_code == 204
    found = {one["id"]: one["active"] for one in tracer.api(api).json()}
    assert found["localhost"] is True
    assert found["legacy-browsers"] == ["ie", "chrome"]
    assert found["error-messages"] == ["*timeout*"]


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("localhost", {}, 400),
        ("localhost", {"patterns": ["a"]}, 400),
        ("legacy-browsers", {"subfilters": ["netscape"]}, 400),
        ("error-messages", {"patterns": ["*"]}, 400),
        ("no-such-filter", {"active": True}, 404),
        ("discarded-issues", {"active": True}, 404),
    ],
)
def test_api_refuses_what_cannot_be(tracer: Running, name: str, body: Any, status: int) -> None:
    api = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/filters/{name}/"
    assert tracer.api(api, "PUT", json=body).status_code == status


def test_api_tries_a_filter(tracer: Running) -> None:
    event_id = tracer.send(message="A timeout came")
    tracer.send(message="All is well")
    api = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/filters/"
    answer = tracer.api(f"{api}error-messages/dry-run/?pattern=*timeout*").json()
    assert answer == {
        "looked": 2,
        "filtered": 1,
        "filters": {"error-messages": 1},
        "eventIds": [event_id],
    }


def test_examples_are_for_those_who_may_read_events(tracer: Running) -> None:
    tracer.send(message="A timeout came")
    api = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/filters/"
    path = f"{api}error-messages/dry-run/?pattern=*timeout*"
    answer = tracer.api(path, scopes=["project:write"]).json()
    assert (answer["filtered"], answer["eventIds"]) == (1, [])
