"""The security page: changing the password, where one is logged in, ending logins."""

from __future__ import annotations

import re

from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts import queries

EMAIL = "owner@example.com"
NEW = "battery staple 2"


def actions_of(tracer: Running) -> list[str]:
    return [row[0] for row in tracer.meta.read().rows("SELECT action FROM audit ORDER BY id")]


def test_new_password_logs_all_other_browsers_out(tracer: Running) -> None:
    other = tracer.login(EMAIL)
    assert other.get("/account/").status_code == 200
    fields = {"current_password": PASSWORD, "new_password": "battery staple"}
    assert tracer.post("/account/password", fields).status_code == 303
    assert tracer.page("/account/").status_code == 200
    assert other.get("/account/").status_code == 303
    again = {"current_password": PASSWORD, "new_password": "battery staple 2"}
    refused = tracer.post("/account/password", again)
    assert refused.status_code == 422
    assert "This is not your current password." in refused.text


def test_new_password_has_the_same_rules(tracer: Running) -> None:
    fields = {"current_password": PASSWORD, "new_password": "short"}
    answer = tracer.post("/account/password", fields)
    assert answer.status_code == 422
    assert "Use at least 8 characters." in answer.text


def test_current_password_cannot_be_guessed_at_speed(tracer: Running) -> None:
    fields = {"current_password": "wrong horse", "new_password": "battery staple"}
    now_s = clock.now_s()
    clock.set_clock(lambda: now_s)
    answers = [tracer.post("/account/password", fields).text for _ in range(5)]
    assert "Too many failed tries." in answers[-1]
    right = {"current_password": PASSWORD, "new_password": "battery staple"}
    assert tracer.post("/account/password", right).status_code == 422


def test_browsers_are_listed_and_can_be_logged_out(tracer: Running) -> None:
    other = tracer.login(EMAIL)
    ref = queries.secret_hash(other.cookies["tracer_login"])
    page = tracer.page("/account/security/").text
    assert page.count('/end"') == 1
    assert page.count("this one") == 1
    assert tracer.post(f"/account/logins/{ref}/end").status_code == 303
    assert other.get("/account/").status_code == 303
    assert tracer.post(f"/account/logins/{ref}/end").status_code == 404


def test_nobody_can_log_another_user_out(tracer: Running) -> None:
    bob = tracer.login("bob@example.com", "member")
    ref = queries.secret_hash(bob.cookies["tracer_login"])
    assert tracer.post(f"/account/logins/{ref}/end").status_code == 404
    assert bob.get("/account/").status_code == 200


def test_new_password_rotates_the_cookie_and_the_key_of_forms(tracer: Running) -> None:
    browser = tracer.login(EMAIL)
    old, token = browser.cookies["tracer_login"], tracer.csrf(browser)
    fields = {"current_password": PASSWORD, "new_password": NEW}
    assert tracer.post("/account/password", fields, browser=browser).status_code == 303
    assert browser.cookies["tracer_login"] != old
    assert browser.get("/account/security/").status_code == 200
    stolen = tracer.browser()
    stolen.cookies.set("tracer_login", old)
    assert stolen.get("/account/security/").status_code == 303
    answer = browser.post("/account/theme", data={"theme": "dark"}, headers={"X-CSRF-Token": token})
    assert answer.status_code == 403


def test_new_password_keeps_the_age_of_the_login(tracer: Running) -> None:
    browser = tracer.login(EMAIL)
    expires = tracer.meta.read().value("SELECT expires_at FROM logins")
    later_s = clock.now_s() + 20 * 86_400
    clock.set_clock(lambda: later_s)
    fields = {"current_password": PASSWORD, "new_password": NEW}
    answer = tracer.post("/account/password", fields, browser=browser)
    assert tracer.meta.read().value("SELECT expires_at FROM logins") == expires
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("tracer_login="))
    assert 69 * 86_400 < int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 70 * 86_400


def test_new_password_must_not_be_common_nor_hold_a_name(tracer: Running) -> None:
    for new, why in (
        ("Password1!", "first that are guessed"),
        ("owner@example.com", "names that others know"),
        ("my tracer word", "names that others know"),
        ("the Default one", "names that others know"),
    ):
        fields = {"current_password": PASSWORD, "new_password": new}
        answer = tracer.post("/account/password", fields)
        assert answer.status_code == 422, new
        assert why in answer.text, new
        assert new not in answer.text.replace("owner@example.com", ""), new


def test_page_shows_device_address_and_when(tracer: Running) -> None:
    browser = tracer.browser()
    browser.headers["user-agent"] = (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )
    user_id = tracer.add_user(EMAIL)
    page = browser.get("/login").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    answer = browser.post("/login", data={"csrf": csrf, "email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303
    page = browser.get("/account/security/").text
    assert "Firefox on Linux" in page
    assert "testclient" in page
    assert "this one" in page
    assert [login.browser for login in queries.logins(tracer.meta.read(), user_id)] == [
        "Firefox on Linux"
    ]


def test_all_other_browsers_can_be_logged_out_at_once(tracer: Running) -> None:
    others = [tracer.login(EMAIL) for _ in range(3)]
    assert "Log out all others" in tracer.page("/account/security/").text
    assert tracer.post("/account/logins/end-others").status_code == 303
    assert [other.get("/account/").status_code for other in others] == [303] * 3
    page = tracer.page("/account/security/").text
    assert "All other browsers are logged out." in page
    assert "Log out all others" not in page


def test_what_happens_to_logins_and_passwords_is_recorded(tracer: Running) -> None:
    other = tracer.login(EMAIL)
    tracer.login(EMAIL)
    ref = queries.secret_hash(other.cookies["tracer_login"])
    tracer.post(f"/account/logins/{ref}/end")
    fields = {"current_password": PASSWORD, "new_password": NEW}
    tracer.post("/account/password", fields)
    tracer.post("/logout")
    told = [action for action in actions_of(tracer) if action.startswith(("login", "password"))]
    assert told[-4:] == ["login.end", "password.change", "login.end_others", "login.end"]
    everything = str(tracer.meta.read().rows("SELECT * FROM audit"))
    assert PASSWORD not in everything
    assert NEW not in everything
    assert ref not in everything


def test_login_that_ends_closes_its_open_pages(tracer: Running) -> None:
    from tracer.kit.live import AccessChanged

    other = tracer.login(EMAIL)
    heard: list[object] = []
    hear = tracer.meta.on_commit
    tracer.meta.on_commit = lambda facts: (heard.extend(facts), hear(facts))
    ref = queries.secret_hash(other.cookies["tracer_login"])
    tracer.post(f"/account/logins/{ref}/end")
    assert AccessChanged() in heard


def test_token_sees_and_changes_nothing_of_it(tracer: Running) -> None:
    headers = {"Authorization": f"Bearer {tracer.token()}"}
    assert tracer.visitor.get("/account/security/", headers=headers).status_code == 403
    for path in ("/account/password", "/account/logins/end-others"):
        assert tracer.visitor.post(path, data={}, headers=headers).status_code == 403
