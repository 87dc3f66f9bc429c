from __future__ import annotations

import re
from typing import Any

from harness import Running
from issue_samples import failure, issues, outcomes, the_issue
from tracer import clock
from tracer.accounts.actions import create_organization
from tracer.projects.actions import create_project

SCRIPT = "<script>alert(1)</script>"


def _report(event_id: str, comments: str = "It broke", **fields: str) -> tuple[dict[str, Any], Any]:
    body = {"event_id": event_id, "comments": comments, "name": "Ada", "email": "ada@x.test"}
    return {"type": "user_report"}, {**body, **fields}


def _feedback(message: Any = "I cannot pay", **context: Any) -> tuple[dict[str, Any], Any]:
    feedback = {"message": message, "contact_email": "bob@x.test", "name": "Bob", **context}
    body = {"type": "feedback", "contexts": {"feedback": feedback}, "environment": "production"}
    return {"type": "feedback"}, body


def _listed(tracer: Running) -> list[dict[str, Any]]:
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/user-feedback/"
    answer = tracer.api(path)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def test_report_is_shown_with_the_issue_of_its_event(tracer: Running) -> None:
    event_id = tracer.send(failure())
    tracer.send(items=[_report(event_id)])
    issue = the_issue(tracer)
    [report] = _listed(tracer)
    assert (report["name"], report["email"], report["comments"]) == (
        "Ada",
        "ada@x.test",
        "It broke",
    )
    assert report["issue"]["id"] == issue["id"]
    assert report["eventID"] == event_id
    assert "It broke" in tracer.page(f"/feedback/of-issue/{issue['id']}/").text
    assert issue["shortId"] in tracer.page("/feedback/").text


def test_report_in_the_envelope_of_its_event_is_tied_to_it(tracer: Running) -> None:
    event_id = clock.new_id()
    tracer.send(failure(event_id=event_id), items=[_report(event_id)])
    [report] = _listed(tracer)
    assert report["issue"]["id"] == the_issue(tracer)["id"]


def test_report_that_comes_first_finds_its_event_when_that_arrives(tracer: Running) -> None:
    event_id = clock.new_id()
    tracer.send(items=[_report(event_id)])
    [report] = _listed(tracer)
    assert report["issue"] is None
    tracer.send(failure("KeyError"))
    assert _listed(tracer)[0]["issue"] is None
    tracer.send(failure(event_id=event_id))
    [issue] = issues(tracer, "error.type:ValueError")
    [report] = _listed(tracer)
    assert report["issue"]["id"] == issue["id"]


def test_feedback_of_the_widget_keeps_where_it_came_from(tracer: Running) -> None:
    event_id = tracer.send(failure())
    tracer.send(
        items=[
            _feedback(url="https://shop.test/pay", associated_event_id=event_id, source="widget")
        ]
    )
    [found] = _listed(tracer)
    assert (found["comments"], found["source"]) == ("I cannot pay", "widget")
    assert (found["name"], found["email"]) == ("Bob", "bob@x.test")
    assert found["url"] == "https://shop.test/pay"
    assert found["issue"]["id"] == the_issue(tracer)["id"]
    assert 'href="https://shop.test/pay"' in tracer.page("/feedback/").text


def test_same_report_twice_is_stored_once(tracer: Running) -> None:
    event_id = tracer.send(failure())
    for _ in range(2):
        tracer.send(items=[_report(event_id)])
    tracer.send(items=[_report(event_id, "It broke again")])
    assert len(_listed(tracer)) == 2
    assert outcomes(tracer, "feedback") == {"stored:": 2, "invalid:duplicate": 1}


def test_what_is_no_feedback_has_an_outcome(tracer: Running) -> None:
    for item in (
        _feedback(""),
        _feedback(None),
        _feedback({"a": 1}),
        ({"type": "feedback"}, {"contexts": []}),
        ({"type": "feedback"}, [1]),
        ({"type": "feedback"}, b"{nonsense"),
        ({"type": "user_report"}, {"event_id": clock.new_id(), "comments": "  "}),
        ({"type": "user_report"}, b""),
    ):
        tracer.send(items=[item])
    assert _listed(tracer) == []
    found = outcomes(tracer, "feedback")
    assert sum(found.values()) == 8
    assert all(name.startswith("invalid:") for name in found)


def test_hostile_feedback_is_only_text(tracer: Running) -> None:
    event_id = tracer.send(failure())
    tracer.send(
        items=[_report(event_id, f"{SCRIPT} & <b>", name=f'"{SCRIPT}', email=f"{SCRIPT}@x.test")]
    )
    tracer.send(items=[_feedback(SCRIPT, url="javascript:alert(1)", name="\x00\u202e<i>")])
    issue = the_issue(tracer)
    for path in ("/feedback/", f"/feedback/of-issue/{issue['id']}/"):
        page = tracer.page(path)
        assert page.status_code == 200
        assert SCRIPT not in page.text
        assert "&lt;script&gt;" in page.text
        assert 'href="javascript:' not in page.text


def test_secrets_in_feedback_are_removed(tracer: Running) -> None:
    tracer.send(items=[_feedback("my card is 4111 1111 1111 1111, please help")])
    [found] = _listed(tracer)
    assert "4111" not in found["comments"]
    assert "please help" in found["comments"]


def test_status_is_changed_and_filtered_by(tracer: Running) -> None:
    tracer.send(items=[_feedback("first")])
    tracer.send(items=[_feedback("second")])
    by_text = {one["comments"]: one["id"] for one in _listed(tracer)}
    answer = tracer.post(f"/feedback/{by_text['first']}/status", {"status": "done"})
    assert answer.status_code == 303
    part = tracer.post(f"/feedback/{by_text['second']}/status", {"status": "spam"}, part=True)
    assert part.status_code == 200
    assert f'id="feedback-item-{by_text["second"]}"' in part.text
    assert "No open feedback" in tracer.page("/feedback/").text
    done = tracer.page("/feedback/?status=done").text
    assert "first" in done
    assert ">second<" not in done
    everything = tracer.page("/feedback/?status=all").text
    assert "first" in everything
    assert "second" in everything
    assert tracer.post(f"/feedback/{by_text['first']}/status", {"status": "x"}).status_code == 400
    assert tracer.post("/feedback/999/status", {"status": "done"}).status_code == 404


def test_viewer_reads_but_does_not_change(tracer: Running) -> None:
    tracer.send(items=[_feedback("first")])
    viewer = tracer.login("viewer@example.com", "viewer")
    assert "first" in tracer.page("/feedback/", browser=viewer).text
    [found] = _listed(tracer)
    refused = tracer.post(f"/feedback/{found['id']}/status", {"status": "done"}, browser=viewer)
    assert refused.status_code == 403


def test_pages_go_on_where_they_ended(tracer: Running) -> None:
    for number in range(35):
        tracer.send(items=[_feedback(f"message {number:02}")], digest=False)
    tracer.digest()
    first = tracer.page("/feedback/").text
    assert first.count('id="feedback-item-') == 30

    found = re.search(r'href="(/feedback/\?cursor=[^"]+)"', first)
    assert found is not None
    second = tracer.page(found[1]).text
    assert second.count('id="feedback-item-') == 5
    assert tracer.page("/feedback/?cursor=nonsense").status_code == 400


def test_feedback_outlives_its_issue(tracer: Running) -> None:
    event_id = tracer.send(failure())
    tracer.send(items=[_report(event_id)])
    tracer.api(f"/api/0/issues/{the_issue(tracer)['id']}/", "DELETE")
    tracer.run_tasks()
    tracer.send(failure("KeyError"))
    [report] = _listed(tracer)
    assert report["issue"] is None
    assert "It broke" in tracer.page("/feedback/").text


def test_feedback_of_other_organizations_is_not_seen(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        org_id = create_organization(tx, "rival", "Rival")
        project = create_project(tx, org_id, "secret", "Secret", "python")
    tracer.send(items=[_feedback("their secret")], project=project)
    assert "their secret" not in tracer.page("/feedback/?status=all").text
    id_ = tracer.meta.read().value("SELECT id FROM feedback")
    assert tracer.post(f"/feedback/{id_}/status", {"status": "done"}).status_code == 404
