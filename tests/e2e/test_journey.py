"""A person's way through the pages in Chromium, with whatever the browser complains of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from e2e.clients import PYTHON_CLIENT, run
from serving import EMAIL, PASSWORD, Server, untouched

PLAIN = re.compile(r"/(attachments|logout|api/0)/|/(json|markdown)$")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """A tracer that was just started for the first time."""
    with untouched(tmp_path) as started:
        found = re.search(r"http://[0-9a-f]{32}@\S+/(\d+)", started.log())
        assert found is not None, started.log()
        started.dsn, started.project_id = found[0], int(found[1])
        yield started


def send(server: Server, type_: str, value: str = "no stock") -> None:
    """An error of its own issue, and the wait until it is stored."""
    before = server.stored()
    frame = {"filename": "cart.py", "function": f"raise_{type_.lower()}", "in_app": True}
    exception = {"type": type_, "value": value, "stacktrace": {"frames": [frame]}}
    path = f"/api/{server.project_id}/store/?sentry_key={server.key}"
    status, _, _ = server.request("POST", path, json.dumps({"exception": exception}))
    assert status == 200
    server.settle(before + 1)


def test_from_the_set_up_link_to_the_first_issue(
    fresh: Server, open_page: Callable[..., Page]
) -> None:
    link = re.search(r"http://\S+/setup/\S+", fresh.log())
    assert link is not None
    page = open_page()
    page.goto(link[0])
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("button", name="Python", exact=True).click()
    expect(page.get_by_text(fresh.key).first).to_be_visible()
    waiting = page.locator("#project-waiting")
    expect(waiting).to_contain_text("Waiting for the first event")

    run(PYTHON_CLIENT, fresh, "chained", wait=False, password="hunter2")

    expect(waiting).to_contain_text("Events are arriving")
    waiting.get_by_role("link", name="See the first issue").click()
    expect(page.get_by_role("heading", name="CheckoutFailed").first).to_be_visible()
    stack = page.locator("#issue-stack")
    expect(stack).to_contain_text("OutOfStock")
    expect(stack).to_contain_text("raise OutOfStock")
    expect(stack.locator("dt", has_text="customer").first).to_be_visible()
    expect(page.get_by_text("added tea to the cart", exact=True)).to_be_visible()


def test_sample_event_shows_how_an_issue_looks(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page(server)
    page.goto(f"{server.url}/projects/new")
    page.get_by_text("Flutter", exact=True).click()
    page.get_by_label("Name").fill("Till")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="Flutter")).to_be_visible()
    page.get_by_role("button", name="Send a sample event").click()
    expect(page.locator("#project-waiting")).to_contain_text("Events are arriving")
    page.get_by_role("link", name="See the first issue").click()
    expect(page.locator("#issue-stack")).to_contain_text(".dart")


def test_triage_by_keyboard(server: Server, open_page: Callable[..., Page]) -> None:
    for type_ in ("FirstError", "SecondError", "ThirdError", "FourthError"):
        send(server, type_)
    page = open_page(server)
    page.goto(f"{server.url}/issues/?project=shop")
    current = page.locator("[data-row][data-current]")
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(4)

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(current).to_contain_text("ThirdError")
    page.keyboard.press("k")
    expect(current).to_contain_text("FourthError")
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="FourthError").first).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("u")
    expect(rows.first).to_be_visible()
    page.goto(f"{server.url}/issues/?project=shop")

    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-selected-count]")).to_contain_text("2")
    page.keyboard.press("r")
    expect(rows).to_have_count(2)
    assert statuses(server) == {
        "FourthError": "resolved",
        "ThirdError": "resolved",
        "SecondError": "unresolved",
        "FirstError": "unresolved",
    }

    page.keyboard.press("j")
    archived = current.locator("b").first.inner_text()
    page.keyboard.press("a")
    expect(rows).to_have_count(1)
    assert statuses(server)[archived] == "ignored"

    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def statuses(server: Server) -> dict[str, str]:
    found = server.api("/api/0/projects/acme/shop/issues/?query=")
    return {issue["metadata"]["type"]: issue["status"] for issue in found}


def test_open_list_says_when_something_new_came(
    server: Server, open_page: Callable[..., Page]
) -> None:
    send(server, "OldError")
    page = open_page(server)
    with page.expect_response(lambda response: "/live/" in response.url):
        page.goto(f"{server.url}/issues/")
    expect(page.locator("#issue-live")).to_be_hidden()
    send(server, "NewError")
    page.locator("#issue-live").click()
    expect(page.locator("[data-row]").first).to_contain_text("NewError")


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1440), ("dark", 390)], ids=["wide light", "narrow dark"]
)
def test_every_page_opens_and_fits(
    server: Server, open_page: Callable[..., Page], scheme: str, width: int
) -> None:
    """Follows every link of one's own pages, each kind of address once."""
    if not server.rows("SELECT 1 FROM attachments"):
        run(PYTHON_CLIENT, server, "chained", password="hunter2")
    page = open_page(server, color_scheme=scheme, viewport={"width": width, "height": 900})
    waiting, seen = ["/issues/"], set()
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"[0-9a-f]{32}|\d+", "N", path)
        if kind in seen or PLAIN.search(path):
            continue
        seen.add(kind)
        answer = page.goto(server.url + path)
        assert answer is not None
        assert answer.status == 200, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        links = page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)")
        waiting += [urlsplit(link).path for link in links if link.startswith(server.url)]
    assert seen >= {
        *("/issues/", "/issues/N/", "/issues/N/events/", "/issues/N/events/N/"),
        *("/projects/", "/projects/new", "/projects/shop/", "/projects/shop/keys/"),
        *("/feedback/", "/members/", "/account/", "/account/tokens/", "/api/docs"),
    }, seen


def test_login_and_logout(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{server.url}/issues/")
    assert urlsplit(page.url).path == "/login"
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/issues/*")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login*")
