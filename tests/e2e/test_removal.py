"""Open pages of somebody who is removed, or may see less, end in the browser: two people, two
browsers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from serving import Server, tracer

OTHER = "linus@example.com"
PASSWORD = "seven purple lamps sleep"
OVER = "Your access to this page has ended"


@pytest.fixture
def server() -> Iterator[Server]:
    with tracer() as started:
        started.login()
        yield started


def invited(server: Server, owner: Page, newcomer: Page, role: str) -> None:
    """The owner hands a link over, the newcomer accepts."""
    owner.goto(f"{server.url}/members/")
    owner.get_by_label("E-mail address", exact=True).fill(OTHER)
    owner.locator("form[action='/members/invitations'] [name=role]").select_option(role)
    owner.get_by_role("button", name="Invite", exact=True).click()
    link = owner.locator(".copy-line code").inner_text()
    newcomer.goto(link)
    newcomer.get_by_label("Password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Join").click()
    newcomer.wait_for_url("**/issues/")


def manage(server: Server, owner: Page) -> None:
    owner.goto(f"{server.url}/members/")
    owner.get_by_role("link", name=f"Manage {OTHER}").click()


def test_removal_ends_every_open_page_of_the_other_browser(
    server: Server, open_page: Callable[..., Page]
) -> None:
    owner, other = open_page(server), open_page()
    watching = owner.context.new_page()
    invited(server, owner, other, "member")
    pages = {path: other.context.new_page() for path in ("/projects/shop/", "/teams/", "/account/")}
    for path, page in pages.items():
        page.goto(server.url + path)
    watching.goto(f"{server.url}/members/")
    manage(server, owner)
    owner.get_by_role("button", name="Remove member").click()
    owner.locator(".dialog:popover-open").get_by_role("button", name="Remove").click()
    for page in (other, *pages.values()):
        expect(page.get_by_text(OVER)).to_be_visible(timeout=5000)
        assert page.locator("main").count() == 0, "what the page showed is gone"
    expect(watching.get_by_role("link", name="Manage").first).to_be_visible()
    other.get_by_role("link", name="Go on").click()
    other.wait_for_url(re.compile("/login"))


def test_lower_role_ends_the_pages_that_it_may_not_see(
    server: Server, open_page: Callable[..., Page]
) -> None:
    owner, other = open_page(server), open_page()
    invited(server, owner, other, "admin")
    second = other.context.new_page()
    other.goto(f"{server.url}/projects/new")
    second.goto(f"{server.url}/projects/")
    manage(server, owner)
    owner.locator("main [name=role]").select_option("viewer")
    owner.get_by_role("button", name="Save").click()
    expect(other.get_by_text(OVER)).to_be_visible(timeout=5000)
    second.wait_for_timeout(1000)
    expect(second.get_by_text(OVER)).to_have_count(0)


def test_own_changes_leave_the_own_pages_open(
    server: Server, open_page: Callable[..., Page]
) -> None:
    owner = open_page(server)
    aside = owner.context.new_page()
    aside.goto(f"{server.url}/projects/")
    owner.goto(f"{server.url}/settings/")
    owner.get_by_label("Every member sees every project").uncheck()
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("The settings are saved")).to_be_visible()
    for page in (owner, aside):
        page.wait_for_timeout(800)
        expect(page.get_by_text(OVER)).to_have_count(0)
