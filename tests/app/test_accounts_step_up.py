"""Step-up: dangerous actions ask for the password or a second factor again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from authenticator import Authenticator
from factor_steps import (
    APP,
    CONFIRM,
    EMAIL,
    add_app,
    add_passkey,
    assertion,
    audit,
    code,
    csrf_of,
    later,
    logged_in,
    post,
)
from harness import PASSWORD, Running, running
from tracer.accounts import actions
from tracer.accounts.factors import flow
from tracer.accounts.tokens.actions import create_token
from tracer.accounts.tokens.model import ORGANIZATION, NewToken


@pytest.fixture(autouse=True)
def fresh() -> None:
    flow.throttle.clear()
    flow.refusals.clear()


@pytest.fixture
def ada(tracer: Running) -> TestClient:
    """The browser of a member who has just logged in, without a second factor."""
    return logged_in(tracer, EMAIL, "member")


def test_dangerous_action_asks_for_the_password_again_and_then_goes_on(
    tracer: Running, ada: TestClient
) -> None:
    later(tracer)
    answer = ada.get(APP)
    assert answer.headers["location"] == f"/account/confirm/?next={APP}"
    page = ada.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Password" in page.text
    wrong = post(ada, CONFIRM, CONFIRM, next=APP, password="wrong horse")
    assert wrong.status_code == 422
    assert ada.get(APP).status_code == 303
    right = post(ada, CONFIRM, CONFIRM, next=APP, password=PASSWORD)
    assert right.headers["location"] == APP
    assert ada.get(APP).status_code == 200
    assert audit(tracer, "login.confirm") == [{"actor": EMAIL, "by": "password"}]


def test_who_has_a_factor_confirms_with_it_and_not_with_the_password(
    tracer: Running, ada: TestClient
) -> None:
    seed, codes = add_app(ada)
    later(tracer)
    factor = tracer.meta.read().value("SELECT id FROM second_factors")
    remove = f"/account/security/factors/{factor}/remove"
    headers = {"referer": "http://testserver/account/security/"}
    token = csrf_of(ada.get("/account/security/").text)
    answer = ada.post(remove, data={"csrf": token}, headers=headers)
    assert answer.headers["location"] == "/account/confirm/?next=/account/security/"
    assert post(ada, CONFIRM, CONFIRM, password=PASSWORD).status_code == 422
    used = code(seed)
    answer = post(ada, CONFIRM, CONFIRM, code=used, next="/account/security/")
    assert answer.headers["location"] == "/account/security/"
    assert "Nothing was changed yet" in ada.get("/account/security/").text
    assert post(ada, CONFIRM, CONFIRM, code=used).status_code == 422
    assert post(ada, CONFIRM, CONFIRM, recovery=codes[0]).status_code == 303
    assert post(ada, "/account/security/", remove).status_code == 303
    assert tracer.meta.read().value("SELECT count(*) FROM second_factors") == 0


def test_passkey_confirms(tracer: Running, ada: TestClient) -> None:
    device = Authenticator()
    add_passkey(ada, device)
    later(tracer)
    assert ada.get(APP).status_code == 303
    answer = assertion(ada, CONFIRM, CONFIRM + "passkey", device)
    assert post(ada, CONFIRM, CONFIRM, credential=answer, next=APP).headers["location"] == APP
    assert ada.get(APP).status_code == 200
    assert post(ada, CONFIRM, CONFIRM, credential=answer).status_code == 422


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/%2f/x"],
)
def test_confirming_leads_only_to_this_site(ada: TestClient, wanted: str) -> None:
    assert "evil.example" not in ada.get(CONFIRM, params={"next": wanted}).text
    answer = post(ada, CONFIRM, CONFIRM, password=PASSWORD, next=wanted)
    assert answer.headers["location"] == "/"


def test_htmx_is_sent_to_the_page_that_asks(tracer: Running, ada: TestClient) -> None:
    later(tracer)
    answer = tracer.post("/account/security/recovery-codes/", part=True, browser=ada)
    assert answer.headers["hx-redirect"].startswith("/account/confirm/")


def test_address_with_a_query_is_gone_back_to_whole(tracer: Running) -> None:
    owner = logged_in(tracer, EMAIL, "owner")
    later(tracer)
    wanted = "/settings/policies/new?name=a%20b&days=1&days=2"
    answer = owner.get(wanted)
    asked = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
    assert asked == wanted
    right = post(owner, CONFIRM, CONFIRM, next=asked, password=PASSWORD)
    assert right.headers["location"] == wanted
    assert owner.get(wanted).status_code == 200


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("/settings/policies/?page=2", "/settings/policies/?page=2"),
        ("/members/invitations", "/members/"),
        ("/settings/accounts/1/reset-link", "/settings/"),
        ("", "/account/"),
    ],
)
def test_form_is_gone_back_to_where_it_was(tracer: Running, referer: str, back: str) -> None:
    owner = logged_in(tracer, EMAIL, "owner")
    headers = {"X-CSRF-Token": tracer.csrf(owner)}
    if referer:
        headers["referer"] = f"http://testserver{referer}"
    later(tracer)
    answer = owner.post("/settings/audit/retention", headers=headers)
    assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == [back]
    page = owner.get(answer.headers["location"]).text
    assert "Nothing was changed yet" in page
    assert owner.get(back).status_code == 200


def test_page_that_goes_on_by_itself_does_not_speak_of_repeating(ada: TestClient) -> None:
    assert "Nothing was changed yet" not in ada.get(CONFIRM, params={"next": APP}).text


def test_settings_ask_again_only_when_they_decide_who_gets_in(tracer: Running) -> None:
    owner = logged_in(tracer, EMAIL, "owner")
    later(tracer)
    same = {"name": "Acme", "slug": "default", "second_factor": "optional", "join_role": "member"}
    named = tracer.post("/settings/", {**same, "is_open": "1"}, browser=owner)
    assert named.headers["location"] == "/settings/"
    for change in ({}, {"is_open": "1", "join_domains": "example.com"}):
        answer = tracer.post("/settings/", {**same, **change}, browser=owner)
        assert answer.headers["location"].startswith(CONFIRM)
    row = tracer.meta.read().row("SELECT name, is_open, join_domains FROM organizations")
    assert row == ("Acme", 1, "[]")


def test_bulk_change_asks_again_only_when_it_deletes(tracer: Running) -> None:
    tracer.send(message="Out of tea")
    owner = logged_in(tracer, EMAIL, "owner")
    later(tracer)
    fields = {"id": "1", "action": "delete"}
    assert (
        tracer.post("/issues/bulk", fields, browser=owner).headers["location"].startswith(CONFIRM)
    )
    fields["action"] = "resolve"
    assert tracer.post("/issues/bulk", fields, browser=owner).headers["location"] == "/issues/"
    assert tracer.meta.read().value("SELECT status FROM issues") == 1


PAGES = (
    ("GET", APP),
    ("POST", APP),
    ("POST", "/account/security/passkeys/options"),
    ("POST", "/account/security/passkeys/"),
    ("POST", "/account/security/recovery-codes/"),
    ("POST", "/account/security/factors/1/remove"),
    ("GET", "/account/tokens/new"),
    ("POST", "/account/tokens/"),
    ("POST", "/account/tokens/1/rotate"),
    ("GET", "/settings/tokens/new"),
    ("POST", "/settings/tokens/"),
    ("POST", "/settings/tokens/{token}/rotate"),
    ("GET", "/settings/policies/new"),
    ("POST", "/settings/policies/"),
    ("GET", "/settings/policies/{policy}/"),
    ("POST", "/settings/policies/{policy}/"),
    ("POST", "/settings/policies/{policy}/enable"),
    ("POST", "/settings/policies/{policy}/disable"),
    ("POST", "/settings/policies/{policy}/delete"),
    ("POST", "/settings/addresses/"),
    ("POST", "/settings/audit/export"),
    ("POST", "/settings/audit/retention"),
    ("POST", "/settings/mail/"),
    ("POST", "/settings/mail/remove"),
    ("POST", "/settings/delete"),
    ("POST", "/members/{member}/role"),
    ("POST", "/members/{member}/remove"),
    ("POST", "/members/{member}/reset-link"),
    ("POST", "/members/{member}/reset-second-factor"),
    ("POST", "/settings/accounts/{member}/reset-link"),
    ("POST", "/settings/accounts/{member}/reset-second-factor"),
    ("POST", "/organizations/1/leave"),
    ("POST", "/teams/tea/delete"),
    ("POST", "/projects/first-project/delete"),
    ("POST", "/projects/first-project/keys/{key}/delete"),
    ("POST", "/issues/1/delete"),
    ("POST", "/issues/1/discard"),
    ("POST", "/settings/dead-letters/discard"),
    ("POST", "/settings/dead-letters/export"),
    ("POST", "/settings/server/dead-letters/discard"),
    ("POST", "/settings/server/dead-letters/export"),
)
OF_ORGANIZATION = "/api/0/organizations/default/"
API = (
    ("PUT", OF_ORGANIZATION),
    ("PUT", OF_ORGANIZATION + "members/{member}/"),
    ("DELETE", OF_ORGANIZATION + "members/{member}/"),
    ("DELETE", "/api/0/teams/default/tea/"),
    ("DELETE", "/api/0/projects/default/first-project/"),
    ("DELETE", "/api/0/projects/default/first-project/keys/{dsn}/"),
    ("DELETE", "/api/0/projects/default/first-project/issues/?id=1"),
    ("DELETE", OF_ORGANIZATION + "issues/?id=1"),
    ("DELETE", "/api/0/issues/1/"),
    ("DELETE", OF_ORGANIZATION + "issues/1/"),
    ("POST", "/api/0/api-tokens/"),
    ("POST", "/api/0/api-tokens/1/rotate/"),
    ("POST", OF_ORGANIZATION + "org-auth-tokens/"),
    ("POST", OF_ORGANIZATION + "org-auth-tokens/{token}/rotate/"),
    ("POST", OF_ORGANIZATION + "policies/"),
    ("PUT", OF_ORGANIZATION + "policies/{policy}/"),
    ("DELETE", OF_ORGANIZATION + "policies/{policy}/"),
    ("PUT", OF_ORGANIZATION + "addresses/"),
    ("PUT", OF_ORGANIZATION + "addresses/"),
    ("GET", OF_ORGANIZATION + "audit-logs/export/"),
    ("PUT", OF_ORGANIZATION + "audit-logs/retention/"),
)


@pytest.fixture(scope="module")
def stale(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, Any, dict[str, Any]]]:
    """A server with something of everything; its administrator and owner, whose last proof is long
    ago; and what the places in the paths stand for."""
    with running(tmp_path_factory.mktemp("stale") / "data") as server:
        server.send(message="Out of tea")
        member = server.add_user("bob@example.com", "member")
        owner = server.login("root@example.com", "owner")
        assert server.post("/teams/", {"name": "Tea", "slug": "tea"}, browser=owner).is_redirect
        root = server.add_user("root@example.com")
        with server.meta.write() as tx:
            actions.set_server_admin(tx, root, True)
        with server.meta.write(unaudited="test") as tx:
            policy = tx.insert(
                """
                INSERT INTO policies (organization_id, name, effect, conditions, created_at,
                    changed_at)
                VALUES (1, 'No exports', 'deny', '{"roles": ["viewer"]}', 0, 0)
                """
            )
        new = NewToken(ORGANIZATION, member, server.org.id, "ci", ("org:ci",))
        with server.meta.write() as tx:
            token = create_token(tx, server.tracer.vault, new).token.id
        key = server.meta.read().value("SELECT id FROM project_keys")
        values = {"member": member, "policy": policy, "token": token, "key": key, "dsn": server.key}
        with server.meta.write(unaudited="test") as tx:
            tx.execute("UPDATE logins SET confirmed_at = 0")
        yield server, owner, values


def everything(server: Running) -> list[Any]:
    """How much there is of all that the routes change, and the newest audit entry."""
    tables = (
        "members users tokens policies teams projects issues project_keys account_links "
        "second_factors organizations audit"
    )
    return [server.meta.read().rows(f"SELECT count(*) FROM {one}") for one in tables.split()]


@pytest.mark.parametrize(("method", "path"), PAGES, ids=str)
def test_dangerous_pages_ask_again(stale: Any, method: str, path: str) -> None:
    server, owner, values = stale
    headers = {"X-CSRF-Token": server.csrf(owner)}
    before = everything(server)
    answer = owner.request(method, path.format(**values), headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/account/confirm/?next=/")
    assert owner.get(answer.headers["location"]).status_code == 200
    assert everything(server) == before


@pytest.mark.parametrize(("method", "path"), API, ids=str)
def test_dangerous_requests_of_a_login_to_the_api_ask_again(
    stale: Any, method: str, path: str
) -> None:
    server, owner, values = stale
    headers = {"X-CSRF-Token": server.csrf(owner)}
    before = everything(server)
    answer = owner.request(method, path.format(**values), headers=headers)
    assert answer.status_code == 403
    assert "/account/confirm/" in answer.json()["detail"]
    assert everything(server) == before


def test_list_of_what_asks_again_is_whole(stale: Any) -> None:
    server, _, values = stale
    found = {route for route in server.tracer.table.routes if route.step_up}
    for method, path in (*PAGES, *API, ("POST", "/issues/bulk"), ("POST", "/settings/")):
        place = server.tracer.table.find(method, path.format(**values).partition("?")[0])
        found.discard(place.route)
    assert found == set()


def test_token_is_never_asked_again(tracer: Running) -> None:
    tracer.send(message="Out of tea")
    later(tracer)
    assert tracer.api("/api/0/issues/1/", "DELETE").status_code == 202
