"""Second factors over time: remembered devices, removal, what organizations require, ways back."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from authenticator import Authenticator
from factor_steps import (
    APP,
    EMAIL,
    SECOND,
    add_app,
    add_passkey,
    at,
    code,
    is_in,
    logged_in,
    password,
    post,
    remembered,
    require,
)
from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts.factors import flow, tasks
from tracer.accounts.factors.model import DEVICE_AGE_MS


@pytest.fixture(autouse=True)
def fresh() -> None:
    flow.throttle.clear()
    flow.refusals.clear()


@pytest.fixture
def ada(tracer: Running) -> TestClient:
    """The browser of a member who has just logged in, without a second factor."""
    return logged_in(tracer, EMAIL, "member")


def test_remembered_device_is_not_asked_for_thirty_days(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    browser = remembered(tracer, seed)
    start = clock.now_s()
    at(start + DEVICE_AGE_MS / 1000 - 60)
    assert password(browser).headers["location"] == "/members/"
    second = tracer.meta.read().value("SELECT max(second_factor_at) FROM logins")
    assert second == clock.now_ms()
    tracer.post("/logout", browser=browser)
    at(start + DEVICE_AGE_MS / 1000 + 60)
    assert password(browser).headers["location"] == SECOND


def test_device_cookie_is_stored_hashed_and_is_of_one_user(
    tracer: Running, ada: TestClient
) -> None:
    seed, _ = add_app(ada)
    add_app(logged_in(tracer, "bob@example.com", "member"))
    browser = remembered(tracer, seed)
    cookie = browser.cookies["tracer_device"]
    assert cookie not in str(tracer.meta.read().rows("SELECT * FROM remembered_devices"))
    assert password(browser, "bob@example.com").headers["location"] == SECOND


@pytest.mark.parametrize("how", ["one", "all", "password", "removal", "reset"])
def test_remembered_device_ends(tracer: Running, ada: TestClient, how: str) -> None:
    seed, _ = add_app(ada)
    add_app(ada)
    browser = remembered(tracer, seed)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET confirmed_at = :now", now=tx.now_ms)
        user_id = tx.value("SELECT id FROM users WHERE email = :email", email=EMAIL)
        ref = tx.value("SELECT token_hash FROM remembered_devices")
        factor = tx.value("SELECT id FROM second_factors")
    page = "/account/security/"
    if how == "one":
        answer = post(ada, page, f"/account/security/devices/{ref}/forget")
        assert answer.status_code == 303
    elif how == "all":
        answer = post(ada, page, "/account/security/devices/forget-all")
    elif how == "password":
        fields = {"current_password": PASSWORD, "new_password": PASSWORD + " staple"}
        answer = post(ada, page, "/account/password", **fields)
        assert answer.status_code == 303, answer.text
    elif how == "removal":
        answer = post(ada, page, f"/account/security/factors/{factor}/remove")
    else:
        from tracer.accounts import actions

        with tracer.meta.write() as tx:
            actions.set_password(
                tx, user_id, tx.value("SELECT password_hash FROM users WHERE id = :i", i=user_id)
            )
    assert tracer.meta.read().value("SELECT count(*) FROM remembered_devices") == 0
    if how != "password":
        assert password(browser).headers["location"] == SECOND


def test_device_of_another_user_cannot_be_forgotten(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    remembered(tracer, seed)
    ref = tracer.meta.read().value("SELECT token_hash FROM remembered_devices")
    eve = logged_in(tracer, "eve@example.com", "owner")
    assert tracer.post(f"/account/security/devices/{ref}/forget", browser=eve).status_code == 404
    assert tracer.meta.read().value("SELECT count(*) FROM remembered_devices") == 1


def test_what_is_over_is_removed(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    browser = remembered(tracer, seed)
    password(browser, "nobody@example.com")
    password(tracer.browser())
    bob = logged_in(tracer, "bob@example.com", "member")
    add_app(bob)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM users WHERE email = 'bob@example.com'")
    at(clock.now_s() + DEVICE_AGE_MS / 1000 + 60)
    tasks.delete_expired(tracer.tracer)
    reader = tracer.meta.read()
    assert reader.value("SELECT count(*) FROM remembered_devices") == 0
    assert reader.value("SELECT count(*) FROM login_challenges") == 0
    # The seed of who is still there stays.
    assert reader.value("SELECT count(*) FROM secrets WHERE kind = 'totp'") == 1


def test_factor_of_another_user_is_as_one_that_is_not_there(
    tracer: Running, ada: TestClient
) -> None:
    add_app(ada, "Pixel")
    factor = tracer.meta.read().value("SELECT id FROM second_factors")
    eve = logged_in(tracer, "eve@example.com", "owner")
    for what in ("remove", "rename"):
        for number in (factor, 999_999):
            path = f"/account/security/factors/{number}/{what}"
            assert tracer.post(path, {"name": "Mine"}, browser=eve).status_code == 404
    assert "Pixel" in ada.get("/account/security/").text


def test_last_factor_takes_codes_seed_and_standing_with_it(
    tracer: Running, ada: TestClient
) -> None:
    add_app(ada)
    factor = tracer.meta.read().value("SELECT id FROM second_factors")
    assert tracer.post(f"/account/security/factors/{factor}/remove", browser=ada).status_code == 303
    reader = tracer.meta.read()
    for table in ("second_factors", "recovery_codes", "secrets WHERE kind = 'totp'"):
        assert reader.value(f"SELECT count(*) FROM {table}") == 0
    assert reader.value("SELECT max(second_factor_at) FROM logins") is None
    assert password(tracer.browser()).headers["location"] == "/members/"


def test_renamed_factor_and_hostile_name(tracer: Running, ada: TestClient) -> None:
    add_app(ada, "Pixel")
    factor = tracer.meta.read().value("SELECT id FROM second_factors")
    name = "<img src=x onerror=alert(1)>\u202e"
    path = f"/account/security/factors/{factor}/rename"
    assert tracer.post(path, {"name": name}, browser=ada).status_code == 303
    page = ada.get("/account/security/").text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "\u202e" not in page


def test_token_cannot_touch_the_factors_of_its_owner(tracer: Running) -> None:
    headers = {"Authorization": f"Bearer {tracer.token()}"}
    for method, path in (("GET", APP), ("POST", "/account/security/devices/forget-all")):
        assert tracer.visitor.request(method, path, headers=headers).status_code == 403


def test_required_factor_leads_to_adding_one(tracer: Running, ada: TestClient) -> None:
    require(tracer, "everyone")
    answer = ada.get("/members/")
    assert answer.headers["location"] == "/account/security/?required=1"
    page = ada.get(answer.headers["location"])
    assert "Your organization requires a second factor" in page.text
    add_app(ada)
    assert is_in(ada)
    assert "requires a second factor" not in ada.get("/account/security/").text


@pytest.mark.parametrize(
    ("role", "is_open"), [("member", True), ("admin", False), ("owner", False)]
)
def test_factor_required_of_administrators(tracer: Running, role: str, is_open: bool) -> None:
    require(tracer, "admins")
    assert is_in(logged_in(tracer, f"{role}@example.com", role)) == is_open


def test_removing_the_last_one_closes_the_pages_again(tracer: Running, ada: TestClient) -> None:
    require(tracer, "everyone")
    add_app(ada)
    factor = tracer.meta.read().value("SELECT id FROM second_factors")
    assert is_in(ada)
    tracer.post(f"/account/security/factors/{factor}/remove", browser=ada)
    assert ada.get("/members/").headers["location"] == "/account/security/?required=1"


def test_login_that_never_showed_its_factor_shows_it_now(tracer: Running, ada: TestClient) -> None:
    seed, _ = add_app(ada)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET second_factor_at = NULL")
    require(tracer, "everyone")
    assert not is_in(ada)
    assert "Show it now" in ada.get("/account/security/?required=1").text
    at(clock.now_s() + 60)
    before = ada.cookies["tracer_login"]
    post(ada, "/account/confirm/", "/account/confirm/", code=code(seed), next="/")
    assert is_in(ada)
    assert ada.cookies["tracer_login"] != before


def test_token_of_a_user_without_a_factor_is_refused_where_one_is_required(
    tracer: Running,
) -> None:
    headers = {"Authorization": f"Bearer {tracer.token(email=EMAIL, role='member')}"}
    path = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.visitor.get(path, headers=headers).status_code == 200
    require(tracer, "everyone")
    assert tracer.visitor.get(path, headers=headers).status_code == 403
    add_app(logged_in(tracer, EMAIL, "member"))
    assert tracer.visitor.get(path, headers=headers).status_code == 200


def test_reset_from_the_command_line(tracer: Running, ada: TestClient) -> None:
    from tracer.app import run
    from tracer.errors import Conflict

    add_app(ada)
    add_passkey(ada, Authenticator())
    settings = tracer.app.settings
    assert run(settings, "reset_second_factor", email=EMAIL.upper()) == {
        "email": EMAIL,
        "removed": 2,
    }
    assert not is_in(ada)
    assert password(tracer.browser()).headers["location"] == "/members/"
    entry = tracer.meta.read().row("SELECT actor_kind FROM audit WHERE action = 'factor.reset'")
    assert entry == ("cli",)
    with pytest.raises(Conflict):
        run(settings, "reset_second_factor", email="nobody@example.com")
