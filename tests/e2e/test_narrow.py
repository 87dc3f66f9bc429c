"""What fits a phone, whatever the events hold, and ways back that keep what was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from serving import Server

WIDTH = 390
LONG_NAME = "Maximiliane von und zu Langenscheidt-Niederwaldkirchen"
LONG = "Averylongnamewithoutaplacetobreakit"


def post(server: Server, *items: tuple[str, dict[str, Any]]) -> None:
    """One envelope; with an event it returns when that is stored."""
    parts = [b"{}"]
    for kind, item in items:
        payload = json.dumps(item).encode()
        parts += [json.dumps({"type": kind, "length": len(payload)}).encode(), payload]
    before = server.stored()
    path = f"/api/{server.project_id}/envelope/?sentry_key={server.key}"
    status, _, answer = server.request("POST", path, b"\n".join(parts))
    assert status == 200, answer
    server.settle(before + sum(kind == "event" for kind, _ in items))


def long_event(event_id: str) -> dict[str, Any]:
    """Every text of it is longer than a line, most without a place to break it."""
    frame = {
        "filename": "a/" * 60 + "x.py",
        "function": LONG * 4,
        "lineno": 3,
        "context_line": "x = " + "1 + " * 50,
        "in_app": True,
        "vars": {LONG * 2: LONG * 10},
    }
    exception = {"type": LONG * 4, "value": LONG * 10, "stacktrace": {"frames": [frame]}}
    return {
        "event_id": event_id,
        "platform": "python",
        "release": "shop@" + "9" * 80,
        "environment": "production-with-a-long-name-of-its-region-eu-west-1",
        "transaction": "/api/" + "segment/" * 20,
        "user": {"id": "u" * 120},
        "tags": {"k" * 32: "v" * 190},
        "exception": {"values": [{**exception, "mechanism": {"type": "m" * 90, "handled": False}}]},
        "breadcrumbs": {"values": [{"category": "http", "message": LONG, "data": {"u": LONG * 9}}]},
    }


def assert_fits(page: Page) -> None:
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), page.url


def assert_in_sight(element: Locator) -> None:
    """All of it is between the left and the right edge of the phone."""
    box = element.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= WIDTH


def test_long_values_stay_inside_their_place(
    server: Server, open_page: Callable[..., Page]
) -> None:
    event_id = uuid4().hex
    post(server, ("event", long_event(event_id)))
    said = {"name": LONG_NAME, "email": f"{LONG}@example.com", "comments": LONG * 9}
    post(server, ("user_report", {"event_id": event_id, **said}))
    page = open_page(
        server, viewport={"width": WIDTH, "height": 844}, has_touch=True, is_mobile=True
    )
    page.goto(f"{server.url}/account/")
    page.get_by_label("Name").fill(LONG_NAME)
    page.get_by_role("button", name="Save").click()

    page.goto(f"{server.url}/issues/")
    assert_fits(page)
    page.locator("[data-select]").first.check()
    page.locator(".bulk summary").click()
    assert_in_sight(page.locator(".bulk .menu-list"))
    assert_fits(page)

    page.keyboard.press("Escape")
    page.locator("[data-open]").first.click()
    actions = page.locator("#issue-head form")
    actions.get_by_label("More ways to resolve").click()
    assert_in_sight(actions.locator("details[open] .menu-list"))
    actions.locator("summary", has_text="Assign").click()
    assert_in_sight(actions.locator("details[open] .menu-list"))
    actions.get_by_role("button", name=LONG_NAME).click()
    expect(actions.locator("summary", has_text=LONG_NAME)).to_be_visible()
    buttons = [
        actions.get_by_role("button", name="Resolve", exact=True),
        actions.locator("summary", has_text=LONG_NAME),
        actions.get_by_role("button", name="Delete", exact=True).first,
    ]
    for button in buttons:
        assert_in_sight(button)
    tops = {button.evaluate("shown => shown.getBoundingClientRect().top") for button in buttons}
    assert len(tops) == 1, "the actions are in one line"
    page.locator("#issue-activity").scroll_into_view_if_needed()
    expect(page.locator("#feedback-panel .feedback")).to_be_visible()
    assert_fits(page)

    page.get_by_role("link", name="All events").click()
    row = page.locator("tr[data-row]").first
    for cell in row.locator("td").all():
        assert_in_sight(cell)
    expect(row.locator("td", has_text="shop@999")).to_be_visible()
    page.goto(f"{server.url}/feedback/")
    expect(page.locator(".feedback", has_text=LONG_NAME)).to_be_visible()
    assert_fits(page)


def test_lists_of_the_organization_show_all_they_say(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page(server, viewport={"width": WIDTH, "height": 844})
    page.goto(f"{server.url}/teams/")
    page.get_by_label("Name", exact=True).fill(f"{LONG_NAME} {LONG}")
    page.get_by_role("button", name="Create team").click()
    page.wait_for_url("**/teams/*/")
    page.goto(f"{server.url}/teams/")
    for cell in page.locator("table td").all():
        assert_in_sight(cell)

    page.goto(f"{server.url}/members/")
    page.get_by_label("E-mail address").first.fill(f"{LONG}@example.com")
    page.get_by_role("button", name="Invite", exact=True).click()
    invited = page.locator("tr", has_text=f"{LONG}@example.com")
    expect(invited.get_by_text("member · ends in 7 d")).to_be_visible()
    for button in invited.get_by_role("button").all():
        assert_in_sight(button)
    assert_fits(page)


@pytest.mark.parametrize("width", [WIDTH, 1440])
def test_guide_is_never_covered_by_what_waits_for_the_first_event(
    server: Server, open_page: Callable[..., Page], width: int
) -> None:
    page = open_page(server, viewport={"width": width, "height": 844})
    page.goto(f"{server.url}/projects/shop/start/javascript-nextjs/")
    expect(page.locator("#project-waiting")).to_be_attached()
    covered = page.evaluate(
        """() => {
          const found = [];
          for (let y = 0; y < document.body.scrollHeight; y += 100) {
            scrollTo(0, y);
            const over = document.getElementById("project-waiting").getBoundingClientRect();
            for (const code of document.querySelectorAll(".code-block, .copy-line, .step")) {
              const under = code.getBoundingClientRect();
              if (over.top < under.bottom && under.top < over.bottom &&
                  over.left < under.right && under.left < over.right) found.push(y);
            }
          }
          return found;
        }"""
    )
    assert covered == []


def test_back_key_returns_to_the_list_as_it_was(
    server: Server, open_page: Callable[..., Page]
) -> None:
    for text in ("first", "second"):
        event = {"event_id": uuid4().hex, "level": "warning", "message": "low on tea"}
        post(server, ("event", {**event, "extra": {"at": text}}))
    page = open_page(server)
    page.goto(f"{server.url}/issues/?q=tea")
    page.get_by_label("Level", exact=True).select_option("warning")
    page.wait_for_url("**level=warning*")
    left = page.url
    assert "q=tea" in left

    page.keyboard.press("j")
    page.keyboard.press("o")
    page.wait_for_url("**/issues/*/")
    page.locator("[data-key=j], [data-key=k]").first.click()
    page.wait_for_url("**/events/*/")
    page.wait_for_load_state()
    page.keyboard.press("u")
    page.wait_for_url(left)
    expect(page.locator("[data-row]")).to_have_count(1)


def test_feedback_of_a_project_shows_when_it_is_chosen(
    server: Server, open_page: Callable[..., Page]
) -> None:
    event_id = uuid4().hex
    post(server, ("event", {"event_id": event_id, "message": "no tea"}))
    said = {"name": "Rosa", "email": "rosa@example.com", "comments": "The tea is gone."}
    post(server, ("user_report", {"event_id": event_id, **said}))
    page = open_page(server)
    page.goto(f"{server.url}/projects/new")
    page.get_by_text("Rust", exact=True).click()
    page.get_by_label("Name").fill("Silent")
    page.get_by_role("button", name="Create project").click()
    page.wait_for_url("**/start/**")

    page.goto(f"{server.url}/feedback/")
    rosa = page.locator(".feedback", has_text="The tea is gone.")
    expect(rosa).to_be_visible()
    expect(page.get_by_role("button", name="Show", exact=True)).to_be_hidden()
    page.get_by_label("Project").select_option(label="Silent")
    expect(page.get_by_text("No open feedback")).to_be_visible()
    page.go_back()
    expect(rosa).to_be_visible()
