"""What a page with @sentry/browser sends from another origin than tracer's, in Chromium."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from e2e.clients import entry, event, outcomes, until
from e2e.shop_site import shop_site
from serving import ORGANIZATION, PROJECT, Server, tracer

INFLIGHT_BYTES = 200_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A tracer that holds little at once, so that a large request is put off."""
    with tracer(inflight_bytes=INFLIGHT_BYTES) as started:
        yield started


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with shop_site() as address:
        yield address


@pytest.fixture(scope="module")
def shop(server: Server, site: str, browser: Browser) -> Iterator[Any]:
    """Opens the shop with options for its SDK."""
    context = browser.new_context()

    def open_shop(**options: str) -> Page:
        page = context.new_page()
        query = urllib.parse.urlencode({"dsn": server.dsn, **options})
        page.goto(f"{site}/shop.html?{query}")
        page.wait_for_function("window.ready")
        return page

    yield open_shop
    context.close()


def newest(server: Server, title: str) -> dict[str, Any]:
    """The latest event of the issue with this title."""
    path = f"/api/0/projects/{ORGANIZATION}/{PROJECT}/issues/?query={urllib.parse.quote(title)}"
    [issue] = until(lambda: server.api(path))
    return event(server, server.api(f"/api/0/issues/{issue['id']}/events/latest/")["id"])


def test_unhandled_error_of_a_click_is_shown_with_its_stack(server: Server, shop: Any) -> None:
    shop().click("#checkout")
    found = newest(server, "cannot reserve tea")
    [exception] = entry(found, "exception")["values"]
    assert (exception["type"], exception["value"]) == ("TypeError", "cannot reserve tea")
    assert exception["mechanism"]["handled"] is False
    frame = exception["stacktrace"]["frames"][-1]
    assert frame["function"] == "reserve"
    assert frame["filename"].endswith("/shop.js")
    assert (frame["lineNo"] > 0, frame["colNo"] > 0) == (True, True)
    clicks = [crumb["category"] for crumb in entry(found, "breadcrumbs")["values"]]
    assert "ui.click" in clicks
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    assert tags["customer_tier"] == "bronze"
    assert "Chrome" in tags["browser"]
    assert entry(found, "request")["url"].partition("?")[0].endswith("/shop.html")


def test_rejected_promise_arrives_through_the_tunnel_only(server: Server, shop: Any) -> None:
    page = shop(tunnel=f"{server.url}/tunnel")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_request(f"{server.url}/tunnel"):
        page.click("#promise")
    assert newest(server, "paying took too long")["platform"] == "javascript"
    page.wait_for_timeout(100)
    sent = [url for url in asked if url.startswith(server.url)]
    assert set(sent) == {f"{server.url}/tunnel"}


def test_feedback_is_stored(server: Server, shop: Any) -> None:
    shop().click("#feedback")
    path = f"/api/0/projects/{ORGANIZATION}/{PROJECT}/user-feedback/"
    [written] = until(lambda: server.api(path))
    assert (written["comments"], written["email"]) == ("The button is broken", "joan@example.com")


def test_spans_and_sessions_of_a_page_are_counted_as_unsupported(server: Server, shop: Any) -> None:
    shop().click("#pay")
    for category in ("session", "span"):
        found = until(lambda category=category: outcomes(server, category))
        assert set(found) == {"unsupported"}


def test_page_reads_why_and_how_long_it_is_put_off(server: Server, shop: Any) -> None:
    """The headers are exposed to other origins, and a preflighted request is let through."""
    answer = shop().evaluate(
        """async ([address, size]) => {
            const answer = await fetch(address, {
                method: "POST",
                headers: { "Content-Type": "application/x-sentry-envelope" },
                body: "x".repeat(size),
            });
            const { headers, status } = answer;
            return [status, headers.get("retry-after"), headers.get("x-sentry-error")];
        }""",
        [
            f"{server.url}/api/{server.project_id}/envelope/?sentry_key={server.key}",
            INFLIGHT_BYTES + 1,
        ],
    )
    status, retry_after, reason = answer
    assert status == 503
    assert int(retry_after) > 0
    assert "in flight" in reason
