"""Lost second factors: who may remove those of others, and what ends with them. And the mails that
tell people what was done to their account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from authenticator import Authenticator
from factor_steps import (
    APP,
    CONFIRM,
    EMAIL,
    SECOND,
    add_app,
    add_passkey,
    at,
    audit,
    code,
    later,
    logged_in,
    password,
    post,
)
from harness import PASSWORD, Running
from mail_sink import mailbox
from serving import cli
from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.factors import flow

NEW = "battery staple 2"


@pytest.fixture(autouse=True)
def fresh() -> None:
    flow.throttle.clear()
    flow.refusals.clear()


@pytest.fixture
def ada(tracer: Running) -> TestClient:
    """The browser of a member with an authenticator app."""
    browser = logged_in(tracer, EMAIL, "member")
    add_app(browser)
    return browser


@pytest.fixture
def mails(tracer: Running) -> Iterator[list[Any]]:
    with mailbox(tracer) as arrived:
        yield arrived


def told(tracer: Running, mails: list[Any]) -> list[tuple[str, str, str]]:
    """To whom the mails since the last look went, their subjects and texts."""
    tracer.run_tasks()
    tracer.run_tasks()
    found = [(m["to"], m["subject"], m.get_body(("plain",)).get_content()) for m in mails]
    mails.clear()
    return found


def id_of(tracer: Running, email: str = EMAIL) -> int:
    user = queries.user_by_email(tracer.meta.read(), email)
    assert user is not None
    return int(user.id)


def factors_of(tracer: Running, user_id: int) -> int:
    return int(
        tracer.meta.read().value(
            "SELECT count(*) FROM second_factors WHERE user_id = :u", u=user_id
        )
    )


def place(user_id: int, *, of: str = "members") -> str:
    return f"/{of}/{user_id}/reset-second-factor"


# Who may ----------------------------------------------------------------------------------------


def test_owner_removes_the_lost_factors_of_a_member(tracer: Running, ada: TestClient) -> None:
    user_id = id_of(tracer)
    page = f"/members/{user_id}/"
    assert "Reset the second factor" in tracer.page(page).text
    assert tracer.post(place(user_id)).headers["location"] == page
    assert "is logged out everywhere" in tracer.page(page).text
    assert "Reset the second factor" not in tracer.page(page).text
    assert ada.get("/account/").status_code == 303
    assert password(tracer.browser()).headers["location"] == "/members/"
    assert tracer.meta.read().value("SELECT count(*) FROM recovery_codes") == 0
    assert tracer.meta.read().row(
        "SELECT actor, object_id, organization_id FROM audit WHERE action = 'factor.reset'"
    ) == ("owner@example.com", str(user_id), tracer.org.id)


def test_login_that_waits_for_the_factor_ends_with_it(tracer: Running, ada: TestClient) -> None:
    waiting = tracer.browser()
    assert password(waiting).headers["location"] == SECOND
    tracer.post(place(id_of(tracer)))
    assert waiting.get(SECOND).headers["location"] == "/login"


def test_member_without_a_factor_keeps_the_logins(tracer: Running) -> None:
    browser = logged_in(tracer, EMAIL, "member")
    answer = tracer.post(place(id_of(tracer)))
    assert "has no second factor." in tracer.page(answer.headers["location"]).text
    assert browser.get("/account/").status_code == 200
    assert audit(tracer, "factor.reset") == []


@pytest.mark.parametrize("role", ["manager", "admin", "member", "viewer"])
def test_nobody_else_removes_them(tracer: Running, ada: TestClient, role: str) -> None:
    browser = tracer.login("bob@example.com", role)
    user_id = id_of(tracer)
    for path in (place(user_id), place(user_id, of="settings/accounts")):
        assert tracer.post(path, browser=browser).status_code == 403
    assert factors_of(tracer, user_id) == 1


def test_owner_cannot_open_an_account_that_opens_more(tracer: Running, ada: TestClient) -> None:
    user_id = id_of(tracer)
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        actions.add_member(tx, other, user_id, "owner")
    answer = tracer.post(place(user_id))
    assert answer.status_code == 403
    assert "also belongs to another organization" in answer.text
    assert factors_of(tracer, user_id) == 1


def test_account_of_another_organization_does_not_exist(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        user_id = actions.create_user(tx, EMAIL, None)
        actions.add_member(tx, other, user_id, "member")
    missing = tracer.post(place(999_999))
    assert (missing.status_code, tracer.post(place(user_id)).status_code) == (404, 404)


def test_server_administrator_removes_those_of_any_account(
    tracer: Running, ada: TestClient
) -> None:
    user_id = id_of(tracer)
    with tracer.meta.write() as tx:
        other = actions.create_organization(tx, "other", "Other")
        actions.add_member(tx, other, user_id, "owner")
    root = tracer.login("root@example.com", "member")
    root_id = id_of(tracer, "root@example.com")
    path = place(user_id, of="settings/accounts")
    assert tracer.post(path, browser=root).status_code == 403
    with tracer.meta.write() as tx:
        actions.set_server_admin(tx, root_id, True)
    assert tracer.post(path, browser=root).status_code == 303
    assert factors_of(tracer, user_id) == 0
    missing = tracer.post(place(999_999, of="settings/accounts"), browser=root)
    assert missing.status_code == 404


# Mails ------------------------------------------------------------------------------------------


def test_changed_password_is_told(tracer: Running, mails: list[Any]) -> None:
    at(1_800_000_000)
    browser = logged_in(tracer, EMAIL, "member")
    browser.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"
    page = "/account/security/"
    fields = {"current_password": PASSWORD, "new_password": NEW}
    assert post(browser, page, "/account/password", **fields).status_code == 303
    [(to, subject, text)] = told(tracer, mails)
    assert (to, subject) == (EMAIL, "Your password was changed on tracer")
    assert "On 15 January 2027, 08:00 UTC, the password of your account was changed." in text
    assert "It was done in a browser, with Firefox on Linux from testclient." in text
    assert re.search(r"http://\S+/account/security/", text)
    assert NEW not in text


def test_password_replaced_by_a_link_is_told(tracer: Running, mails: list[Any]) -> None:
    user_id = tracer.add_user(EMAIL, "member")
    made = tracer.post(f"/members/{user_id}/reset-link")
    [(to, subject, text)] = told(tracer, mails)
    assert (to, subject) == (EMAIL, "Somebody made a link to replace your password on tracer")
    assert "It was done by owner@example.com, from testclient." in text
    link = re.search(r"/reset/[\w-]{43}", made.text)
    assert link
    assert link[0] not in text
    tracer.post(link[0], {"password": NEW}, browser=tracer.visitor)
    assert [subject for _, subject, _ in told(tracer, mails)] == [
        "Your password was replaced on tracer"
    ]


def test_link_that_was_asked_for_by_mail_is_one_mail(tracer: Running, mails: list[Any]) -> None:
    tracer.add_user(EMAIL)
    tracer.post("/forgot", {"email": EMAIL}, browser=tracer.visitor)
    assert [subject for _, subject, _ in told(tracer, mails)] == [
        "Choose a new password for tracer"
    ]


def test_changes_of_factors_are_told(tracer: Running, mails: list[Any]) -> None:
    browser = logged_in(tracer, EMAIL, "member")
    page = "/account/security/"

    def subjects() -> list[str]:
        found = told(tracer, mails)
        assert {to for to, _, _ in found} <= {EMAIL}
        return [subject.removesuffix(" on tracer") for _, subject, _ in found]

    seed, codes = add_app(browser)
    assert subjects() == ["A second factor was added"]
    add_passkey(browser, Authenticator())
    assert subjects() == ["A second factor was added"]
    at(clock.now_s() + 60)
    other = tracer.browser()
    password(other)
    assert post(other, SECOND, SECOND, code=code(seed)).status_code == 303
    assert subjects() == []
    password(other := tracer.browser())
    assert post(other, SECOND, SECOND, recovery=codes[0]).status_code == 303
    assert subjects() == ["A recovery code was used"]
    post(browser, page, "/account/security/recovery-codes/")
    assert subjects() == ["New recovery codes were made"]
    factor = tracer.meta.read().value("SELECT min(id) FROM second_factors")
    post(browser, page, f"/account/security/factors/{factor}/remove")
    assert subjects() == ["A second factor was removed"]
    tracer.post(place(id_of(tracer)))
    assert subjects() == ["Your second factors were removed"]


def test_what_is_done_on_the_server_is_told_as_such(tracer: Running, mails: list[Any]) -> None:
    add_app(logged_in(tracer, EMAIL, "member"))
    told(tracer, mails)
    data = str(tracer.tracer.settings.data)
    assert cli("account", "reset-second-factor", "--email", EMAIL, "--data", data).exit_code == 0
    [(to, _, text)] = told(tracer, mails)
    assert to == EMAIL
    assert "It was done on the command line of the server." in text


def test_browser_that_lies_about_itself_puts_nothing_into_the_mail(
    tracer: Running, mails: list[Any]
) -> None:
    browser = logged_in(tracer, EMAIL, "member")
    browser.headers["user-agent"] = "Call +1 555 0100 at once"
    add_app(browser)
    [(_, _, text)] = told(tracer, mails)
    assert "555" not in text


def test_nobody_is_told_of_what_failed_or_where_there_is_no_mail(tracer: Running) -> None:
    browser = logged_in(tracer, EMAIL, "member")
    add_app(browser)
    with mailbox(tracer) as mails:
        wrong = {"current_password": "wrong horse", "new_password": NEW}
        assert post(browser, APP, "/account/password", **wrong).status_code == 422
        later(tracer)
        assert post(browser, CONFIRM, CONFIRM, code="000000").status_code == 422
        assert told(tracer, mails) == []


def test_mail_about_an_account_that_is_gone_is_dropped(tracer: Running, mails: list[Any]) -> None:
    add_app(logged_in(tracer, EMAIL, "member"))
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE tasks SET arguments = json_set(arguments, '$.user_id', 999999)")
    assert told(tracer, mails) == []
    assert tracer.meta.read().value("SELECT count(*) FROM tasks") == 0
