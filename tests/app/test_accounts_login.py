from __future__ import annotations

import contextlib
import json
import re

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts import queries
from tracer.accounts.model import LOGIN_AGE_MS, LOGIN_IDLE_MS
from tracer.accounts.passwords import is_outdated
from tracer.accounts.throttle import Who, guesses
from tracer.errors import RateLimited

EMAIL = "ada@example.com"


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
    now_s = clock.now_s()
    clock.set_clock(lambda: now_s)
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
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM members")
    answer = log_in(tracer.visitor)
    assert answer.status_code == 422
    assert "Your account belongs to no organization." in answer.text


def test_unknown_cookie_is_nobody(tracer: Running) -> None:
    tracer.visitor.cookies.set("tracer_login", "x" * 43)
    assert tracer.visitor.get("/members/").headers["location"].startswith("/login")


# Guessing ---------------------------------------------------------------------------------------


def guess_from_everywhere(times: int) -> None:
    """What somebody with many addresses leaves behind in the throttle; time stands still then."""
    now_s = clock.now_s()
    clock.set_clock(lambda: now_s)
    for number in range(times):
        with contextlib.suppress(RateLimited):
            guesses.begin(Who(EMAIL, f"10.1.{number // 250}.{number % 250}"))


def test_owner_logs_in_while_others_guess_from_everywhere(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    assert log_in(tracer.visitor).status_code == 303
    tracer.post("/logout", browser=tracer.visitor)
    guess_from_everywhere(200)
    assert log_in(tracer.browser()).status_code == 429, "a browser that nobody knows"
    assert log_in(tracer.visitor).status_code == 303, "hers, though logged out"


def test_address_that_was_logged_in_from_is_not_slowed_down_by_others(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    assert log_in(tracer.visitor).status_code == 303
    guess_from_everywhere(200)
    assert log_in(tracer.browser()).status_code == 303


def test_cookie_of_a_known_browser_cannot_be_forged_and_opens_nothing(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL)
    other_id = tracer.add_user("bob@example.com")
    assert log_in(tracer.visitor).status_code == 303
    cookie = tracer.visitor.cookies["tracer_known"]
    assert EMAIL not in cookie
    forged = tracer.browser()
    forged.cookies.set("tracer_known", cookie.replace(f"-{user_id}.", f"-{other_id}."))
    guess_from_everywhere(200)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM logins")
    assert log_in(forged).status_code == 429
    only = tracer.browser()
    only.cookies.set("tracer_known", cookie)
    assert only.get("/members/").status_code == 303


def test_two_people_may_share_a_known_browser(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    tracer.add_user("bob@example.com")
    for email in (EMAIL, "bob@example.com"):
        assert log_in(tracer.visitor, email).status_code == 303
        tracer.post("/logout", browser=tracer.visitor)
    guess_from_everywhere(200)
    assert log_in(tracer.visitor).status_code == 303


def test_failures_are_told_by_the_worker(tracer: Running) -> None:
    from tracer.accounts.tasks import write_failures

    user_id = tracer.add_user(EMAIL)
    log_in(tracer.visitor, password="wrong horse")
    log_in(tracer.visitor, password="wrong horse")
    log_in(tracer.visitor, "nobody@example.com", "wrong horse")
    write_failures(tracer.tracer)
    rows = tracer.meta.read().rows(
        "SELECT actor_kind, object_id, object, address, after FROM audit "
        "WHERE action = 'login.fail' ORDER BY object DESC"
    )
    assert [row[:4] for row in rows] == [
        ("anonymous", "", "unknown accounts", "testclient"),
        ("anonymous", str(user_id), EMAIL, "testclient"),
    ]
    assert json.loads(rows[1][4])["tries"] == 2
    assert "wrong horse" not in str(rows)


def test_login_is_recorded_as_its_users_doing(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL)
    log_in(tracer.visitor)
    row = tracer.meta.read().row(
        "SELECT actor_kind, actor_id, actor, address, organization_id FROM audit "
        "WHERE action = 'login.start' ORDER BY id DESC"
    )
    assert row == ("user", user_id, EMAIL, "testclient", tracer.org.id)


def test_login_was_confirmed_when_it_began(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    before_ms = clock.now_ms()
    log_in(tracer.visitor)
    assert tracer.meta.read().value("SELECT confirmed_at FROM logins") >= before_ms


def test_hash_of_other_costs_is_renewed_at_the_login(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL)
    cheap = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET password_hash = :h, password_at = 7", h=cheap)
    assert log_in(tracer.visitor, password="wrong horse").status_code == 422
    assert queries.user(tracer.meta.read(), user_id).password_hash == cheap
    assert log_in(tracer.visitor).status_code == 303
    renewed = queries.user(tracer.meta.read(), user_id).password_hash
    assert not is_outdated(renewed)
    assert queries.password_at(tracer.meta.read(), user_id) == 7
    actions = tracer.meta.read().rows("SELECT action FROM audit")
    assert ("password.change",) not in actions


# Forgery and fixation ----------------------------------------------------------------------------


def test_login_cookie_that_was_planted_is_not_kept(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    planted = tracer.login("mallory@example.com").cookies["tracer_login"]
    tracer.visitor.cookies.set("tracer_login", planted, domain="testserver.local", path="/")
    page = tracer.visitor.get("/account/").text
    fields = {"csrf": csrf_of(page), "email": EMAIL, "password": PASSWORD}
    assert tracer.visitor.post("/login", data=fields).status_code == 303
    assert tracer.visitor.cookies["tracer_login"] != planted
    theirs = tracer.browser()
    theirs.cookies.set("tracer_login", planted)
    assert theirs.get("/account/").status_code == 303


def test_key_of_forms_changes_with_the_login(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    before = csrf_of(tracer.visitor.get("/login").text)
    log_in(tracer.visitor)
    answer = tracer.visitor.post("/logout", headers={"X-CSRF-Token": before})
    assert answer.status_code == 403
    assert tracer.visitor.get("/account/").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_form_of_another_site_is_refused_even_with_a_token(tracer: Running, site: str) -> None:
    tracer.add_user(EMAIL)
    fields = {"csrf": csrf_of(tracer.visitor.get("/login").text)}
    fields |= {"email": EMAIL, "password": PASSWORD}
    answer = tracer.visitor.post("/login", data=fields, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    answer = tracer.visitor.post("/login", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/x\r\nLocation: https://evil.example",
        "/x%0d%0aLocation:%20https://evil.example",
    ],
)
def test_login_leads_to_no_other_site(tracer: Running, wanted: str) -> None:
    tracer.add_user(EMAIL)
    page = tracer.visitor.get("/login", params={"next": wanted}).text
    assert 'name="next" value="/"' in page
    fields = {"csrf": csrf_of(page), "email": EMAIL, "password": PASSWORD, "next": wanted}
    answer = tracer.visitor.post("/login", data=fields)
    assert answer.headers["location"] == "/"
    again = tracer.visitor.get("/login", params={"next": wanted})
    assert (again.status_code, again.headers["location"]) == (303, "/")


def test_password_never_comes_back_in_a_page(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    answer = log_in(tracer.visitor, password="wrong <horse> battery")
    assert "horse" not in answer.text


def test_page_offers_a_way_for_those_who_forgot(tracer: Running) -> None:
    assert "Forgot your password?" not in tracer.visitor.get("/login").text
    tracer.add_user(EMAIL)
    assert 'href="/forgot"' in tracer.visitor.get("/login").text
