"""From which addresses an organization may be used and administered, and the way back in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from harness import Running, running
from tracer.app import local

HOME = "/settings/addresses/"
OFFICE = "198.51.100.7"
OUTSIDE = "203.0.113.9"
SIX = "2001:db8:1::7"


@contextmanager
def at(address: str, browser: TestClient) -> Iterator[None]:
    """The browser comes from an address."""
    transport: Any = browser._transport
    before = transport.client
    transport.client = (address, 50000)
    try:
        yield
    finally:
        transport.client = before


@pytest.fixture
def owner(tracer: Running) -> Iterator[TestClient]:
    """The owner's browser, in the office."""
    browser = tracer.login()
    with at(OFFICE, browser):
        yield browser


def set_lists(tracer: Running, owner: TestClient, everyone: str = "", admin: str = "") -> Any:
    fields = {"everyone": everyone, "administration": admin}
    return tracer.post(HOME, fields, browser=owner)


def status(browser: TestClient, path: str, address: str) -> int:
    with at(address, browser):
        return browser.get(path).status_code


def lists(tracer: Running) -> tuple[Any, Any]:
    row = tracer.meta.read().row("SELECT ip_ranges, admin_ip_ranges FROM organizations")
    return json.loads(row[0]), json.loads(row[1])


def test_every_address_is_let_in_at_first(tracer: Running, owner: TestClient) -> None:
    assert lists(tracer) == ([], [])
    assert status(owner, "/issues/", OUTSIDE) == 200


def test_listed_ranges_of_both_kinds_are_let_in_and_nobody_else(
    tracer: Running, owner: TestClient
) -> None:
    listed = f"198.51.100.0/24\n{SIX}\n2001:db8:2::/48"
    assert set_lists(tracer, owner, listed).status_code == 303
    ben = tracer.login("ben@example.com", "member")
    for browser in (owner, ben):
        for address in (OFFICE, "198.51.100.255", f"::ffff:{OFFICE}", SIX, "2001:db8:2::1"):
            assert status(browser, "/issues/", address) == 200, address
        for address in (OUTSIDE, "198.51.101.1", "2001:db8:1::8", f"::ffff:{OUTSIDE}", "::1"):
            assert status(browser, "/issues/", address) == 403, address


def test_tokens_and_open_pages_are_held_to_it_and_events_are_not(
    tracer: Running, owner: TestClient
) -> None:
    headers = {"Authorization": f"Bearer {tracer.token()}"}
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    set_lists(tracer, owner, "198.51.100.0/24")
    visitor = tracer.visitor
    for address, expected in ((OFFICE, 200), (OUTSIDE, 403)):
        with at(address, visitor):
            answer = visitor.get(path, headers=headers)
            assert answer.status_code == expected
            live = visitor.head("/live/?topic=projects", headers=headers)
            assert live.status_code == expected
    assert OUTSIDE in answer.json()["detail"]
    with at(OUTSIDE, visitor):
        tracer.send(message="from anywhere")
    assert tracer.meta.read().value("SELECT count(*) FROM issues") == 1


def test_own_account_stays_within_reach(tracer: Running, owner: TestClient) -> None:
    """So that one can log out, or change to another organization."""
    set_lists(tracer, owner, "198.51.100.0/24")
    for path in ("/account/", "/organizations/", "/account/security/"):
        assert status(owner, path, OUTSIDE) == 200, path


def test_administration_has_a_list_of_its_own(tracer: Running, owner: TestClient) -> None:
    assert set_lists(tracer, owner, admin=OFFICE).status_code == 303
    assert status(owner, "/issues/", OUTSIDE) == 200
    for path in (HOME, "/settings/policies/", "/settings/tokens/", "/settings/policies/new"):
        assert status(owner, path, OUTSIDE) == 403, path
        assert status(owner, path, OFFICE) == 200, path
    with at(OUTSIDE, owner):
        assert tracer.post("/members/invite", {"email": "x@y.z"}, browser=owner).status_code >= 403
        page = owner.get("/issues/").text
    assert "/settings/policies/" not in page


def test_server_itself_is_administered_from_these_addresses_only(
    tracer: Running, owner: TestClient
) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 1")
    set_lists(tracer, owner, admin=OFFICE)
    assert status(owner, "/settings/mail/", OFFICE) == 200
    assert status(owner, "/settings/mail/", OUTSIDE) == 403


@pytest.mark.parametrize("which", ["everyone", "administration"])
def test_list_without_the_editors_own_address_is_refused(
    tracer: Running, owner: TestClient, which: str
) -> None:
    answer = tracer.post(HOME, {which: "192.0.2.0/24"}, browser=owner)
    assert answer.status_code == 409
    assert f"Your own address, {OFFICE}, is not in this list" in answer.text
    assert f'id="{which}-error"' in answer.text
    assert ">192.0.2.0/24</textarea>" in answer.text
    assert lists(tracer) == ([], [])


@pytest.mark.parametrize("text", ["nonsense", "198.51.100.7/40", "198.51.100.7 to 9", "::/200"])
def test_what_is_no_address_is_said_at_its_field(
    tracer: Running, owner: TestClient, text: str
) -> None:
    answer = set_lists(tracer, owner, f"198.51.100.0/24\n{text}")
    assert answer.status_code == 422
    assert 'id="everyone-error"' in answer.text
    assert lists(tracer) == ([], [])


def test_ranges_are_stored_as_everyone_writes_them(tracer: Running, owner: TestClient) -> None:
    set_lists(tracer, owner, "198.51.100.7/24, 198.51.100.0/24  ::FFFF:192.0.2.1\n2001:DB8::0/32")
    assert lists(tracer)[0] == ["198.51.100.0/24", "192.0.2.1", "2001:db8::/32"]


def test_change_is_in_the_audit_log_with_what_it_was_before(
    tracer: Running, owner: TestClient
) -> None:
    set_lists(tracer, owner, OFFICE)
    set_lists(tracer, owner, "198.51.100.0/24")
    row = tracer.meta.read().row(
        "SELECT before, after, address FROM audit WHERE action = 'organization.addresses'"
        " ORDER BY id DESC"
    )
    assert json.loads(row[0]) == {"ip_ranges": [OFFICE]}
    assert json.loads(row[1]) == {"ip_ranges": ["198.51.100.0/24"]}
    assert row[2] == OFFICE


def test_forwarded_header_of_a_stranger_is_no_way_in(tracer: Running, owner: TestClient) -> None:
    set_lists(tracer, owner, OFFICE)
    with at(OUTSIDE, owner):
        answer = owner.get("/issues/", headers={"X-Forwarded-For": OFFICE, "X-Real-IP": OFFICE})
    assert answer.status_code == 403


def test_behind_a_trusted_proxy_the_clients_own_address_counts(tmp_path: Any) -> None:
    with running(tmp_path / "data", trusted_proxies=("10.0.0.0/8",)) as tracer:
        owner = tracer.login()
        with at("10.0.0.1", owner):
            owner.headers["X-Forwarded-For"] = OFFICE
            assert set_lists(tracer, owner, OFFICE).status_code == 303
            assert owner.get("/issues/").status_code == 200
            owner.headers["X-Forwarded-For"] = f"{OFFICE}, {OUTSIDE}"
            assert owner.get("/issues/").status_code == 403


# The way back in ---------------------------------------------------------------------------------


def test_command_beside_the_running_server_lets_everybody_in_again(
    tracer: Running, owner: TestClient
) -> None:
    set_lists(tracer, owner, OFFICE, OFFICE)
    with tracer.meta.write(unaudited="test") as tx:
        tx.insert(
            """
            INSERT INTO policies (organization_id, name, effect, conditions, created_at, changed_at)
            VALUES (:org, 'closed', 'deny', '{"roles":["owner"]}', 1, 1)
            """,
            org=tracer.org.id,
        )
    assert status(owner, HOME, OUTSIDE) == status(owner, HOME, OFFICE) == 403
    settings = tracer.tracer.settings
    shown = local.run(settings, "access_show")["organizations"][0]
    assert shown["ip_ranges"] == shown["admin_ip_ranges"] == [OFFICE]
    assert shown["policies"][0]["sentence"] == (
        "People and tokens with the role owner may not do anything."
    )
    done = local.run(settings, "access_unlock", policies=False)
    assert done == {"organizations": {tracer.org.slug: {"addresses": 2, "policies": 0}}}
    assert status(owner, "/issues/", OUTSIDE) == 403
    done = local.run(settings, "access_unlock")
    assert done == {"organizations": {tracer.org.slug: {"addresses": 0, "policies": 1}}}
    assert status(owner, HOME, OUTSIDE) == 200
    rows = tracer.meta.read().rows("SELECT actor_kind, action FROM audit ORDER BY id DESC LIMIT 2")
    assert rows == [("cli", "policy.update"), ("cli", "organization.addresses")]


def test_command_explains_as_the_page_does(tracer: Running) -> None:
    tracer.add_user("ben@example.com", "member")
    answer = local.run(
        tracer.tracer.settings,
        "access_explain",
        actor="ben@example.com",
        permission="project:write",
    )
    assert answer["allowed"] is False
    assert answer["text"] == "The role member does not grant project:write."
    assert answer["rule"] == "role"


# The API -----------------------------------------------------------------------------------------


def test_lists_can_be_read_and_replaced_in_the_api(tracer: Running) -> None:
    path = f"/api/0/organizations/{tracer.org.slug}/addresses/"
    none: dict[str, list[str]] = {"everyone": [], "administration": []}
    assert tracer.api(path).json() == none
    body = {"everyone": [f"{OFFICE}/24"], "administration": [OFFICE]}
    with at(OFFICE, tracer.visitor):
        answer = tracer.api(path, "PUT", json=body)
        assert answer.status_code == 200
        assert answer.json() == {"everyone": ["198.51.100.0/24"], "administration": [OFFICE]}
        assert tracer.api(path, "PUT", json=answer.json()).json() == answer.json()
        refused = tracer.api(path, "PUT", json={**body, "administration": [OUTSIDE]})
        assert refused.status_code == 409
        assert tracer.api(path, "PUT", json={**body, "everyone": ["x"]}).status_code == 400
        assert tracer.api(path).json() == answer.json()
    with at(OUTSIDE, tracer.visitor):
        assert tracer.api(path, "PUT", json=none).status_code == 403
    with at(OFFICE, tracer.visitor):
        assert tracer.api(path, scopes=("org:write", "org:read")).status_code == 403
