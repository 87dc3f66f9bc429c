"""Two people's way through access in Chromium: from the set-up link to being removed again."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Response, expect

from e2e.clients import until
from mail_sink import Mailbox, mail_server
from serving import EMAIL, PASSWORD, Server, untouched

LINUS = "linus@example.com"
GRACE = "grace@example.com"
THEIR_PASSWORD = "seven green kettles whistle"
ISSUE = "CheckoutFailed"
POLICY = "Members only look"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """A tracer that was just started for the first time."""
    with untouched(tmp_path) as started:
        yield started


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as opened:
        yield opened


class Visitor:
    """Somebody's own browser. What it complains of is kept; `expected` are the refusals to come."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.home = f"http://localhost:{server.port}"
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.expected: list[int] = []
        self.complaints: list[str] = []
        self.page.on("response", self._hear)
        self.page.on("console", self._read)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, answer: Response) -> None:
        if answer.status in self.expected:
            self.expected.remove(answer.status)
        elif answer.status >= 400:
            self.complaints.append(f"{answer.status} {answer.request.method} {answer.url}")

    def _read(self, message: ConsoleMessage) -> None:
        # Chromium also prints every refused answer: those are counted above.
        if message.type in ("error", "warning") and "server responded" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.home}{path}")

    def press(self, name: str, inside: Locator | None = None) -> None:
        (inside or self.page).get_by_role("button", name=name, exact=True).first.click()

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.locator("body")).to_contain_text(text)

    def is_in(self) -> None:
        expect(self.page.locator("nav.nav")).to_be_visible()

    def log_out(self) -> None:
        self.press("Log out")
        expect(self.page.get_by_role("heading", name="Log in")).to_be_visible()

    def log_in(self, email: str, password: str) -> None:
        self.go("/login")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.press("Log in")

    def hold_passkeys(self) -> None:
        """The browser gets a device that holds passkeys and always agrees."""
        session = self.context.new_cdp_session(self.page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@pytest.fixture
def visit(browser: Browser, fresh: Server) -> Iterator[Callable[[], Visitor]]:
    """Opens browsers; at the end none may have complained or wait for a refusal."""
    people: list[Visitor] = []
    expect.set_options(timeout=15_000)
    with ExitStack() as stack:
        stack.callback(expect.set_options, timeout=5_000)

        def make() -> Visitor:
            visitor = Visitor(browser, fresh)
            stack.callback(visitor.context.close)
            people.append(visitor)
            return visitor

        yield make
    assert [(one.complaints, one.expected) for one in people] == [([], [])] * len(people)


def test_from_invitation_to_removal(
    fresh: Server, mailbox: Mailbox, visit: Callable[[], Visitor]
) -> None:
    owner, linus, grace = visit(), visit(), visit()
    sign_up(fresh, owner)
    issue = send_issue(fresh, owner)
    make_team(owner, "Payments")
    accept(linus, invite(owner, LINUS, team="payments"))
    set_up_mail(owner, mailbox)
    accept(grace, invite_by_mail(owner, mailbox, GRACE))

    app = add_app(linus)
    add_passkey(linus)
    log_in_with_each(linus, app)
    step_up(fresh, linus)

    linus.go(issue)
    forbid_changes(owner)
    is_refused(linus)

    token = make_token(owner)
    assert asked(fresh, token) == 200
    revoke(owner, "Nightly build")
    assert asked(fresh, token) == 401

    with linus.page.expect_response(lambda answer: "/live/" in answer.url):
        linus.go(issue)
    remove(owner, LINUS)
    linus.sees("Your access to this page has ended")
    linus.page.get_by_role("link", name="Go on").click()
    expect(linus.page.get_by_role("heading", name="Log in")).to_be_visible()
    grace.go("/issues/")
    grace.sees(ISSUE)


def sign_up(server: Server, owner: Visitor) -> None:
    link = re.search(r"/setup/\S+", server.log())
    assert link is not None
    owner.go(link[0])
    owner.page.get_by_label("E-mail address").fill(EMAIL)
    owner.page.get_by_label("Password").fill(PASSWORD)
    owner.press("Create account")
    owner.page.wait_for_url("**/start/")
    owner.is_in()


def send_issue(server: Server, owner: Visitor) -> str:
    """Send an error, which the page that is open waits for; the address of its issue."""
    found = re.search(r"http://[0-9a-f]{32}@\S+/(\d+)", server.log())
    assert found is not None
    server.dsn, server.project_id = found[0], int(found[1])
    event = {"exception": {"values": [{"type": ISSUE, "value": "no stock"}]}}
    path = f"/api/{server.project_id}/store/?sentry_key={server.key}"
    assert server.request("POST", path, json.dumps(event))[0] == 200
    expect(owner.page.locator("#project-waiting")).to_contain_text("Events are arriving")
    owner.page.get_by_role("link", name="See the first issue").click()
    expect(owner.page.get_by_role("heading", name=ISSUE).first).to_be_visible()
    return re.sub(r"^https?://[^/]+", "", owner.page.url)


def make_team(owner: Visitor, name: str) -> None:
    owner.go("/teams/")
    owner.page.get_by_label("Name", exact=True).fill(name)
    owner.press("Create team")
    expect(owner.page.get_by_label("Slug")).to_have_value(name.lower())


def invite(owner: Visitor, email: str, *, team: str = "") -> str:
    """Invite where no mail is set up; the link to hand over."""
    owner.go("/members/")
    owner.page.get_by_label("E-mail address").fill(email)
    if team:
        owner.page.get_by_label("Teams").fill(team)
    owner.press("Invite")
    link = owner.page.get_by_label("link", exact=True).inner_text()
    return link.removeprefix(owner.home)


def set_up_mail(owner: Visitor, mailbox: Mailbox) -> None:
    owner.go("/settings/mail/")
    owner.page.get_by_label("Server", exact=True).fill("127.0.0.1")
    owner.page.get_by_label("Port").fill(str(mailbox.port))
    owner.page.get_by_label("Encryption").select_option("none")
    owner.page.get_by_label("Sender").fill("tracer <tracer@example.com>")
    owner.press("Save")
    owner.sees("The mail server is saved")
    owner.press("Send a test mail")
    owner.sees(f"The test mail was handed over for {EMAIL}")
    assert mailbox.mails.pop()["Subject"] == "Mail from tracer works"


def invite_by_mail(owner: Visitor, mailbox: Mailbox, email: str) -> str:
    """Invite; the link from the mail."""
    owner.go("/members/")
    owner.page.get_by_label("E-mail address").fill(email)
    owner.press("Invite")
    owner.sees(f"on its way to {email}")
    [letter] = until(lambda: mailbox.mails)
    assert letter["To"] == email
    link = re.search(rf"{owner.home}(/invitations/\S+)", letter.get_body(("plain",)).get_content())
    assert link is not None
    return link[1]


def accept(guest: Visitor, link: str) -> None:
    guest.go(link)
    guest.page.get_by_label("Password").fill(THEIR_PASSWORD)
    guest.press("Join")
    guest.is_in()
    guest.expected.append(404)
    guest.go(link)
    guest.sees("This link does not work")
    guest.sees("It has been used already")


def add_app(linus: Visitor) -> pyotp.TOTP:
    """Add an authenticator app by the key on the page."""
    linus.go("/account/security/")
    linus.page.get_by_role("link", name="Add an app").click()
    key = linus.page.get_by_label("key", exact=True).inner_text()
    app = pyotp.TOTP(key.replace(" ", ""))
    linus.page.get_by_label("Code", exact=True).fill(app.now())
    linus.press("Add")
    assert len(linus.page.locator("#recovery-codes").inner_text().split()) == 10
    linus.page.get_by_role("link", name="I have kept them").click()
    return app


def add_passkey(linus: Visitor) -> None:
    linus.hold_passkeys()
    linus.page.locator("#passkey_name").fill("Laptop")
    linus.press("Add a passkey")
    expect(linus.page.locator("#account-factors")).to_contain_text("Laptop")


def log_in_with_each(linus: Visitor, app: pyotp.TOTP) -> None:
    linus.log_out()
    linus.log_in(LINUS, THEIR_PASSWORD)
    # The code of the next half minute counts already; the one just used does not count again.
    code = linus.page.get_by_label("Code from your authenticator app")
    code.fill(app.at(int(time.time()) + 30))
    linus.press("Continue")
    linus.is_in()
    linus.log_out()
    linus.press("Log in with a passkey")
    linus.is_in()


def step_up(server: Server, linus: Visitor) -> None:
    """A quarter of an hour later a new token asks who is there."""
    with closing(sqlite3.connect(server.data / "meta.db", timeout=10)) as meta, meta:
        meta.execute("UPDATE logins SET confirmed_at = 0 WHERE confirmed_at > 0")
    linus.go("/account/tokens/")
    linus.page.get_by_role("link", name="New token").first.click()
    expect(linus.page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    linus.press("Use a passkey")
    linus.page.get_by_label("Name").fill("My script")
    linus.press("Create token")
    linus.sees("It is not shown again")


def forbid_changes(owner: Visitor) -> None:
    """The owner, whose confirmation is over as well, makes a policy after a look at its effect."""
    owner.go("/settings/policies/")
    owner.page.get_by_role("link", name="New policy").first.click()
    owner.page.get_by_label("Password").fill(PASSWORD)
    owner.press("Confirm")
    owner.page.get_by_label("Name", exact=True).fill(POLICY)
    owner.page.get_by_label("Deny").check()
    owner.page.get_by_label("member", exact=True).check()
    owner.page.get_by_label("event:write").check()
    owner.press("Show what changes")
    expect(owner.page.locator("#dry-run")).to_contain_text(LINUS)
    owner.press("Save policy")
    expect(owner.page.get_by_role("link", name=POLICY)).to_be_visible()


def is_refused(linus: Visitor) -> None:
    """The page that was open before the policy says which policy refuses, and stays."""
    linus.expected.append(403)
    linus.press("Resolve")
    expect(linus.page.locator("#toasts")).to_contain_text(POLICY)
    expect(linus.page.get_by_role("heading", name=ISSUE).first).to_be_visible()
    linus.page.reload()
    expect(linus.page.get_by_role("heading", name=ISSUE).first).to_be_visible()
    expect(linus.page.get_by_role("button", name="Resolve", exact=True)).to_have_count(0)


def make_token(owner: Visitor) -> str:
    owner.go("/settings/tokens/")
    owner.page.get_by_role("link", name="New token").first.click()
    owner.page.get_by_label("Name").fill("Nightly build")
    owner.press("Create token")
    return owner.page.get_by_label("token", exact=True).inner_text()


def asked(server: Server, token: str) -> int:
    """What the API answers to a token."""
    bearer = {"Authorization": f"Bearer {token}"}
    return server.request("GET", "/api/0/organizations/", headers=bearer)[0]


def revoke(owner: Visitor, name: str) -> None:
    owner.go("/settings/tokens/")
    row = owner.page.get_by_role("listitem").filter(has_text=name)
    row.get_by_role("button", name="Revoke").first.click()
    owner.press("Revoke", owner.page.locator("[popover]:popover-open"))
    owner.sees("The token is revoked")


def remove(owner: Visitor, email: str) -> None:
    owner.go("/members/")
    owner.page.get_by_role("link", name=f"Manage {email}").click()
    owner.press("Remove member")
    owner.press("Remove", owner.page.locator(".dialog:popover-open"))
    owner.sees(f"{email} is no member any more")
