"""Passkeys and authenticator apps in Chromium, with its own virtual authenticator."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import CDPSession, Page, expect

from serving import EMAIL, PASSWORD, Server, tracer

# Longer than a login counts as just confirmed.
LONG_AGO = "UPDATE logins SET confirmed_at = 0"


@pytest.fixture
def server() -> Iterator[Server]:
    """One tracer for each test: an account's factors are its own."""
    with tracer() as started:
        yield started


def by_name(server: Server) -> str:
    """The address by host name: passkeys are bound to one."""
    return f"http://localhost:{server.port}"


def virtual_authenticator(page: Page, *, verifying: bool = True) -> tuple[CDPSession, str]:
    """A device that holds passkeys and always agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": verifying,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session, made["authenticatorId"]


def log_in(page: Page, server: Server) -> None:
    page.goto(f"{by_name(server)}/login")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    # Hashing takes its time: what comes next must not overtake the login.
    with page.expect_navigation():
        page.get_by_role("button", name="Log in", exact=True).click()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out", exact=True).first.click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def long_ago(server: Server) -> None:
    """Let every confirmation be over, as if a quarter of an hour had passed."""
    import sqlite3

    with sqlite3.connect(Path(server.data, "meta.db"), timeout=10) as connection:
        connection.execute(LONG_AGO)


def credentials(device: tuple[CDPSession, str]) -> list[dict[str, Any]]:
    session, authenticator_id = device
    found = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator_id})
    return found["credentials"]


def test_passkey_from_adding_it_to_logging_in_with_nothing_else(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    device = virtual_authenticator(page)
    log_in(page, server)
    page.goto(f"{by_name(server)}/account/security/")
    page.locator("#passkey_name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    assert [key["rpId"] for key in credentials(device)] == ["localhost"]
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#account-factors")).to_contain_text("Laptop")

    # After the password.
    log_out(page)
    log_in(page, server)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.locator("nav.nav")).to_be_visible()

    # Before something dangerous.
    long_ago(server)
    page.goto(f"{by_name(server)}/account/security/authenticator/")
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Add an authenticator app")).to_be_visible()

    # In place of the password.
    log_out(page)
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.locator("nav.nav")).to_be_visible()
    assert credentials(device)[0]["signCount"] >= 3

    # Everything lost: the server's own command, while it runs.
    told = server.cli("account", "reset-second-factor", "--email", EMAIL)
    assert told.exit_code == 0, told.output
    page.goto(f"{by_name(server)}/account/")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(page, server)
    expect(page.locator("nav.nav")).to_be_visible()


def test_adding_a_passkey_late_asks_to_confirm_first(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    virtual_authenticator(page)
    log_in(page, server)
    page.goto(f"{by_name(server)}/account/security/")
    long_ago(server)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Nothing was changed yet: repeat")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#recovery-codes")).to_be_visible()


def test_passkey_of_this_account_is_not_added_twice(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    device = virtual_authenticator(page)
    log_in(page, server)
    for _ in range(2):
        page.goto(f"{by_name(server)}/account/security/")
        page.get_by_role("button", name="Add a passkey").click()
        page.wait_for_timeout(500)
    expect(page.locator("[data-passkey-error]")).to_contain_text("has a passkey for your account")
    assert len(credentials(device)) == 1


def test_authenticator_app_by_its_qr_code(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page()
    log_in(page, server)
    page.goto(f"{by_name(server)}/account/security/")
    page.get_by_role("link", name="Add an app").click()
    qr = page.get_by_role("img", name="QR code for the authenticator app")
    expect(qr).to_be_visible()
    box = qr.bounding_box()
    assert box is not None
    assert box["width"] > 150
    address = page.get_by_role("link", name="Open the app on this device").get_attribute("href")
    assert address is not None
    app = pyotp.parse_uri(address)
    assert isinstance(app, pyotp.TOTP)
    page.get_by_label("Code", exact=True).fill(app.now())
    page.get_by_label("Name").fill("Pixel")
    page.get_by_role("button", name="Add", exact=True).click()
    codes = page.locator("#recovery-codes").inner_text().split()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#account-factors")).to_contain_text("Pixel")

    log_out(page)
    log_in(page, server)
    page.get_by_label("Code from your authenticator app").fill(next_code(app))
    page.get_by_label("Do not ask on this device for 30 days").check()
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page.locator("nav.nav")).to_be_visible()
    log_out(page)
    log_in(page, server)
    expect(page.locator("nav.nav")).to_be_visible()

    other = open_page()
    log_in(other, server)
    other.get_by_text("Use a recovery code").click()
    other.get_by_label("Recovery code", exact=True).fill(codes[0])
    other.get_by_role("button", name="Continue with this code").click()
    expect(other.locator("nav.nav")).to_be_visible()

    page.goto(f"{by_name(server)}/account/security/")
    expect(page.locator("#account-factors")).to_contain_text("this one")
    expect(page.locator("#account-factors")).to_contain_text("9 of 10 codes are left")
    page.get_by_role("button", name="Remove Pixel").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Pixel is removed")
    assert not re.search(r"[A-Z2-7]{32}", server.log())


def next_code(app: pyotp.TOTP) -> str:
    """A code later than the one that was used: the next step's counts already."""
    return app.at(int(time.time()) + 30)


def test_without_a_host_name_the_page_says_why(
    server: Server, open_page: Callable[..., Page]
) -> None:
    server.login()
    page = open_page(server)
    page.goto(f"{server.url}/account/security/")
    expect(page.locator("#account-factors")).to_contain_text("Passkeys are bound to a host name")
