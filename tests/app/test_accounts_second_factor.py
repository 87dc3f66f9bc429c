"""Authenticator apps through the door: adding one, logging in with it, recovery codes."""

from __future__ import annotations

import logging
import re
import threading

import pytest
from starlette.testclient import TestClient

from factor_steps import (
    APP,
    EMAIL,
    SECOND,
    add_app,
    at,
    audit,
    code,
    csrf_of,
    is_in,
    logged_in,
    password,
    post,
)
from harness import Running
from tracer import clock
from tracer.accounts.factors import flow, tasks
from tracer.accounts.factors.model import CHALLENGE_AGE_MS, CHALLENGE_TRIES


@pytest.fixture(autouse=True)
def fresh() -> None:
    flow.throttle.clear()
    flow.refusals.clear()


@pytest.fixture
def ada(tracer: Running) -> TestClient:
    """The browser of a member who has just logged in, without a second factor."""
    return logged_in(tracer, EMAIL, "member")


def test_first_app_brings_recovery_codes_once(tracer: Running, ada: TestClient) -> None:
    seed, codes = add_app(ada, "Pixel")
    assert len(seed) == 32
    assert len(set(codes)) == 10
    page = ada.get("/account/security/").text
    assert "Pixel" in page
    assert "10 of 10 codes are left" in page
    for secret in (seed, *codes):
        assert secret not in page
    _, none = add_app(ada, "Tablet")
    assert none == []


def test_adding_the_first_factor_gives_the_login_a_new_cookie_and_ends_the_others(
    tracer: Running, ada: TestClient
) -> None:
    other = logged_in(tracer, EMAIL, "member")
    before = ada.cookies["tracer_login"]
    assert is_in(other)
    add_app(ada)
    assert ada.cookies["tracer_login"] != before
    assert is_in(ada)
    assert not is_in(other)
    stolen = tracer.browser()
    stolen.cookies.set("tracer_login", before)
    assert not is_in(stolen)
    # The page that showed the codes carries the token of the new cookie.
    assert tracer.post("/account/theme", {"theme": "dark"}, browser=ada).status_code == 303


def test_wrong_code_adds_nothing_and_keeps_the_seed(ada: TestClient) -> None:
    page = ada.get(APP).text
    sealed = re.search(r'name="seed" value="([^"]+)"', page)
    assert sealed
    seed = sealed[1].partition("-")[0]
    wrong = f"{(int(code(seed)) + 1) % 1_000_000:06d}"
    fields = {"csrf": csrf_of(page), "seed": sealed[1], "code": wrong}
    answer = ada.post(APP, data=fields)
    assert answer.status_code == 422
    assert "This code is wrong" in answer.text
    assert f'name="seed" value="{seed}-' in answer.text
    assert "second factor" in ada.get("/account/security/").text.lower()


@pytest.mark.parametrize("how", ["own seed", "another user's", "old"])
def test_seed_must_be_one_that_was_shown(tracer: Running, ada: TestClient, how: str) -> None:
    whose = logged_in(tracer, "eve@example.com", "member") if how == "another user's" else ada
    page = whose.get(APP).text
    sealed = re.search(r'name="seed" value="([^"]+)"', page)
    assert sealed
    value, seed = sealed[1], sealed[1].partition("-")[0]
    if how == "own seed":
        value, seed = value.replace(seed, "A" * 32), "A" * 32
    if how == "old":
        later = clock.now_s() + 31 * 60
        at(later)
        with tracer.meta.write(unaudited="test") as tx:
            tx.execute("UPDATE logins SET confirmed_at = :now", now=tx.now_ms)
    answer = post(ada, "/account/security/", APP, seed=value, code=code(seed))
    assert answer.headers["location"] == APP
    assert tracer.meta.read().value("SELECT count(*) FROM second_factors") == 0


def test_one_seed_cannot_be_added_twice(tracer: Running, ada: TestClient) -> None:
    page = ada.get(APP).text
    sealed = re.search(r'name="seed" value="([^"]+)"', page)
    assert sealed
    seed = sealed[1].partition("-")[0]
    for status in (201, 303):
        fields = {"seed": sealed[1], "code": code(seed)}
        assert post(ada, "/account/security/", APP, **fields).status_code == status
    assert tracer.meta.read().value("SELECT count(*) FROM second_factors") == 1


def test_seed_is_sealed_and_in_no_log_and_no_audit_entry(
    tracer: Running, ada: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seed, codes = add_app(ada)
    password(tracer.browser())
    entries = str(tracer.meta.read().rows("SELECT * FROM audit"))
    stored = bytes(tracer.meta.read().value("SELECT sealed FROM secrets WHERE kind = 'totp'"))
    hashes = str(tracer.meta.read().rows("SELECT * FROM recovery_codes"))
    for secret in (seed, *codes):
        assert secret not in caplog.text
        assert secret not in entries
        assert secret not in hashes
        assert secret.encode() not in stored
    files = [
        p.read_bytes()
        for p in tracer.app.folder.meta.parent.glob(tracer.app.folder.meta.name + "*")
    ]
    assert files
    assert not any(seed.encode() in raw for raw in files)


def test_answers_with_secrets_are_kept_by_no_cache(ada: TestClient) -> None:
    assert ada.get(APP).headers["cache-control"] == "no-store"


def test_password_alone_opens_nothing_any_more(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    browser = tracer.browser()
    answer = password(browser)
    assert answer.headers["location"] == SECOND
    assert "tracer_login" not in browser.cookies
    for path in ("/members/", "/account/", "/account/security/", "/account/confirm/"):
        assert browser.get(path).headers["location"].startswith("/login")
    at(clock.now_s() + 60)
    answer = post(browser, SECOND, SECOND, code=code(seed))
    assert answer.headers["location"] == "/members/"
    assert is_in(browser)
    assert "tracer_pending" not in browser.cookies


def test_cookie_of_a_login_half_done_is_no_login(tracer: Running, ada: TestClient) -> None:
    add_app(ada)
    browser = tracer.browser()
    password(browser)
    browser.cookies.set("tracer_login", browser.cookies["tracer_pending"])
    assert not is_in(browser)


def test_code_counts_once(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    first, second = tracer.browser(), tracer.browser()
    for browser in (first, second):
        password(browser)
    # The code that was shown on enrolment is used up as well.
    assert post(first, SECOND, SECOND, code=code(seed)).status_code == 422
    at(clock.now_s() + 60)
    used = code(seed)
    assert post(first, SECOND, SECOND, code=used).status_code == 303
    answer = post(second, SECOND, SECOND, code=used)
    assert answer.status_code == 422
    assert "used already" in answer.text
    assert post(second, SECOND, SECOND, code=code(seed, -30)).status_code == 422
    assert not is_in(second)


def test_one_code_at_the_same_moment_lets_one_in(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    at(clock.now_s() + 60)
    browsers = [tracer.browser() for _ in range(4)]
    tokens = []
    for browser in browsers:
        password(browser)
        tokens.append(csrf_of(browser.get(SECOND).text))
    ready = threading.Barrier(len(browsers))
    codes: list[int] = []

    def enter(browser: TestClient, token: str) -> None:
        ready.wait()
        answer = browser.post(SECOND, data={"csrf": token, "code": code(seed)})
        codes.append(answer.status_code)

    threads = [
        threading.Thread(target=enter, args=pair) for pair in zip(browsers, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [303, 422, 422, 422]
    assert sum(is_in(browser) for browser in browsers) == 1


@pytest.mark.parametrize(("away_s", "fits"), [(-60, False), (-30, True), (30, True), (60, False)])
def test_clock_of_the_phone_may_be_half_a_minute_off(
    tracer: Running, ada: TestClient, away_s: int, fits: bool
) -> None:
    seed, _ = add_app(ada)
    at(clock.now_s() + 300)
    browser = tracer.browser()
    password(browser)
    answer = post(browser, SECOND, SECOND, code=code(seed, away_s))
    assert answer.status_code == (303 if fits else 422)


def test_tries_of_one_login_are_bounded(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    browser = tracer.browser()
    password(browser)
    for _ in range(CHALLENGE_TRIES):
        flow.throttle.clear()
        assert post(browser, SECOND, SECOND, code="000000").status_code == 422
    flow.throttle.clear()
    at(clock.now_s() + 60)
    pending = browser.cookies["tracer_pending"]
    answer = post(browser, SECOND, SECOND, code=code(seed))
    assert answer.headers["location"] == "/login"
    browser.cookies.set("tracer_pending", pending)
    assert post(browser, "/login", SECOND, code=code(seed)).headers["location"] == "/login"
    assert not is_in(browser)


def test_guessing_codes_is_slowed_down_for_the_user_and_for_nobody_else(
    tracer: Running, ada: TestClient
) -> None:
    seed, _ = add_app(ada)
    bob_seed, _ = add_app(logged_in(tracer, "bob@example.com", "member"))
    browser = tracer.browser()
    password(browser)
    at(clock.now_s())
    statuses = [post(browser, SECOND, SECOND, code="000000").status_code for _ in range(5)]
    assert statuses == [422, 422, 422, 422, 429]
    # Another login of the same account, from anywhere, has to wait as well.
    second = tracer.browser()
    password(second)
    at(clock.now_s() + 0.5)
    assert post(second, SECOND, SECOND, code=code(seed)).status_code == 429
    bob = tracer.browser()
    password(bob, "bob@example.com")
    assert post(bob, SECOND, SECOND, code=code(bob_seed, 30)).status_code == 303
    at(clock.now_s() + 60)
    assert post(second, SECOND, SECOND, code=code(seed)).status_code == 303


def test_login_half_done_ends_by_itself(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    browser = tracer.browser()
    password(browser)
    token = csrf_of(browser.get(SECOND).text)
    at(clock.now_s() + CHALLENGE_AGE_MS / 1000 + 1)
    answer = browser.post(SECOND, data={"csrf": token, "code": code(seed)})
    assert answer.headers["location"] == "/login"
    assert not is_in(browser)
    tasks.delete_expired(tracer.tracer)
    assert tracer.meta.read().value("SELECT count(*) FROM login_challenges") == 0


def test_second_factor_page_needs_its_form_token(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    at(clock.now_s() + 60)
    browser = tracer.browser()
    password(browser)
    assert browser.post(SECOND, data={"code": code(seed)}).status_code == 403


def test_code_of_another_user_is_none(tracer: Running, ada: TestClient) -> None:
    add_app(ada)
    eve_seed, _ = add_app(logged_in(tracer, "eve@example.com", "member"))
    at(clock.now_s() + 60)
    browser = tracer.browser()
    password(browser)
    assert post(browser, SECOND, SECOND, code=code(eve_seed)).status_code == 422


def test_page_leads_only_to_this_site(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    for n, wanted in enumerate(("//evil.example/", "https://evil.example/", "/\\evil.example")):
        at(clock.now_s() + 60 * (n + 1))
        browser = tracer.browser()
        password(browser, wanted=wanted)
        answer = post(browser, SECOND, SECOND, code=code(seed))
        assert answer.headers["location"] == "/"


def test_logins_and_refusals_are_in_the_audit_log(tracer: Running, ada: TestClient) -> None:
    _, codes = add_app(ada, "Pixel")
    browser = tracer.browser()
    password(browser)
    post(browser, SECOND, SECOND, code="000000")
    post(browser, SECOND, SECOND, recovery=codes[0])
    tasks.write_refusals(tracer.tracer)
    assert audit(tracer, "factor.add")[0]["name"] == "Pixel"
    assert audit(tracer, "login.fail")[0]["wrong"] == "second factor (code)"
    assert audit(tracer, "recovery_codes.use") == [{"actor": EMAIL, "left": 9}]
    assert audit(tracer, "factor.use") == [{"actor": EMAIL, "kind": "recovery"}]
    assert audit(tracer, "login.start")[-1]["second_factor"] is True


def test_recovery_code_counts_once(tracer: Running, ada: TestClient) -> None:
    _, codes = add_app(ada)
    first, second = tracer.browser(), tracer.browser()
    for browser in (first, second):
        password(browser)
    assert post(first, SECOND, SECOND, recovery=codes[3].upper()).status_code == 303
    assert is_in(first)
    answer = post(second, SECOND, SECOND, recovery=codes[3])
    assert answer.status_code == 422
    assert "9 of 10 codes are left" in first.get("/account/security/").text
    assert post(second, SECOND, SECOND, recovery=codes[4]).status_code == 303


def test_new_recovery_codes_end_the_earlier_ones(tracer: Running, ada: TestClient) -> None:
    _, old = add_app(ada)
    answer = post(ada, "/account/security/", "/account/security/recovery-codes/")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    new = re.findall(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", answer.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    browser = tracer.browser()
    password(browser)
    assert post(browser, SECOND, SECOND, recovery=old[0]).status_code == 422
    assert post(browser, SECOND, SECOND, recovery=new[0]).status_code == 303
