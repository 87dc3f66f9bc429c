"""A real server, real SDKs and a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from serving import Server, tracer

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One tracer for a file of tests, set up, logged in."""
    with tracer() as started:
        started.login()
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for a file of tests: Playwright's event loop must be gone before other tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, logged in as `server` is, and fails the test for what the browser complains of.

    Complaints are errors and warnings on the console (violations of the content security policy are
    such), uncaught exceptions, and answers of 400 and more.
    """
    complaints: list[str] = []
    contexts = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.page and message.page.url}: {message.text}")

    def on_response(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.request.method} {response.url}")

    def make(server: Server | None = None, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        if server is not None:
            context.add_cookies(
                [{"name": k, "value": v, "url": server.url} for k, v in server.cookies.items()]
            )
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("response", on_response)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []
