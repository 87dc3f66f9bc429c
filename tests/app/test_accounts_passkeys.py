"""Passkeys through the door: after the password, in place of it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from authenticator import Authenticator
from factor_steps import (
    EMAIL,
    SECOND,
    add_passkey,
    assertion,
    at,
    audit,
    csrf_of,
    is_in,
    logged_in,
    password,
    post,
)
from harness import Running
from tracer import clock
from tracer.accounts.factors import flow, tasks


@pytest.fixture(autouse=True)
def fresh() -> None:
    flow.throttle.clear()
    flow.refusals.clear()


@pytest.fixture
def ada(tracer: Running) -> TestClient:
    """The browser of a member who has just logged in, without a second factor."""
    return logged_in(tracer, EMAIL, "member")


def test_passkey_after_the_password(tracer: Running, ada: TestClient) -> None:
    device = Authenticator()
    answer = add_passkey(ada, device, "Laptop")
    assert answer.status_code == 201
    assert "Laptop" in ada.get("/account/security/").text
    browser = tracer.browser()
    assert password(browser).headers["location"] == SECOND
    answer = assertion(browser, SECOND, SECOND + "/passkey", device)
    assert post(browser, SECOND, SECOND, credential=answer).status_code == 303
    assert is_in(browser)


def test_answer_of_a_passkey_counts_once(tracer: Running, ada: TestClient) -> None:
    device = Authenticator(counts=0)
    add_passkey(ada, device)
    first, second = tracer.browser(), tracer.browser()
    for browser in (first, second):
        password(browser)
    answer = assertion(first, SECOND, SECOND + "/passkey", device)
    # It belongs to the login that asked for it, and to no other.
    assert post(second, SECOND, SECOND, credential=answer).status_code == 422
    pending = first.cookies["tracer_pending"]
    assert post(first, SECOND, SECOND, credential=answer).status_code == 303
    again = tracer.browser()
    again.cookies.set("tracer_pending", pending)
    assert post(again, "/login", SECOND, credential=answer).headers["location"] == "/login"


@pytest.mark.parametrize(
    "foreign",
    [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"count": -10}],
)
def test_passkey_of_another_site_or_a_copy_is_refused(
    tracer: Running, ada: TestClient, foreign: dict[str, Any]
) -> None:
    device = Authenticator(count=20)
    add_passkey(ada, device)
    for name, value in foreign.items():
        setattr(device, name, max(0, device.count + value) if name == "count" else value)
    browser = tracer.browser()
    password(browser)
    answer = assertion(browser, SECOND, SECOND + "/passkey", device)
    refused = post(browser, SECOND, SECOND, credential=answer)
    assert refused.status_code == 422
    assert "not accepted" in refused.text
    assert not is_in(browser)


def test_refused_answer_uses_its_challenge_up(tracer: Running, ada: TestClient) -> None:
    device = Authenticator()
    add_passkey(ada, device)
    browser = tracer.browser()
    password(browser)
    answer = assertion(browser, SECOND, SECOND + "/passkey", device)
    broken = answer.replace(device.get({"challenge": ""})[:20], "x")
    assert post(browser, SECOND, SECOND, credential="{" + broken).status_code == 422
    assert post(browser, SECOND, SECOND, credential=answer).status_code == 422


def test_passkey_of_another_user_opens_nothing(tracer: Running, ada: TestClient) -> None:
    add_passkey(ada, Authenticator())
    eves = Authenticator()
    add_passkey(logged_in(tracer, "eve@example.com", "member"), eves)
    browser = tracer.browser()
    password(browser)
    answer = assertion(browser, SECOND, SECOND + "/passkey", eves)
    assert post(browser, SECOND, SECOND, credential=answer).status_code == 422
    assert not is_in(browser)


def test_passkey_is_added_once_and_to_one_account(tracer: Running, ada: TestClient) -> None:
    device = Authenticator()
    add_passkey(ada, device)
    eve = logged_in(tracer, "eve@example.com", "member")
    for browser in (ada, eve):
        assert add_passkey(browser, device).status_code == 303
    assert tracer.meta.read().value("SELECT count(*) FROM second_factors") == 1


def test_passkey_without_its_challenge_is_not_added(tracer: Running, ada: TestClient) -> None:
    made = Authenticator().create({"challenge": "AAAA"})
    post(ada, "/account/security/", "/account/security/passkeys/", credential=made)
    device = Authenticator()
    token = csrf_of(ada.get("/account/security/").text)
    asked = ada.post("/account/security/passkeys/options", headers={"X-CSRF-Token": token}).json()
    device.origin = "https://evil.example"
    fields = {"credential": device.create(asked)}
    post(ada, "/account/security/", "/account/security/passkeys/", **fields)
    assert tracer.meta.read().value("SELECT count(*) FROM second_factors") == 0


def test_passkey_alone_logs_in(tracer: Running, ada: TestClient) -> None:
    device = Authenticator()
    assert "Log in with a passkey" not in tracer.visitor.get("/login").text
    add_passkey(ada, device)
    browser = tracer.browser()
    assert "Log in with a passkey" in browser.get("/login").text
    answer = assertion(browser, "/login", "/login/passkey/options", device)
    offer = browser.cookies["tracer_passkey"]
    fields = {"credential": answer, "next": "/members/"}
    assert post(browser, "/login", "/login/passkey", **fields).headers["location"] == "/members/"
    assert is_in(browser)
    assert audit(tracer, "login.start")[-1]["second_factor"] is True
    again = tracer.browser()
    again.cookies.set("tracer_passkey", offer)
    post(again, "/login", "/login/passkey", **fields)
    assert not is_in(again)


def test_passkey_alone_counts_once_even_without_a_counter(tracer: Running, ada: TestClient) -> None:
    device = Authenticator(counts=0)
    add_passkey(ada, device)
    browser = tracer.browser()
    answer = assertion(browser, "/login", "/login/passkey/options", device)
    offer = browser.cookies["tracer_passkey"]
    post(browser, "/login", "/login/passkey", credential=answer)
    assert is_in(browser)
    again = tracer.browser()
    again.cookies.set("tracer_passkey", offer)
    post(again, "/login", "/login/passkey", credential=answer)
    assert not is_in(again)


@pytest.mark.parametrize("how", ["unverified", "no offer", "late", "unknown", "origin"])
def test_passkey_alone_is_refused(tracer: Running, ada: TestClient, how: str) -> None:
    device = Authenticator()
    add_passkey(ada, device)
    browser = tracer.browser()
    if how == "unverified":
        device.is_verifying = False
    if how == "unknown":
        device = Authenticator()
    if how == "origin":
        device.origin = "http://testserver.evil.example"
    answer = assertion(browser, "/login", "/login/passkey/options", device)
    if how == "no offer":
        del browser.cookies["tracer_passkey"]
    if how == "late":
        at(clock.now_s() + 301)
    answer = post(browser, "/login", "/login/passkey", credential=answer)
    assert answer.headers["location"] == "/login"
    assert not is_in(browser)
    tasks.write_refusals(tracer.tracer)
    known = [entry["wrong"] for entry in audit(tracer, "login.fail")]
    assert known == (["second factor (passkey)"] if how in ("unverified", "origin") else [])
