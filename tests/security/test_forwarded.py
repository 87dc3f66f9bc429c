"""What a client says of itself, its address, its host or its scheme, counts for nothing.

Only a trusted proxy is believed; in the world that is loopback.
"""

from __future__ import annotations

import pytest

from security.door import Answer
from security.world import World, csrf_token
from tracer.accounts import throttle

INSIDE, OUTSIDE = "203.0.113.5", "198.51.100.1"
PROXY = "127.0.0.1"

#: Headers that some proxies set and others pass through. None of them is read.
SPOOFS = (
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-addr",
    "x-forwarded",
    "via",
)


def allow(world: World, *ranges: str) -> None:
    """Only these addresses may come to acme."""
    listed = "[" + ",".join(f'"{one}"' for one in ranges) + "]"
    world.execute(
        "UPDATE organizations SET ip_ranges = :ranges, access_version = access_version + 1"
        " WHERE id = :id",
        ranges=listed,
        id=world.acme.organization_id,
    )


def status(world: World, address: str, *headers: tuple[str, str], who: str = "owner") -> int:
    path = "/issues/" if who == "owner" else "/api/0/projects/"
    return world.ask(who, "GET", path, headers=headers, address=address).status


@pytest.mark.parametrize("who", ["owner", "owner's token"])
def test_address_list_believes_trusted_proxies_only(world: World, who: str) -> None:
    allow(world, "203.0.113.0/24")
    told = ("x-forwarded-for", INSIDE)
    assert status(world, INSIDE, who=who) == 200
    assert status(world, OUTSIDE, who=who) == 403
    assert status(world, OUTSIDE, told, who=who) == 403
    assert status(world, PROXY, told, who=who) == 200
    # The client wrote the first one itself, the proxy added the last.
    assert status(world, PROXY, ("x-forwarded-for", f"{INSIDE}, {OUTSIDE}"), who=who) == 403
    lines = (told, ("x-forwarded-for", OUTSIDE))
    assert status(world, PROXY, *lines, who=who) == 403


@pytest.mark.parametrize("header", SPOOFS)
def test_other_headers_about_the_address_are_not_read(world: World, header: str) -> None:
    allow(world, "203.0.113.0/24")
    for value in (INSIDE, f"for={INSIDE}"):
        for address in (OUTSIDE, PROXY):
            assert status(world, address, (header, value), ("forwarded", value)) == 403


def test_address_list_holds_for_both_families(world: World) -> None:
    allow(world, "203.0.113.0/24", "2001:db8:7::/48")
    assert status(world, "2001:db8:7::1") == 200
    assert status(world, "2001:db8:8::1") == 403
    assert status(world, f"::ffff:{INSIDE}") == 200
    assert status(world, f"::ffff:{OUTSIDE}") == 403
    assert status(world, "::1", ("x-forwarded-for", "2001:db8:7::1")) == 200
    assert status(world, f"::ffff:{PROXY}", ("x-forwarded-for", "[2001:db8:7::1]:443")) == 200
    assert status(world, OUTSIDE, ("x-forwarded-for", "::1")) == 403
    assert status(world, OUTSIDE, ("x-forwarded-for", PROXY)) == 403


def visit(world: World, address: str, *headers: tuple[str, str]) -> Answer:
    return world.door.ask("GET", "/login", headers, address=address)


def test_tls_of_a_trusted_proxy_is_believed(world: World) -> None:
    answer = visit(world, PROXY, ("x-forwarded-proto", "https"))
    assert answer.header("strict-transport-security").startswith("max-age=31536000")
    assert answer.header("set-cookie").startswith("__Host-")
    assert "; Secure" in answer.header("set-cookie")


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (PROXY, ()),
        (PROXY, (("x-forwarded-proto", "http"),)),
        (PROXY, (("x-forwarded-proto", "https, http"),)),
        (PROXY, (("x-forwarded-proto", "https\t//"),)),
        (PROXY, (("x-forwarded-ssl", "on"), ("front-end-https", "on"))),
        (PROXY, (("forwarded", "proto=https"), ("x-forwarded-scheme", "https"))),
        (OUTSIDE, (("x-forwarded-proto", "https"),)),
        (OUTSIDE, (("x-forwarded-proto", "https"), ("x-forwarded-for", PROXY))),
        ("", (("x-forwarded-proto", "https"),)),
    ],
)
def test_tls_is_no_claim_of_the_client(
    world: World, address: str, headers: tuple[tuple[str, str], ...]
) -> None:
    answer = visit(world, address, *headers)
    assert answer.status == 200
    assert not answer.header("strict-transport-security")
    assert "Secure" not in answer.header("set-cookie")


def test_guesses_are_counted_by_the_real_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new invented address for each guess is no way around."""
    monkeypatch.setitem(throttle._RULES, "address", (3, 60.0))
    cookie, key = world.visit()
    found = []
    for number in range(6):
        form = {"email": f"n{number}@acme.example", "password": "x", "csrf": csrf_token(key)}
        headers = {"cookie": cookie, "x-forwarded-for": f"192.0.2.{number}"}
        answer = world.door.ask("POST", "/login", headers, form=form, address=OUTSIDE)
        found.append(answer.status)
        if answer.status == 429:
            break
    assert found[-1] == 429


def test_audit_log_holds_the_real_address(world: World) -> None:
    headers = [("x-forwarded-for", INSIDE), ("x-real-ip", INSIDE)]
    answer = world.ask(
        "owner", "POST", "/account/", form={"name": "Renamed"}, headers=headers, address=OUTSIDE
    )
    assert answer.status == 303
    assert world.value("SELECT address FROM audit ORDER BY id DESC LIMIT 1") == OUTSIDE


@pytest.mark.parametrize(
    "host",
    [
        "evil.example/path",
        "evil.example:x",
        "user@evil.example",
        "evil.example\\@testserver",
        '"><script>alert(1)</script>',
        "testserver, evil.example",
        "evil.example evil.example",
        "evil.exam\u00e9ple",
        "[::1]evil.example",
        "evil.example:999999",
    ],
)
def test_host_that_is_none_is_repeated_nowhere(world: World, host: str) -> None:
    slug = world.acme.project.slug
    for path in (f"/projects/{slug}/keys/", "/api/0/projects/acme/shop/keys/", "/login"):
        answer = world.ask("owner", "GET", path, headers=[("host", host)])
        assert answer.status < 500
        assert "evil" not in answer.text
        assert "<script>alert" not in answer.text
        assert all("evil" not in value for _, value in answer.headers)


def test_two_host_headers_are_none(world: World) -> None:
    hosts = [("host", "testserver"), ("host", "evil.example")]
    path = f"/projects/{world.acme.project.slug}/keys/"
    assert "evil.example" not in world.ask("owner", "GET", path, headers=hosts).text
