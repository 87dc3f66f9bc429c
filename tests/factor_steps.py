"""What tests of second factors do again and again: add one, log in with it, read the audit log."""

from __future__ import annotations

import json
import re
from typing import Any

import pyotp
from starlette.testclient import TestClient

from authenticator import Authenticator
from harness import PASSWORD, Running
from tracer import clock
from tracer.kit.guard import CONFIRMED_FOR_MS

EMAIL = "ada@example.com"
APP = "/account/security/authenticator/"
SECOND = "/login/second-factor"
CONFIRM = "/account/confirm/"


def logged_in(tracer: Running, email: str, role: str) -> TestClient:
    """A browser whose login cookie is replaced when the server sends another."""
    found = tracer.login(email, role)
    browser = tracer.browser()
    browser.cookies.set("tracer_login", found.cookies["tracer_login"], domain="testserver.local")
    return browser


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def at(seconds: float) -> None:
    """The clock stands still at so many seconds from the start of the test."""
    clock.set_clock(lambda: seconds)


def code(seed: str, away_s: int = 0) -> str:
    return pyotp.TOTP(seed).at(int(clock.now_s()) + away_s)


def post(browser: TestClient, page: str, path: str, **fields: str) -> Any:
    """Send a form with the token of a page."""
    return browser.post(path, data={"csrf": csrf_of(browser.get(page).text), **fields})


def add_app(browser: TestClient, name: str = "") -> tuple[str, list[str]]:
    """Add an authenticator app: its seed, and the recovery codes if it is the first factor."""
    page = browser.get(APP).text
    shown = re.search(r'aria-label="key">([A-Z2-7 ]+)<', page)
    sealed = re.search(r'name="seed" value="([^"]+)"', page)
    assert shown, page
    assert sealed
    seed = shown[1].replace(" ", "")
    fields = {"csrf": csrf_of(page), "seed": sealed[1], "code": code(seed), "name": name}
    answer = browser.post(APP, data=fields)
    assert answer.status_code in (201, 303), answer.text
    return seed, re.findall(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", answer.text)


def add_passkey(browser: TestClient, device: Authenticator, name: str = "Key") -> Any:
    token = csrf_of(browser.get("/account/security/").text)
    asked = browser.post("/account/security/passkeys/options", headers={"X-CSRF-Token": token})
    fields = {"csrf": token, "passkey_name": name, "credential": device.create(asked.json())}
    return browser.post("/account/security/passkeys/", data=fields)


def password(browser: TestClient, email: str = EMAIL, wanted: str = "/members/") -> Any:
    fields = {"email": email, "password": PASSWORD, "next": wanted}
    return post(browser, "/login", "/login", **fields)


def assertion(browser: TestClient, page: str, path: str, device: Authenticator) -> str:
    token = csrf_of(browser.get(page).text)
    asked = browser.post(path, headers={"X-CSRF-Token": token})
    assert asked.status_code == 200, asked.text
    return device.get(asked.json())


def is_in(browser: TestClient) -> bool:
    return browser.get("/members/").status_code == 200


def audit(tracer: Running, action: str) -> list[dict[str, Any]]:
    rows = tracer.meta.read().rows(
        "SELECT actor, after FROM audit WHERE action = :action ORDER BY id", action=action
    )
    return [{"actor": actor, **json.loads(after or "{}")} for actor, after in rows]


def remembered(tracer: Running, seed: str) -> TestClient:
    """A browser that logged in and is remembered, logged out again."""
    browser = tracer.browser()
    password(browser)
    at(clock.now_s() + 60)
    assert post(browser, SECOND, SECOND, code=code(seed), remember="1").status_code == 303
    assert tracer.post("/logout", browser=browser).status_code == 303
    return browser


def later(tracer: Running) -> None:
    at(clock.now_s() + CONFIRMED_FOR_MS / 1000 + 1)


def require(tracer: Running, who: str) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE organizations SET second_factor = :who", who=who)
