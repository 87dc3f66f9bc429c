"""What is done to the selected issues of the list, with and without scripts."""

from __future__ import annotations

import json

from harness import Running
from issue_rows import listed, row_ids, send, titles


def all_ids(tracer: Running) -> list[int]:
    return row_ids(tracer.page("/issues/?status=all").text)


def test_bulk_resolve_without_scripts_returns_to_the_list(tracer: Running) -> None:
    send(tracer, "one")
    send(tracer, "two")
    back = "q=o"
    answer = tracer.post("/issues/bulk", {"id": all_ids(tracer), "action": "resolve", "back": back})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/issues/?{back}")
    html = tracer.page("/issues/").text
    assert "2 issues resolved." in html
    assert titles(html) == []
    assert sorted(listed(tracer, "status=resolved")) == ["one", "two"]


def test_bulk_archive_with_htmx_answers_with_the_list_and_a_message(tracer: Running) -> None:
    send(tracer, "stays")
    send(tracer, "goes")
    ids = row_ids(tracer.page("/issues/?q=goes").text)
    answer = tracer.post("/issues/bulk", {"id": ids, "action": "archive"}, part=True)
    assert titles(answer.text) == ["stays"]
    told = json.loads(answer.headers["hx-trigger"])["toast"]["messages"]
    assert [message["kind"] for message in told] == ["success"]
    assert told[0]["message"].endswith("archived.")
    assert listed(tracer, "status=archived") == ["goes"]


def test_bulk_shows_the_same_filters_again(tracer: Running) -> None:
    send(tracer, "one", level="warning")
    send(tracer, "two", level="warning")
    send(tracer, "three", level="error")
    ids = row_ids(tracer.page("/issues/?q=one").text)
    fields = {"id": ids, "action": "resolve", "back": "level=warning"}
    assert titles(tracer.post("/issues/bulk", fields, part=True).text) == ["two"]


def test_bulk_delete_removes_the_issue_for_good(tracer: Running) -> None:
    send(tracer, "one")
    tracer.post("/issues/bulk", {"id": all_ids(tracer), "action": "delete"})
    tracer.run_tasks()
    assert listed(tracer, "status=all") == []


def test_bulk_assign_and_unassign(tracer: Running) -> None:
    send(tracer, "one")
    other = tracer.add_user("grace@example.com", "member")
    ids = all_ids(tracer)
    tracer.post("/issues/bulk", {"id": ids, "assign": other})
    assert listed(tracer, "assigned=grace@example.com") == ["one"]
    tracer.post("/issues/bulk", {"id": ids, "assign": 0})
    assert listed(tracer, "assigned=none") == ["one"]


def test_bulk_without_a_selection_says_so(tracer: Running) -> None:
    send(tracer, "one")
    answer = tracer.post("/issues/bulk", {"action": "resolve"}, part=True)
    assert "Select an issue first." in answer.headers["hx-trigger"]
    assert titles(answer.text) == ["one"]


def test_bulk_needs_the_permission(tracer: Running) -> None:
    send(tracer, "one")
    ids = all_ids(tracer)
    viewer = tracer.login("viewer@example.com", "viewer")
    assert "data-key=" not in tracer.page("/issues/", browser=viewer).text
    refused = tracer.post("/issues/bulk", {"id": ids, "action": "resolve"}, browser=viewer)
    assert refused.status_code == 403
    member = tracer.login("member@example.com", "member")
    may_delete = 'value="delete"' in tracer.page("/issues/", browser=member).text
    answer = tracer.post("/issues/bulk", {"id": ids, "action": "delete"}, browser=member)
    assert answer.status_code == (303 if may_delete else 403)


def test_bulk_refuses_an_unknown_action(tracer: Running) -> None:
    send(tracer, "one")
    answer = tracer.post("/issues/bulk", {"id": all_ids(tracer), "action": "explode"})
    assert answer.status_code == 400
    assert listed(tracer) == ["one"]


def test_bulk_needs_a_csrf_token(tracer: Running) -> None:
    send(tracer, "one")
    browser = tracer.login()
    answer = browser.post("/issues/bulk", data={"id": all_ids(tracer), "action": "resolve"})
    assert answer.status_code == 403
    assert listed(tracer) == ["one"]
