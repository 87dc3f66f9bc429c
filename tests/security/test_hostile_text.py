"""Hostile text in every field of an event and in every name: pages show it and nothing else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from harness import envelope
from security.hostile import CSP, EVENT, EVIL, URL, Page, everywhere, poisoned, wrong_in
from security.shown import Shown
from tracer import clock

BRIEF = "'\"><xss-probe>"
LANGUAGES = (
    "py",
    "js",
    "tsx",
    "vue",
    "java",
    "cs",
    "rb",
    "erb",
    "php",
    "go",
    "rs",
    "cpp",
    "sql",
    "html",
)


def test_every_field_of_an_event_is_shown_as_text(shown: Shown) -> None:
    shown.send(dict(poisoned(EVENT)))
    wrong, seen = {}, 0
    for place, event_id in shown.places.items():
        path = f"/issues/{shown.issue_of(event_id)}/events/{event_id}/"
        answer = shown.page(path)
        assert answer.status == 200, place
        page = Page(answer.text)
        seen += "evil()" in page.text
        if page.wrong:
            wrong[place] = page.wrong
    assert wrong == {}
    assert seen > len(shown.places) * 2 // 3, "most of the fields are shown"


@pytest.mark.parametrize("view", ["app", "full", "raw"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_event_that_is_hostile_throughout_is_shown_as_text(
    shown: Shown, view: str, order: str
) -> None:
    event_id = shown.app.send({**everywhere(EVENT), "platform": "python", "fingerprint": [view]})
    issue_id = shown.issue_of(event_id)
    query = f"?view={view}&order={order}&type={quote(BRIEF)}&level={quote(BRIEF)}"
    for path in (f"/issues/{issue_id}/{query}", f"/issues/{issue_id}/events/"):
        answer = shown.page(path)
        assert (answer.status, wrong_in(answer.text)) == (200, [])
    shown_as_code = shown.page(f"/issues/{issue_id}/?view={view}&order={order}")
    assert wrong_in(shown_as_code.text) == []


@pytest.mark.parametrize("ending", LANGUAGES)
def test_source_lines_are_coloured_and_stay_text(shown: Shown, ending: str) -> None:
    lines = [
        EVIL,
        f"'''{EVIL}",
        f"/* {EVIL}",
        f"<!-- {EVIL}",
        f"`{EVIL}",
        "</span></code></pre>" + EVIL,
    ]
    frames = [
        {
            "filename": f"a.{ending}",
            "function": f"f{place}",
            "lineno": 3,
            "pre_context": [line, EVIL],
            "context_line": line,
            "post_context": [EVIL, line],
            "in_app": True,
        }
        for place, line in enumerate(lines)
    ]
    event = {
        "exception": {"values": [{"type": ending, "value": "x", "stacktrace": {"frames": frames}}]}
    }
    event_id = shown.app.send(event)
    answer = shown.page(f"/issues/{shown.issue_of(event_id)}/?view=full")
    page = Page(answer.text)
    assert (answer.status, page.wrong) == (200, [])
    assert page.text.count("xss-probe") >= len(lines)


def test_security_reports_are_shown_as_text(shown: Shown) -> None:
    app = shown.app
    for _, report in poisoned_reports():
        app.visitor.post(
            f"/api/{app.project.id}/security/?sentry_key={app.key}",
            content=json.dumps(report),
            headers={"Content-Type": "application/csp-report"},
        )
    app.digest()
    reader = app.meta.read()
    ids = [row[0] for row in reader.rows("SELECT id FROM issues WHERE title LIKE '%locked%'")]
    for issue_id in ids or [row[0] for row in reader.rows("SELECT id FROM issues")][-3:]:
        answer = shown.page(f"/issues/{issue_id}/")
        assert (answer.status, wrong_in(answer.text)) == (200, []), issue_id


def poisoned_reports() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for key, value in CSP["csp-report"].items():
        if isinstance(value, str):
            for text in (EVIL, URL, f"https://shop.example/{EVIL}"):
                found.append((key, {"csp-report": {**CSP["csp-report"], key: text}}))
    return found


def test_hostile_feedback_and_attachments_are_shown_as_text(shown: Shown) -> None:
    app, event_id = shown.app, clock.new_id()
    report = {"event_id": event_id, "name": EVIL, "email": EVIL, "comments": EVIL}
    feedback = {
        "contexts": {
            "feedback": {
                "message": EVIL,
                "name": EVIL,
                "contact_email": EVIL,
                "url": URL,
                "source": EVIL,
                "associated_event_id": event_id,
            }
        },
        "environment": EVIL[:60],
        "release": EVIL,
    }
    files = [
        ({"type": "attachment", "filename": name, "content_type": kind}, b"<script>evil()</script>")
        for name, kind in ((EVIL, "text/html"), ("x.svg", "image/svg+xml"), (EVIL + "2", EVIL))
    ]
    app.send({"event_id": event_id, "message": "with files"}, items=files)
    app.send(items=[({"type": "user_report"}, report)])
    app.post_envelope(envelope({"event_id": clock.new_id()}, [({"type": "feedback"}, feedback)]))
    app.digest()
    issue_id = shown.issue_of(event_id)
    for path in (
        "/feedback/?status=all",
        f"/feedback/of-issue/{issue_id}/",
        f"/issues/{issue_id}/",
    ):
        page = Page(shown.page(path).text)
        assert page.wrong == []
        assert "evil()" in page.text
    rows = app.meta.read().rows("SELECT id FROM attachments")
    assert len(rows) == 3
    for (attachment_id,) in rows:
        for query in ("", "?inline"):
            answer = shown.page(f"/attachments/{attachment_id}{query}")
            disposition = answer.header("content-disposition")
            assert disposition.startswith("attachment; filename=")
            assert disposition.count('"') == 2
            assert "sandbox" in answer.header("content-security-policy")
            assert answer.header("content-type") not in (
                "text/html",
                "image/svg+xml; charset=utf-8",
            )
            assert answer.header("x-content-type-options") == "nosniff"


REFLECTED = [
    "/issues/?query={}",
    "/issues/?environment={0}&release={0}&assigned={0}&sort={0}&period={0}&cursor={0}&level={0}",
    "/issues/?project={}",
    "/feedback/?status={0}&project={0}&cursor={0}",
    "/login?next={}",
    "/login?next=/{}",
    "/setup/{}",
    "/projects/{}/",
    "/projects/new?platform={}",
    "/issues/{}/",
    "/nowhere/{}",
    "/static/{0}/{0}",
    "/members/?q={0}&query={0}",
]


@pytest.mark.parametrize("path", REFLECTED)
@pytest.mark.parametrize("text", [EVIL, URL], ids=["markup", "address"])
def test_text_of_the_address_is_repeated_as_text(shown: Shown, path: str, text: str) -> None:
    for filled in (path.format(quote(text, safe="")), path.format(text.replace("/", ""))):
        for headers in ({"cookie": shown.cookie}, {}):
            answer = shown.door.ask("GET", filled, headers)
            assert answer.status < 500
            if "html" in answer.header("content-type"):
                assert wrong_in(answer.text) == []


def test_every_page_takes_any_query(shown: Shown) -> None:
    """Filters that pages have and others may get: the same hostile text under each name."""
    names = (
        "q",
        "query",
        "search",
        "actor",
        "action",
        "from",
        "to",
        "page",
        "status",
        "next",
        "user",
    )
    query = "&".join(f"{name}={quote(EVIL)}" for name in names)
    for path in shown.pages_without_places():
        answer = shown.page(f"{path}?{query}")
        assert answer.status < 500, path
        if "html" in answer.header("content-type"):
            assert wrong_in(answer.text) == [], path


def test_dialog_script_cannot_be_broken_out_of(shown: Shown) -> None:
    """Its texts come from the address, and a page may put the script anywhere."""
    app = shown.app
    dsn = quote(f"http://{app.key}@testserver/{app.project.id}")
    text = quote(EVIL + '\u2028\\"; evil(); "')
    answer = shown.door.ask(
        "GET",
        f"/api/embed/error-page/?dsn={dsn}&eventId={'a' * 32}"
        f"&title={text}&name={text}&labelName={text}",
    )
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/javascript")
    config = answer.text.rpartition("})(")[2].removesuffix(");\n")
    assert not set(config) & set("<>&\u2028\u2029")
    assert json.loads(config)["title"].startswith("evil</title>")


def test_texts_that_are_no_pages_never_say_they_are(shown: Shown) -> None:
    event_id = shown.app.send({**everywhere(EVENT), "platform": "python"})
    issue_id = shown.issue_of(event_id)
    for path, kind in {
        f"/issues/{issue_id}/markdown": "text/markdown",
        f"/issues/{issue_id}/events/{event_id}/json": "application/json",
        f"/issues/{issue_id}/events/{event_id}/json?download": "application/json",
    }.items():
        answer = shown.page(path)
        assert answer.status == 200
        assert answer.header("content-type").startswith(kind)
        assert answer.header("x-content-type-options") == "nosniff"
