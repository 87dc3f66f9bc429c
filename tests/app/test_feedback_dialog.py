"""The crash-report dialog of browser SDKs: its script, and the reports that its form sends."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from harness import Running
from issue_samples import failure, outcomes, the_issue
from tracer.projects.actions import disable_key, update_project
from tracer.projects.queries import keys

ADDRESS = "/api/embed/error-page/"
EVENT_ID = "8a2a6ee42ea74f67b75dd68fc7a8cebe"
REPORT = {"name": "Jane", "email": "jane@x.test", "comments": "It broke when I paid"}


def address(tracer: Running, event_id: str = EVENT_ID, **texts: str) -> str:
    dsn = f"http://{tracer.key}@testserver/{tracer.project.id}"
    return f"{ADDRESS}?{urlencode({'dsn': dsn, 'eventId': event_id, **texts})}"


def post(tracer: Running, fields: dict[str, str], event_id: str = EVENT_ID, **headers: str) -> Any:
    return tracer.visitor.post(address(tracer, event_id), data=fields, headers=headers)


def reports(tracer: Running) -> list[dict[str, Any]]:
    tracer.digest()
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/user-feedback/"
    found: list[dict[str, Any]] = tracer.api(path).json()
    return found


def config(script: str) -> dict[str, str]:
    """The texts that the script is called with."""
    found: dict[str, str] = json.loads(script[script.rindex(")({") + 2 : script.rindex(")")])
    return found


def test_script_carries_the_texts_that_the_page_asked_for(tracer: Running) -> None:
    answer = tracer.visitor.get(address(tracer, title="It broke", name="Jane", lang="de"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    texts = config(answer.text)
    assert (texts["title"], texts["name"]) == ("It broke", "Jane")
    assert texts["labelSubmit"] == "Send report"


def test_hostile_texts_stay_texts(tracer: Running) -> None:
    hostile = '</script><img src=x onerror=alert(1)>"});alert(1);({"\u2028'
    answer = tracer.visitor.get(address(tracer, title=hostile))
    assert config(answer.text)["title"] == hostile
    last_line = answer.text[answer.text.rindex(")({") :]
    assert not {"<", ">", "\u2028"} & set(last_line)
    assert last_line.count('"title":') == 1


def test_report_is_stored_with_the_issue_of_its_event(tracer: Running) -> None:
    event_id = tracer.send(failure())
    answer = post(tracer, REPORT, event_id, Origin="https://shop.test")
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["access-control-allow-origin"] == "*"
    [report] = reports(tracer)
    issue = the_issue(tracer)
    assert report["issue"]["id"] == issue["id"]
    assert (report["eventID"], report["name"], report["email"], report["comments"]) == (
        event_id,
        *REPORT.values(),
    )
    assert outcomes(tracer, "feedback") == {"stored:": 1}
    assert REPORT["comments"] in tracer.page(f"/feedback/of-issue/{issue['id']}/").text


def test_report_as_json_and_with_a_hyphenated_id_is_taken(tracer: Running) -> None:
    hyphenated = "8a2a6ee4-2ea7-4f67-b75d-d68fc7a8cebe"
    answer = tracer.visitor.post(address(tracer, hyphenated), json=REPORT)
    assert answer.status_code == 200
    [report] = reports(tracer)
    assert report["eventID"] == EVENT_ID


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"comments"}),
        ({"comments": "   "}, {"comments"}),
        ({**REPORT, "email": "nobody"}, {"email"}),
        ({"email": "@"}, {"comments", "email"}),
    ],
)
def test_incomplete_form_says_which_fields(
    tracer: Running, fields: dict[str, str], wrong: set[str]
) -> None:
    answer = post(tracer, fields)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == wrong
    assert reports(tracer) == []


def test_name_and_email_may_be_left_out(tracer: Running) -> None:
    assert post(tracer, {"comments": "It broke", "name": "", "email": ""}).status_code == 200
    [report] = reports(tracer)
    assert (report["name"], report["email"]) == ("", "")


def test_only_keys_of_the_project_may_report(tracer: Running) -> None:
    other = tracer.add_project("other")
    key = tracer.key
    for dsn, status in (
        ("", 400),
        ("nonsense", 400),
        (f"http://{'0' * 32}@testserver/{tracer.project.id}", 403),
        (f"http://{key}@testserver/{other.id}", 403),
    ):
        target = f"{ADDRESS}?{urlencode({'dsn': dsn, 'eventId': EVENT_ID})}"
        assert tracer.visitor.get(target).status_code == status
        assert tracer.visitor.post(target, data=REPORT).status_code == status
    with tracer.meta.write() as tx:
        disable_key(tx, keys(tx, tracer.project.id)[0])
    assert tracer.visitor.get(address(tracer)).status_code == 403
    assert post(tracer, REPORT).status_code == 403


def test_event_id_is_asked_for(tracer: Running) -> None:
    for event_id in ("", "nonsense", "<script>"):
        assert tracer.visitor.get(address(tracer, event_id)).status_code == 400
        assert post(tracer, REPORT, event_id).status_code == 400


def test_origin_that_the_project_does_not_allow_is_refused(tracer: Running) -> None:
    from dataclasses import replace

    with tracer.meta.write() as tx:
        update_project(tx, tracer.project, replace(tracer.project, allowed_domains=("shop.test",)))
    assert post(tracer, REPORT, Origin="https://evil.test").status_code == 403
    assert post(tracer, REPORT, Origin="https://shop.test").status_code == 200


def test_preflight_allows_what_the_dialog_sends(tracer: Running) -> None:
    answer = tracer.visitor.options(
        address(tracer),
        headers={"Origin": "https://shop.test", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_long_report_is_cut_and_a_huge_one_refused(tracer: Running) -> None:
    assert post(tracer, {"comments": "a" * 10_000}).status_code == 200
    assert len(reports(tracer)[0]["comments"]) == 4096
    many = {f"field{number}": "x" for number in range(100)}
    assert post(tracer, {**REPORT, **many}).status_code == 400
    huge = tracer.tracer.settings.max_body_bytes + 1
    answer = tracer.visitor.post(address(tracer), content=b"a" * huge)
    assert answer.status_code == 413
