"""A lost password: the link by mail or from an administrator, and what it may not tell or open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from harness import PASSWORD, Running
from mail_sink import mailbox
from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.model import ADMIN_RESET_AGE_MS, RESET_AGE_MS, RESETS_AN_HOUR
from tracer.accounts.throttle import Who, guesses
from tracer.errors import RateLimited

EMAIL = "ada@example.com"
NEW = "battery staple 2"


@pytest.fixture
def mails(tracer: Running) -> Iterator[list[Any]]:
    with mailbox(tracer) as arrived:
        yield arrived


def forget(tracer: Running, email: str = EMAIL, **headers: str) -> Any:
    """Ask for a link as a visitor, and let the mail be sent."""
    csrf = tracer.csrf(tracer.visitor)
    answer = tracer.visitor.post(
        "/forgot", data={"email": email}, headers={"X-CSRF-Token": csrf, **headers}
    )
    tracer.run_tasks()
    return answer


def link_in(mail: Any) -> str:
    text = mail.get_body(("plain",)).get_content()
    found = re.search(r"http://\S+(/reset/[\w-]{43})", text)
    assert found, text
    return found[1]


def new_link(tracer: Running, email: str = EMAIL, *, age_ms: int = RESET_AGE_MS) -> str:
    with tracer.meta.write() as tx:
        user = queries.user_by_email(tx, email)
        return f"/reset/{actions.create_password_link(tx, user, age_ms=age_ms)}"


def choose(
    tracer: Running, link: str, password: str = NEW, browser: TestClient | None = None
) -> Any:
    return tracer.post(link, {"password": password}, browser=browser or tracer.visitor)


def log_in(tracer: Running, password: str, email: str = EMAIL) -> int:
    browser = tracer.browser()
    fields = {"email": email, "password": password}
    return tracer.post("/login", fields, browser=browser).status_code


# By mail ----------------------------------------------------------------------------------------


def test_mailed_link_opens_the_choice_of_a_new_password(tracer: Running, mails: list[Any]) -> None:
    tracer.add_user(EMAIL)
    answer = forget(tracer)
    assert answer.status_code == 200
    assert f"If there is an account for {EMAIL}" in answer.text
    [mail] = mails
    assert mail["To"] == EMAIL
    page = tracer.visitor.get(link_in(mail))
    assert page.status_code == 200
    assert EMAIL in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert choose(tracer, link_in(mail)).headers["location"] == "/login"
    assert log_in(tracer, NEW) == 303
    assert log_in(tracer, PASSWORD) == 422


def test_link_is_stored_hashed_and_nowhere_else(tracer: Running, mails: list[Any]) -> None:
    tracer.add_user(EMAIL)
    forget(tracer)
    secret = link_in(mails[0]).removeprefix("/reset/")
    stored = tracer.meta.read().rows("SELECT token_hash FROM account_links")
    assert stored == [(queries.secret_hash(secret),)]
    for table in ("tasks", "audit", "account_links"):
        assert secret not in str(tracer.meta.read().rows(f"SELECT * FROM {table}"))


def test_host_of_the_request_is_not_in_the_mail(tracer: Running, mails: list[Any]) -> None:
    tracer.add_user(EMAIL)
    csrf = tracer.csrf(tracer.visitor)
    headers = {"X-CSRF-Token": csrf, "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    headers["Cookie"] = f"tracer_visit={tracer.visitor.cookies['tracer_visit']}"
    tracer.visitor.post("/forgot", data={"email": EMAIL}, headers=headers)
    tracer.run_tasks()
    [mail] = mails
    assert "evil.example" not in mail.as_string()
    assert tracer.tracer.network.public_url in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("email", ["nobody@example.com", "alone@example.com"])
def test_unknown_account_gets_the_same_answer_and_no_mail(
    tracer: Running, mails: list[Any], email: str
) -> None:
    tracer.add_user(EMAIL)
    with tracer.meta.write() as tx:
        actions.create_user(tx, "alone@example.com", None)
    known = forget(tracer)
    other = forget(tracer, email)
    assert other.status_code == known.status_code == 200

    def said(answer: Any, address: str) -> str:
        return re.sub(r"[0-9a-f]{16}\.[0-9a-f]{64}", "", answer.text).replace(address, "")

    assert said(other, email) == said(known, EMAIL)
    assert [mail["To"] for mail in mails] == [EMAIL]


def test_mailbox_of_another_is_not_filled(tracer: Running, mails: list[Any]) -> None:
    tracer.add_user(EMAIL)
    for _ in range(8):
        forget(tracer)
        with tracer.meta.write(unaudited="test") as tx:
            tx.enqueue("accounts.send_reset_link", email=EMAIL, address="10.0.0.1", device="")
        tracer.run_tasks()
    assert len(mails) == RESETS_AN_HOUR
    assert "Too many mails were asked for." in forget(tracer).text
    assert all(tracer.visitor.get(link_in(mail)).status_code == 200 for mail in mails)


@pytest.mark.parametrize("email", ["", "ada", "ada@example.com\nBcc: all@example.com", "a@b@c"])
def test_what_is_no_address_is_refused(tracer: Running, mails: list[Any], email: str) -> None:
    assert forget(tracer, email).status_code == 422
    assert mails == []


def test_without_mail_the_page_says_whom_to_ask(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    page = tracer.visitor.get("/forgot").text
    assert "This server sends no mail." in page
    assert 'action="/forgot"' not in page
    assert forget(tracer).status_code == 404
    assert tracer.meta.read().value("SELECT count(*) FROM account_links") == 0


# The link ---------------------------------------------------------------------------------------


def test_link_works_once(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    link = new_link(tracer)
    assert choose(tracer, link).status_code == 303
    assert tracer.visitor.get(link).status_code == 404
    again = choose(tracer, link, "another good one")
    assert again.status_code == 404
    assert "does not work" in again.text
    assert log_in(tracer, NEW) == 303


def test_looking_at_a_link_does_not_use_it_up(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    link = new_link(tracer)
    for _ in range(3):
        assert tracer.visitor.get(link).status_code == 200
        assert tracer.visitor.head(link).status_code == 200
    assert choose(tracer, link).status_code == 303


@pytest.mark.parametrize("age_ms", [RESET_AGE_MS, ADMIN_RESET_AGE_MS])
def test_link_expires(tracer: Running, age_ms: int) -> None:
    tracer.add_user(EMAIL)
    link = new_link(tracer, age_ms=age_ms)
    start_s = clock.now_s()
    clock.set_clock(lambda: start_s + age_ms / 1000 - 5)
    assert tracer.visitor.get(link).status_code == 200
    clock.set_clock(lambda: start_s + age_ms / 1000 + 1)
    assert tracer.visitor.get(link).status_code == 404
    assert choose(tracer, link).status_code == 404


def test_link_that_was_made_up_opens_nothing(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    link = new_link(tracer)
    for other in (link[:-1], link + "x", "/reset/" + "x" * 43, "/reset/'OR'1"):
        assert tracer.visitor.get(other).status_code == 404
        assert choose(tracer, other).status_code == 404
    stored = tracer.meta.read().value("SELECT token_hash FROM account_links")
    assert tracer.visitor.get(f"/reset/{stored}").status_code == 404


def test_link_of_another_kind_is_none(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute(
            "INSERT INTO account_links (token_hash, kind, user_id, created_at, expires_at) "
            "VALUES (:hash, 'join', :user_id, :now, :now + 99999)",
            hash=queries.secret_hash("joining"),
            user_id=user_id,
            now=tx.now_ms,
        )
    assert tracer.visitor.get("/reset/joining").status_code == 404


def test_new_password_ends_logins_devices_and_other_links(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL)
    browsers = [tracer.login(EMAIL) for _ in range(2)]
    other, link = new_link(tracer), new_link(tracer)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute(
            "INSERT INTO remembered_devices (token_hash, user_id, created_at, used_at, expires_at) "
            "VALUES ('x', :user_id, 1, 1, :now + 99999)",
            user_id=user_id,
            now=tx.now_ms,
        )
    assert choose(tracer, link).status_code == 303
    assert [browser.get("/account/").status_code for browser in browsers] == [303, 303]
    assert tracer.meta.read().value("SELECT count(*) FROM remembered_devices") == 0
    assert tracer.visitor.get(other).status_code == 404


def test_changing_the_password_ends_the_links(tracer: Running) -> None:
    browser = tracer.login(EMAIL)
    link = new_link(tracer)
    fields = {"current_password": PASSWORD, "new_password": NEW}
    assert tracer.post("/account/password", fields, browser=browser).status_code == 303
    assert tracer.visitor.get(link).status_code == 404


@pytest.mark.parametrize("password", ["short", "Password1!", EMAIL, "my tracer word", "a" * 20])
def test_new_password_has_the_same_rules(tracer: Running, password: str) -> None:
    tracer.add_user(EMAIL)
    link = new_link(tracer)
    assert choose(tracer, link, password).status_code == 422
    assert choose(tracer, link).status_code == 303


def test_form_needs_its_token(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    assert tracer.visitor.post(new_link(tracer), data={"password": NEW}).status_code == 403
    assert log_in(tracer, PASSWORD) == 303


def test_choosing_a_password_does_not_log_in(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    answer = choose(tracer, new_link(tracer))
    assert "tracer_login" not in tracer.visitor.cookies
    assert answer.headers["location"] == "/login"
    assert "Your password is changed. Log in with it." in tracer.visitor.get("/login").text


def test_link_is_a_way_in_while_others_guess(tracer: Running) -> None:
    tracer.add_user(EMAIL)
    now_s = clock.now_s()
    clock.set_clock(lambda: now_s)
    for number in range(200):
        try:
            guesses.begin(Who(EMAIL, f"10.2.0.{number}"))
        except RateLimited:
            continue
    assert log_in(tracer, PASSWORD) == 429
    choose(tracer, new_link(tracer))
    fields = {"email": EMAIL, "password": NEW}
    assert tracer.post("/login", fields, browser=tracer.visitor).status_code == 303


def test_everything_is_recorded_without_the_secrets(tracer: Running, mails: list[Any]) -> None:
    user_id = tracer.add_user(EMAIL)
    tracer.login(EMAIL)
    forget(tracer)
    choose(tracer, link_in(mails[0]))
    rows = tracer.meta.read().rows(
        "SELECT action, actor_kind, actor_id, address, object_id FROM audit "
        "WHERE action LIKE 'password.%' OR action = 'login.end_all' ORDER BY id"
    )
    assert rows == [
        ("password.reset_link", "anonymous", None, "testclient", str(user_id)),
        ("password.reset", "user", user_id, "testclient", str(user_id)),
        ("login.end_all", "user", user_id, "testclient", str(user_id)),
    ]
    assert NEW not in str(tracer.meta.read().rows("SELECT * FROM audit"))


def test_old_links_are_removed(tracer: Running) -> None:
    from tracer.accounts.tasks import delete_expired_logins

    tracer.add_user(EMAIL)
    new_link(tracer)
    later_s = clock.now_s() + 30 * 86_400
    clock.set_clock(lambda: later_s)
    delete_expired_logins(tracer.tracer)
    assert tracer.meta.read().value("SELECT count(*) FROM account_links") == 0


# From an administrator --------------------------------------------------------------------------


def made_link(answer: Any) -> str:
    found = re.search(r"/reset/[\w-]{43}", answer.text)
    assert found, answer.text
    return found[0]


def test_owner_makes_a_link_for_a_member(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL, "member")
    answer = tracer.post(f"/members/{user_id}/reset-link")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert choose(tracer, made_link(answer)).status_code == 303
    assert log_in(tracer, NEW) == 303
    entry = tracer.meta.read().row(
        "SELECT actor, object FROM audit WHERE action = 'password.reset_link'"
    )
    assert entry == ("owner@example.com", EMAIL)


@pytest.mark.parametrize("role", ["manager", "admin", "member", "viewer"])
def test_nobody_else_makes_one(tracer: Running, role: str) -> None:
    user_id = tracer.add_user(EMAIL, "viewer")
    browser = tracer.login("bob@example.com", role)
    for path in (f"/members/{user_id}/reset-link", f"/settings/accounts/{user_id}/reset-link"):
        assert tracer.post(path, browser=browser).status_code == 403
    assert tracer.meta.read().value("SELECT count(*) FROM account_links") == 0


def test_owner_cannot_take_over_an_account_that_opens_more(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL, "member")
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        actions.add_member(tx, other, user_id, "owner")
    answer = tracer.post(f"/members/{user_id}/reset-link")
    assert answer.status_code == 403
    assert "also belongs to another organization" in answer.text
    admin_id = tracer.add_user("root@example.com", "member")
    with tracer.meta.write() as tx:
        actions.set_server_admin(tx, admin_id, True)
    assert tracer.post(f"/members/{admin_id}/reset-link").status_code == 403


def test_account_of_another_organization_does_not_exist(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        user_id = actions.create_user(tx, EMAIL, None)
        actions.add_member(tx, other, user_id, "member")
    assert tracer.post(f"/members/{user_id}/reset-link").status_code == 404
    assert tracer.post("/members/999999/reset-link").status_code == 404


def test_server_administrator_makes_one_for_any_account(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        user_id = actions.create_user(tx, EMAIL, None)
        actions.add_member(tx, other, user_id, "member")
    root = tracer.login("root@example.com", "member")
    assert tracer.post(f"/settings/accounts/{user_id}/reset-link", browser=root).status_code == 403
    root_id = tracer.add_user("root@example.com", "member")
    with tracer.meta.write() as tx:
        actions.set_server_admin(tx, root_id, True)
    answer = tracer.post(f"/settings/accounts/{user_id}/reset-link", browser=root)
    assert choose(tracer, made_link(answer)).status_code == 303


def test_making_a_link_asks_for_the_password_again(tracer: Running) -> None:
    user_id = tracer.add_user(EMAIL, "member")
    tracer.page("/account/")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET confirmed_at = 0")
    answer = tracer.post(f"/members/{user_id}/reset-link")
    assert answer.headers["location"].startswith("/account/confirm/")
    assert tracer.meta.read().value("SELECT count(*) FROM account_links") == 0
