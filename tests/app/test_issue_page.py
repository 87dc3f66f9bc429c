"""The issue page: what it shows of an event, its other formats, and what it costs."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any

import pytest

from harness import Running
from issue_samples import failure, issues, the_issue
from tracer.accounts.actions import create_organization
from tracer.issues import queries
from tracer.issues.pages import detail
from tracer.kit.context import Req
from tracer.kit.forms import Query
from tracer.projects.actions import create_project

SCRIPT = "<script>alert(1)</script>"


def frame(function: str, *, in_app: bool = True, **fields: Any) -> dict[str, Any]:
    return {"filename": "shop/pay.py", "function": function, "in_app": in_app, "lineno": 3} | fields


def thrown(type_: str, *frames: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": type_, "value": "broken", "stacktrace": {"frames": list(frames)}, **fields}


def event(*exceptions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"platform": "python", "exception": {"values": list(exceptions)}, **fields}


def path_of(tracer: Running) -> str:
    return f"/issues/{the_issue(tracer)['id']}/"


def shown(tracer: Running, query: str = "") -> str:
    """The page of the only issue."""
    answer = tracer.page(path_of(tracer) + (f"events/latest/?{query}" if query else ""))
    assert answer.status_code == 200
    text: str = answer.text
    return text


def plain(html: str) -> str:
    """The text that a reader sees, spaces folded."""
    html = re.sub(r'<(template|script|style|span class="visually-hidden")[^>]*>.*?</', "</", html)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def section(html: str, id_: str) -> str:
    """One panel of the page."""
    begin = html.index(f'id="{id_}"')
    return html[begin : html.index("</section>", begin)]


def exceptions_of(html: str) -> list[str]:
    return re.findall(r'<h3 class="wrap">(.*?)</h3>', html)


# Stack traces -----------------------------------------------------------------------------------


def test_local_variables_and_source_of_the_failing_frame_are_open(tracer: Running) -> None:
    tracer.send(failure())
    page = shown(tracer)
    [open_frame] = re.findall(r"<details class=\"frame\"[^>]* open>.*?</details>", page, re.S)
    assert "raise_valueerror" in open_frame
    assert "<dt>cart</dt><dd>&lt;Cart 7&gt;</dd>" in open_frame
    text = plain(open_frame)
    assert "11 def checkout ( cart ):" in text
    assert "shop/cart.py:12" in text
    assert 'aria-current="true"' in open_frame


def test_system_frames_are_shown_on_request(tracer: Running) -> None:
    tracer.send(event(thrown("Error", frame("framework_run", in_app=False), frame("pay"))))
    page = shown(tracer)
    assert "1 system frame hidden" in plain(page)
    assert "framework_run" not in section(page, "issue-stack")
    full = section(shown(tracer, "view=full"), "issue-stack")
    assert "framework_run" in full
    assert "hidden" not in plain(full)


def test_trace_without_frames_of_the_app_is_shown_whole(tracer: Running) -> None:
    tracer.send(event(thrown("Error", frame("one", in_app=False), frame("two", in_app=False))))
    stack = section(shown(tracer), "issue-stack")
    assert "one" in plain(stack)
    assert "two" in plain(stack)


def test_trace_as_its_own_language_prints_it(tracer: Running) -> None:
    tracer.send(failure())
    text = plain(section(shown(tracer, "view=raw"), "issue-stack"))
    assert "Traceback (most recent call last):" in text
    assert 'File "shop/cart.py", line 12, in raise_valueerror raise error ValueError: no' in text


def test_chained_exceptions_in_both_orders(tracer: Running) -> None:
    tracer.send(event(thrown("Cause", frame("low")), thrown("Effect", frame("high"))))
    newest = section(shown(tracer), "issue-stack")
    assert exceptions_of(newest) == ["Effect", "Cause"]
    assert "was caused by" in newest
    oldest = section(shown(tracer, "order=oldest"), "issue-stack")
    assert exceptions_of(oldest) == ["Cause", "Effect"]
    assert "led to" in oldest


def test_frames_turn_with_the_order(tracer: Running) -> None:
    tracer.send(event(thrown("Error", frame("outer"), frame("inner"))))
    for order, first, second in (("newest", "inner", "outer"), ("oldest", "outer", "inner")):
        stack = section(shown(tracer, f"order={order}"), "issue-stack")
        assert stack.index(f"<b>{first}</b>") < stack.index(f"<b>{second}</b>")
        open_frame = re.search(r"<details class=\"frame\"[^>]* open>.*?</details>", stack, re.S)
        assert open_frame
        assert "inner" in open_frame[0]


def test_threads_begin_with_the_crashed_one(tracer: Running) -> None:
    threads = [
        {"id": 1, "name": "idle", "stacktrace": {"frames": [frame("wait")]}},
        {"id": 2, "name": "main", "crashed": True},
    ]
    tracer.send(event(thrown("Error", frame("pay")), threads={"values": threads}))
    stack = plain(section(shown(tracer), "issue-stack"))
    assert stack.index("main") < stack.index("idle")
    assert "Its stack trace is the exception's, above." in stack
    assert "wait" in stack


def test_part_is_the_same_as_in_the_page(tracer: Running) -> None:
    tracer.send(event(thrown("Error", frame("pay")), breadcrumbs=[{"message": "clicked"}]))
    path = path_of(tracer) + "events/latest/"
    page = tracer.page(path).text
    for part, id_ in (("stack", "issue-stack"), ("breadcrumbs", "issue-breadcrumbs")):
        answer = tracer.page(f"{path}?part={part}", part=True).text
        assert section(answer, id_) == section(page, id_)
        assert "<html" not in answer


# Other sections ---------------------------------------------------------------------------------


def test_breadcrumbs_newest_first_with_time_before_the_event(tracer: Running) -> None:
    now = time.time()
    crumbs = [
        {"message": "opened", "timestamp": now - 5, "type": "navigation"},
        {"message": "refused", "timestamp": now - 0.25, "level": "error"},
    ]
    tracer.send(event(thrown("Error"), timestamp=now, breadcrumbs=crumbs))
    text = plain(section(shown(tracer), "issue-breadcrumbs"))
    assert text.index("refused") < text.index("opened")
    assert "−5 s" in text
    assert "−250 ms" in text
    filtered = plain(section(shown(tracer, "level=error"), "issue-breadcrumbs"))
    assert "opened" not in filtered
    assert "1 of 2" in filtered
    by_type = plain(section(shown(tracer, "type=navigation"), "issue-breadcrumbs"))
    assert "refused" not in by_type
    nothing = plain(section(shown(tracer, "type=navigation&level=error"), "issue-breadcrumbs"))
    assert "No breadcrumb fits the filter." in nothing


def test_request_can_be_repeated_with_curl(tracer: Running) -> None:
    request = {
        "url": "https://shop.test/pay",
        "method": "POST",
        "query_string": "a=1&b=it's",
        "headers": {"X-Step": "3", "Content-Length": "9", "Host": "shop.test"},
        "data": {"sku": "A'1"},
    }
    tracer.send(event(thrown("Error"), request=request))
    html = section(shown(tracer), "issue-request")
    command = unescape(re.search(r'data-copy="(curl[^"]+)"', html)[1])  # type: ignore[index]
    assert command == (
        "curl \\\n  -X POST \\\n  'https://shop.test/pay?a=1&b=it%27s' \\\n  -H 'X-Step: 3' \\\n"
        '  --data-raw \'{"sku":"A\'"\'"\'1"}\''
    )


def test_removed_values_are_marked_with_their_rule(tracer: Running) -> None:
    pay = frame("pay", vars={"password": "hunter2"})
    headers = {"Authorization": "Bearer abcdefghijklmnop", "Accept": "text/html"}
    tracer.send(event(thrown("Error", pay), request={"url": "https://x.test", "headers": headers}))
    page = shown(tracer)
    assert "hunter2" not in page
    assert "abcdefghijklmnop" not in page
    mark = r'<span class="filtered" title="Removed by the rule “(\w+)”[^"]*">\[Filtered\]</span>'
    assert re.search(r"<dt>password</dt><dd>" + mark, page)
    assert re.search(r"<dt>Authorization</dt><dd>" + mark, page)
    changes = plain(section(page, "issue-changes"))
    assert "2 values removed by data scrubbing" in changes
    assert "request.headers.Authorization" in changes


def test_what_was_trimmed_is_said(tracer: Running) -> None:
    tracer.send(event(thrown("Error"), tags={"sql": "SELECT " * 200}, timestamp="yesterday"))
    changes = plain(section(shown(tracer), "issue-changes"))
    assert "tags.sql" in changes
    assert "timestamp" in changes
    assert "yesterday" in changes


def test_contexts_flags_user_and_packages(tracer: Running) -> None:
    tracer.send(
        event(
            thrown("Error"),
            user={"id": "42", "email": "ada@x.test", "geo": {"city": "Leeds"}},
            contexts={
                "flags": {"values": [{"flag": "new-cart", "result": True}]},
                "device": {"model": "Pixel 9"},
            },
            modules={"django": "5.2"},
        )
    )
    page = shown(tracer)
    contexts = section(page, "contexts")[: page.index("</html>")]
    text = plain(page)
    assert "Feature flags" in text
    assert "<dt>new-cart</dt><dd>true</dd>" in page
    assert "<dt>geo</dt><dd>Leeds</dd>" in contexts
    assert "<dt>model</dt><dd>Pixel 9</dd>" in page
    assert "<dt>django</dt><dd>5.2</dd>" in page


def test_why_it_was_grouped_is_said(tracer: Running) -> None:
    tracer.send(failure())
    grouping = plain(section(shown(tracer), "issue-grouping"))
    assert "in-app stack trace" in grouping
    assert "raise_valueerror" in grouping
    assert "grouping version 1" in grouping


def test_hostile_strings_are_only_text(tracer: Running) -> None:
    evil = frame(
        SCRIPT, filename=SCRIPT, context_line=SCRIPT, pre_context=[SCRIPT], vars={SCRIPT: SCRIPT}
    )
    tracer.send(
        event(
            thrown(SCRIPT, evil, value=SCRIPT, module=SCRIPT, mechanism={"type": SCRIPT}),
            thrown("Other", {**evil, "filename": "a.js"}),
            message=SCRIPT,
            transaction=SCRIPT,
            release="1.0",
            environment="prod",
            tags={"k": SCRIPT},
            extra={SCRIPT: {SCRIPT: SCRIPT}},
            user={"id": SCRIPT, "email": SCRIPT},
            contexts={SCRIPT: {SCRIPT: SCRIPT}},
            breadcrumbs=[{"message": SCRIPT, "category": SCRIPT, "data": {SCRIPT: SCRIPT}}],
            request={"url": "javascript:alert(1)", "headers": {"X": SCRIPT}, "data": SCRIPT},
            modules={SCRIPT: SCRIPT},
            sdk={"name": SCRIPT, "version": SCRIPT},
        ),
        items=[({"type": "attachment", "filename": SCRIPT}, b"x")],
    )
    for query in ("", "view=full", "view=raw&order=oldest"):
        page = shown(tracer, query)
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page
        assert 'href="javascript:' not in page


# Ways around ------------------------------------------------------------------------------------


def test_ways_between_events(tracer: Running) -> None:
    now = time.time()
    ids = [tracer.send(failure(timestamp=now - 60 * n)) for n in (3, 2, 1)]
    issue = the_issue(tracer)["id"]
    page = tracer.page(f"/issues/{issue}/events/{ids[1]}/").text
    assert "Event 2 of 3" in page
    for key, event_id in (("k", ids[0]), ("j", ids[2])):
        assert re.search(rf'href="/issues/{issue}/events/{event_id}/"[^>]*data-key="{key}"', page)
    assert "Event 1 of 3" in tracer.page(f"/issues/{issue}/events/oldest/").text
    assert "Event 3 of 3" in tracer.page(f"/issues/{issue}/events/latest/").text
    listed = tracer.page(f"/issues/{issue}/events/").text
    assert [id_ for id_ in ids if f"/events/{id_}/" in listed] == ids


def test_event_as_json_and_issue_as_markdown(tracer: Running) -> None:
    event_id = tracer.send(failure())
    path = path_of(tracer)
    answer = tracer.page(f"{path}events/{event_id}/json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["event_id"] == event_id
    assert "content-disposition" not in answer.headers
    kept = tracer.page(f"{path}events/{event_id}/json?download")
    assert f'filename="{event_id}.json"' in kept.headers["content-disposition"]
    markdown = tracer.page(f"{path}markdown")
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "ValueError" in markdown.text
    assert "shop/cart.py" in markdown.text


def test_attachments_are_saved_and_only_pictures_shown(tracer: Running) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
    tracer.send(
        failure(),
        items=[
            ({"type": "attachment", "filename": "s.png", "content_type": "image/png"}, png),
            ({"type": "attachment", "filename": "x.html", "content_type": "text/html"}, b"<b>"),
        ],
    )
    html = section(shown(tracer), "issue-attachments")
    [picture] = re.findall(r'<img src="(/attachments/\d+\?inline)"', html)
    answer = tracer.page(picture)
    assert answer.content == png
    assert answer.headers["content-disposition"].startswith("inline")
    [other] = re.findall(r'href="(/attachments/\d+)">x\.html', html)
    for path in (other, f"{other}?inline"):
        answer = tracer.page(path)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


def test_actions_give_htmx_the_head_and_the_activity(tracer: Running) -> None:
    tracer.send(failure())
    path = path_of(tracer)
    part = tracer.post(f"{path}resolve", part=True).text
    assert 'id="issue-head"' in part
    assert 'id="issue-activity" hx-swap-oob="true"' in part
    assert "Unresolve" in part
    assert "resolved it" in part
    assert "<html" not in part
    commented = tracer.post(f"{path}comment", {"text": f"Why? {SCRIPT}"}, part=True).text
    assert "Why?" in commented
    assert SCRIPT not in commented
    whole = tracer.post(f"{path}archive")
    assert (whole.status_code, whole.headers["location"]) == (303, path)
    assert "Archived" in shown(tracer)


def test_page_says_what_it_does_not_have(tracer: Running) -> None:
    tracer.send(message="Only a message")
    page = shown(tracer)
    assert "Only a message" in plain(section(page, "message"))
    for id_ in ("issue-stack", "issue-request", "issue-breadcrumbs", "issue-attachments"):
        assert f'id="{id_}"' not in page


def test_other_events_and_other_tenants_are_not_there(tracer: Running) -> None:
    tracer.send(failure())
    mine = path_of(tracer)
    with tracer.meta.write() as tx:
        org_id = create_organization(tx, "rival", "Rival")
        project = create_project(tx, org_id, "secret", "Secret", "python")
    theirs = tracer.send(
        failure("Hidden"), project=project, items=[({"type": "attachment", "filename": "a"}, b"a")]
    )
    row = tracer.meta.read().row("SELECT id FROM issues WHERE project_id = :id", id=project.id)
    attachment = tracer.meta.read().value("SELECT id FROM attachments")
    assert len(issues(tracer)) == 1
    for path in (
        f"/issues/{row[0]}/",
        f"/issues/{row[0]}/events/",
        f"/issues/{row[0]}/events/{theirs}/json",
        f"/issues/{row[0]}/markdown",
        f"/attachments/{attachment}",
        f"{mine}events/{theirs}/",
        f"{mine}events/{theirs}/json",
        f"{mine}events/nonsense/",
    ):
        assert tracer.page(path).status_code == 404, path
    assert tracer.post(f"/issues/{row[0]}/resolve").status_code == 404


def test_panel_of_tags_is_there_when_there_are_some_to_show(tracer: Running) -> None:
    tracer.send(message="plain")
    assert "Tags over all events" not in tracer.page(f"/issues/{the_issue(tracer)['id']}/").text
    tracer.send(message="plain", tags={"colour": "red"})
    assert "Tags over all events" in tracer.page(f"/issues/{the_issue(tracer)['id']}/").text


# Cost -------------------------------------------------------------------------------------------


def test_page_keeps_its_query_budget(tracer: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        tracer.send(failure(tags={f"t{n}": str(number) for n in range(20)}, release="1.0"))
    found = queries.issue(tracer.meta.read(), tracer.reach, int(the_issue(tracer)["id"]))
    assert found is not None
    req = Req(
        tracer=tracer.tracer, method="GET", path="/", query=Query.parse_query(b""), headers={},
        cookies={}, client_ip="", base_url="", reach=tracer.reach,
    )  # fmt: skip
    selects: list[str] = []
    select = tracer.tracer.events.select

    def counting(sql: Any, **params: Any) -> Any:
        selects.append(sql.text)
        return select(sql, **params)

    monkeypatch.setattr(tracer.tracer.events, "select", counting)
    with tracer.meta.counted() as counter:
        event_shown, about = detail.load(req, found, "recommended")
    assert event_shown.view is not None
    assert len(about.folds) >= 20
    assert 1 <= len(selects) <= detail.EVENT_QUERY_BUDGET
    assert counter.count <= detail.QUERY_BUDGET
