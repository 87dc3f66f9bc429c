"""Hostile text in every field and every name, in a real browser: nothing of it runs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest
from playwright.sync_api import Browser, Page

from security.hostile import EVENT, EVIL, everywhere
from security.poisoned import INVITATION, poison
from serving import PROJECT, Server, tracer

EVENT_ID = "e" * 32
#: Tells when hostile text runs as a script, and of all that the content security policy stopped.
WATCH = """
    window.ran = []; window.stopped = [];
    window.evil = () => window.ran.push(location.pathname);
    window.alert = window.prompt = window.confirm = window.evil;
    addEventListener('securitypolicyviolation',
        event => window.stopped.push(event.violatedDirective + ' ' + event.blockedURI));
"""
#: Elements and attributes that only hostile text could have made.
PROBES = "xss-probe, [xssprobe], img[src=x], [onerror], [onload], a[href^='javascript:' i]"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One tracer where everything that can be is called something hostile."""
    with tracer() as started:
        started.login()
        event = {**everywhere(EVENT), "event_id": EVENT_ID, "platform": "python"}
        send(started, event)
        started.settle(1)
        with contextlib.closing(apsw.Connection(str(started.data / "meta.db"))) as meta:
            meta.set_busy_timeout(5000)
            with meta:
                poison(meta.execute, int(time.time() * 1000))
        yield started


def send(server: Server, event: dict[str, Any]) -> None:
    payload = json.dumps(event)
    body = f'{{"event_id":"{EVENT_ID}","dsn":"{server.dsn}"}}\n{{"type":"event"}}\n{payload}\n'
    path = f"/api/{server.project_id}/envelope/?sentry_key={server.key}"
    status, _, answer = server.request("POST", path, body.encode())
    assert status == 200, answer


def pages(server: Server) -> list[str]:
    [(issue_id,)] = server.rows("SELECT id FROM issues")
    [(policy_id,)] = server.rows("SELECT max(id) FROM policies")
    return [
        "/issues/?q=",
        f"/issues/{issue_id}/",
        f"/issues/{issue_id}/events/{EVENT_ID}/?view=full",
        f"/projects/{PROJECT}/keys/",
        "/members/",
        "/settings/audit/",
        "/settings/policies/",
        f"/settings/policies/{policy_id}/",
        "/account/security/",
    ]


def look(page: Page, url: str) -> None:
    """Opens a page and all that is folded in it, and looks for traces of what would run."""
    page.goto(url)
    page.evaluate(OPEN_ALL)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.ran") == [], url
    assert page.evaluate("window.stopped") == [], url
    assert page.locator(PROBES).count() == 0, url
    assert "evil()" in page.locator("body").inner_text(), f"{url} shows nothing hostile"


def test_hostile_text_runs_on_no_page(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(server)
    page.add_init_script(WATCH)
    for path in pages(server):
        look(page, server.url + path)


def test_hostile_text_does_not_run_by_what_scripts_put_into_the_page(
    server: Server, open_page: Callable[..., Page]
) -> None:
    """htmx swaps answers into the page: a search, with the hostile text as its words."""
    page = open_page(server)
    page.add_init_script(WATCH)
    look(page, f"{server.url}/issues/?q=")
    box = page.get_by_label("Search issues")
    # Matches nothing and is shown again; then what matches.
    for words in (f'"{EVIL[:60]}', "xss-probe", "is:unresolved"):
        box.fill(words)
        with page.expect_response(lambda answer: "/issues/" in answer.url):
            box.press("Enter")
        page.wait_for_load_state("networkidle")
        assert page.locator(PROBES).count() == 0
    assert page.evaluate("[window.ran, window.stopped]") == [[], []]


def test_hostile_text_does_not_run_for_who_is_invited(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.add_init_script(WATCH)
    look(page, f"{server.url}/invitations/{INVITATION}")


def test_policy_stops_what_would_run_all_the_same(server: Server, browser: Browser) -> None:
    """The second line of defence, and the proof that the tests above would see it."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"{server.url}/login")
        page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", EVIL)
        page.wait_for_function("window.stopped.length > 0")
        assert page.evaluate("window.ran") == []
        assert page.locator(PROBES).count() > 0
        for source in ("data:text/javascript,evil()", "https://evil.example/x.js"):
            page.evaluate(
                """src => new Promise(done => {
                    const script = document.createElement('script');
                    script.onload = script.onerror = done;
                    script.src = src;
                    document.body.append(script);
                })""",
                source,
            )
        framed = page.evaluate(
            """url => new Promise(done => {
                const frame = document.createElement('iframe');
                frame.onload = () => done(frame.contentDocument === null);
                frame.src = url;
                document.body.append(frame);
            })""",
            f"{server.url}/login",
        )
        assert framed, "the page can be put into a frame"
        assert page.evaluate("window.ran") == []
    finally:
        context.close()
