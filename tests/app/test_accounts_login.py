from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts import queries
from tracer.accounts.model import LOGIN_AGE_MS, LOGIN_IDLE_MS
from tracer.accounts.pages import login
from tracer.accounts.throttle import Throttle

EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle()
    monkeypatch.setattr(login, "throttle", throttle)


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def log_in(
    browser: TestClient, email: str = EMAIL, password: str = PASSWORD, next_path: str = "/"
) -> object:
    page = browser.get("/login", params={"next": next_path})
    fields = {"csrf": csrf_of(page.text), "email": email, "password": password, "next": next_path}
    return browser.post("/login", data=fields)


def test_right_password_opens_the_page_that_was_asked_for(tracer: Running) -> None:
    tracer.add_user(EMAIL, "member")
    asked = tracer.visitor.get("/members/")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=/members/"
    answer = log_in(tracer.visitor, next_path="/members/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/members/"
    assert EMAIL in tracer.visitor.get("/members/").text


def test_login_cookie_is_out_of_reach_of_scripts_and_stored_hashed(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    answer = log_in(tracer.visitor)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("tracer_login="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    value = tracer.visitor.cookies["tracer_login"]
    assert len(value) >= 43
    stored = tracer.meta.read().rows("SELECT token_hash FROM logins")
    assert stored == [(queries.secret_hash(value),)]


@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "wrong horse"), ("nobody@example.com", PASSWORD), ("", ""), (EMAIL, "x" * 5000)],
)
def test_wrong_password_and_unknown_account_look_the_same(
    tracer: Running, email: str, password: str
) -> None:
    tracer.add_user(EMAIL)
    answer = log_in(tracer.visitor, email, password)
    assert answer.status_code == 422
    assert "The e-mail address or the password is wrong." in answer.text
    assert "tracer_login" not in tracer.visitor.cookies
    assert PASSWORD not in answer.text


def test_login_without_the_csrf_token_is_refused(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    fields = {"email": EMAIL, "password": PASSWORD}
    assert tracer.visitor.post("/login", data=fields).status_code == 403
    tracer.visitor.get("/login")
    forged = {**fields, "csrf": "0011223344556677." + "0" * 64}
    assert tracer.visitor.post("/login", data=forged).status_code == 403
    assert "tracer_login" not in tracer.visitor.cookies


def test_guessing_is_slowed_down_and_says_how_long(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    codes = [log_in(tracer.visitor, password="wrong horse").status_code for _ in range(5)]
    assert codes == [422, 422, 422, 422, 429]
    refused = log_in(tracer.visitor)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "Wait" in refused.text


def test_login_takes_the_place_of_the_earlier_one(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    log_in(tracer.visitor)
    first = tracer.visitor.cookies["tracer_login"]
    logged_out = tracer.browser()
    page = logged_out.get("/login").text
    logged_out.cookies.set("tracer_login", first)
    page = tracer.visitor.get("/account/").text
    fields = {"csrf": csrf_of(page), "email": EMAIL, "password": PASSWORD}
    assert tracer.visitor.post("/login", data=fields).status_code == 303
    assert tracer.visitor.cookies["tracer_login"] != first
    assert logged_out.get("/members/").status_code == 303


def test_log_out_ends_the_login_for_good(tracer: Running) -> None:
    browser = tracer.login(EMAIL)
    cookie = browser.cookies["tracer_login"]
    assert browser.get("/members/").status_code == 200
    assert browser.post("/logout").status_code == 403
    assert tracer.post("/logout", browser=browser).status_code == 303
    browser.cookies.set("tracer_login", cookie)
    assert browser.get("/members/").status_code == 303


@pytest.mark.parametrize(
    ("age_ms", "is_open"),
    [(LOGIN_IDLE_MS - 60_000, True), (LOGIN_IDLE_MS + 1000, False), (LOGIN_AGE_MS + 1000, False)],
)
def test_login_that_is_not_used_expires(tracer: Running, age_ms: int, is_open: bool) -> None:
    browser = tracer.login(EMAIL)
    later_s = clock.now_s() + age_ms / 1000
    clock.set_clock(lambda: later_s)
    assert browser.get("/members/").status_code == (200 if is_open else 303)


def test_login_in_use_expires_at_its_greatest_age(tracer: Running) -> None:
    browser = tracer.login(EMAIL)
    start_s = clock.now_s()
    for day in range(0, 90, 20):
        clock.set_clock(lambda day=day: start_s + day * 86_400)
        assert browser.get("/members/").status_code == 200, day
        tracer.app.guard.flush(tracer.meta)
    clock.set_clock(lambda: start_s + 90 * 86_400 + 1)
    assert browser.get("/members/").status_code == 303


def test_expired_logins_are_removed(tracer: Running) -> None:
    from tracer.accounts.tasks import delete_expired_logins

    tracer.login(EMAIL)
    later_s = clock.now_s() + LOGIN_AGE_MS / 1000 + 1
    clock.set_clock(lambda: later_s)
    tracer.login("bob@example.com")
    delete_expired_logins(tracer.tracer)
    assert tracer.meta.read().value("SELECT count(*) FROM logins") == 1


def test_user_without_an_organization_cannot_log_in(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    with tracer.meta.write() as tx:
        tx.execute("DELETE FROM members")
    assert log_in(tracer.visitor).status_code == 422


def test_unknown_cookie_is_nobody(tracer: Running) -> None:
    tracer.visitor.cookies.set("tracer_login", "x" * 43)
    assert tracer.visitor.get("/members/").headers["location"].startswith("/login")
