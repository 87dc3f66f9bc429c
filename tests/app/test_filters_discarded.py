"""Issues that are deleted and discarded: their kind is filtered out until it is undone."""

from __future__ import annotations

import re
from typing import Any

from harness import Running, envelope

KIND = "It broke"


def fates(tracer: Running) -> dict[str, int]:
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, reason, sum(quantity) FROM outcomes GROUP BY 1, 2, 3"
    )
    return {" ".join(row[:3]).strip(): row[3] for row in rows}


def issue_id(tracer: Running) -> int:
    found: int = tracer.meta.read().value("SELECT id FROM issues")
    return found


def titles(tracer: Running) -> list[str]:
    return [row[0] for row in tracer.meta.read().rows("SELECT title FROM issues ORDER BY id")]


def test_events_of_a_discarded_issue_are_filtered(tracer: Running) -> None:
    tracer.send(message=KIND)
    assert tracer.post(f"/issues/{issue_id(tracer)}/discard").status_code == 303
    attachment = ({"type": "attachment", "filename": "a.txt"}, b"text")
    event_id = tracer.send(message=KIND, items=[attachment])
    tracer.send(message="Another thing")
    assert titles(tracer) == ["Another thing"]
    assert fates(tracer) == {
        "error stored": 2,
        "error filtered discarded": 1,
        "attachment filtered discarded": 1,
    }
    report = {"event_id": event_id, "name": "N", "email": "n@a.example", "comments": "Help"}
    tracer.post_envelope(envelope({"event_id": event_id}, [({"type": "user_report"}, report)]))
    tracer.digest()
    assert fates(tracer)["feedback filtered discarded"] == 1


def test_undo_makes_a_new_issue_of_the_next_event(tracer: Running) -> None:
    tracer.send(message=KIND)
    tracer.post(f"/issues/{issue_id(tracer)}/discard")
    tracer.send(message=KIND)
    root = f"/projects/{tracer.project.slug}/filters/discarded/"
    text = tracer.page(root).text
    assert KIND in text
    undo = re.search(rf'action="({root}\d+/undo)"', text)
    assert undo
    assert tracer.post(undo[1]).status_code == 303
    assert KIND not in tracer.page(root).text
    tracer.send(message=KIND)
    assert titles(tracer) == [KIND]
    assert fates(tracer) == {"error stored": 2, "error filtered discarded": 1}


def test_discarding_in_bulk(tracer: Running) -> None:
    for message in (KIND, "Another thing"):
        tracer.send(message=message)
    ids = [row[0] for row in tracer.meta.read().rows("SELECT id FROM issues")]
    assert tracer.post("/issues/bulk", {"id": ids, "action": "discard"}).status_code == 303
    for message in (KIND, "Another thing"):
        tracer.send(message=message)
    assert titles(tracer) == []
    assert fates(tracer)["error filtered discarded"] == 2


def test_the_same_kind_in_another_project_is_kept(tracer: Running) -> None:
    other = tracer.add_project("other")
    tracer.send(message=KIND)
    tracer.post(f"/issues/{issue_id(tracer)}/discard")
    tracer.send(message=KIND, project=other)
    assert titles(tracer) == [KIND]


def test_discarding_takes_the_permission_to_delete(tracer: Running) -> None:
    tracer.send(message=KIND)
    browser = tracer.login("viewer@example.com", "viewer")
    path = f"/issues/{issue_id(tracer)}/discard"
    assert tracer.post(path, browser=browser).status_code == 403
    bulk: dict[str, Any] = {"id": issue_id(tracer), "action": "discard"}
    assert tracer.post("/issues/bulk", bulk, browser=browser).status_code == 403
    assert titles(tracer) == [KIND]


def test_erased_project_leaves_no_discards(tracer: Running) -> None:
    tracer.send(message=KIND)
    tracer.post(f"/issues/{issue_id(tracer)}/discard")
    tracer.send(message=KIND)
    tracer.post(f"/projects/{tracer.project.slug}/delete", {"confirm": tracer.project.slug})
    tracer.run_tasks()
    for table in ("discarded_issues", "discarded_hashes", "filtered_events"):
        assert tracer.meta.read().value(f"SELECT count(*) FROM {table}") == 0
