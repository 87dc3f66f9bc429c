from __future__ import annotations

from typing import Any

import pytest

from tracer.kit.network import Network

TRUSTED = Network(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8", "2001:db8:5::/48"), port=9000)


def scope(peer: str, forwarded: str = "") -> dict[str, Any]:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"client": (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("127.0.0.1", "6.6.6.6, nonsense, 10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("127.0.0.1", "<script>", "127.0.0.1"),
        ("127.0.0.1", ", , 1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "1.2.3.4,", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("::ffff:127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("::ffff:203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("2001:db8:5::7", "2001:db8::9", "2001:db8::9"),
        ("2001:db8:6::7", "2001:db8::9", "2001:db8:6::7"),
        ("2001:db8:5::7", "6.6.6.6, 1.2.3.4, 2001:db8:5::8, 10.0.0.7", "1.2.3.4"),
        ("2001:db8:5::7", "[2001:db8::9]:1234, [2001:db8:5::8]:443", "2001:db8::9"),
        ("10.0.0.1", "203.0.113.50, 10.0.0.2, 203.0.113.60, 10.0.0.3", "203.0.113.60"),
    ],
)
def test_forwarded_address_counts_from_trusted_proxies_only(
    peer: str, forwarded: str, client: str
) -> None:
    assert TRUSTED.client_ip(scope(peer, forwarded)) == client


def test_header_in_several_lines_is_one_list() -> None:
    lines = [(b"x-forwarded-for", b"6.6.6.6, 1.2.3.4"), (b"x-forwarded-for", b"10.0.0.7")]
    assert TRUSTED.client_ip({"client": ("127.0.0.1", 1), "headers": lines}) == "1.2.3.4"


def test_endless_list_of_proxies_is_cut() -> None:
    forwarded = ", ".join(["6.6.6.6", *["10.0.0.1"] * 5000])
    assert TRUSTED.client_ip(scope("127.0.0.1", forwarded)) == "10.0.0.1"


def test_connection_without_an_address_has_none() -> None:
    assert TRUSTED.client_ip({"client": None, "headers": []}) == ""


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("errors.example.com", "http://errors.example.com"),
        ("localhost:9000", "http://localhost:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("", "http://localhost:9000"),
        ("evil.example/path", "http://localhost:9000"),
        ("a@b", "http://localhost:9000"),
        ("x y", "http://localhost:9000"),
        ("a:b", "http://localhost:9000"),
        ('"><script>', "http://localhost:9000"),
    ],
)
def test_only_a_host_is_repeated_in_urls(host: str, url: str) -> None:
    assert TRUSTED.base_url("203.0.113.9", {"host": host}) == url


def test_scheme_comes_from_trusted_proxies_only() -> None:
    headers = {"host": "a.example", "x-forwarded-proto": "https"}
    assert TRUSTED.base_url("127.0.0.1", headers) == "https://a.example"
    assert TRUSTED.base_url("203.0.113.9", headers) == "http://a.example"
    headers["x-forwarded-proto"] = "javascript"
    assert TRUSTED.base_url("127.0.0.1", headers) == "http://a.example"


@pytest.mark.parametrize(
    ("forwarded", "proto", "scheme"),
    [
        ("1.2.3.4", "https, http", "http"),
        ("1.2.3.4", "http, https", "https"),
        ("1.2.3.4, 10.0.0.7", "https, http", "https"),
        ("1.2.3.4, 10.0.0.7", "https, http, http", "http"),
        ("1.2.3.4, 10.0.0.7", "https", "https"),
        ("6.6.6.6, 1.2.3.4", "https, http", "http"),
        ("", "https", "https"),
        ("", "https, http", "http"),
    ],
)
def test_scheme_is_the_one_that_the_outermost_trusted_proxy_tells(
    forwarded: str, proto: str, scheme: str
) -> None:
    """What a client wrote into the header stands before it and is not believed."""
    headers = {"host": "a.example", "x-forwarded-proto": proto, "x-forwarded-for": forwarded}
    assert TRUSTED.base_url("127.0.0.1", headers) == f"{scheme}://a.example"


def test_configured_url_wins() -> None:
    network = Network(url="https://errors.example.com")
    assert network.base_url("1.1.1.1", {"host": "other"}) == "https://errors.example.com"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example", "x-forwarded-proto": "https"},
        {"host": "errors.example.com", "x-forwarded-host": "evil.example"},
        {"host": "errors.example.com", "forwarded": "host=evil.example;proto=https"},
    ],
)
def test_links_that_are_sent_elsewhere_never_name_the_host_of_a_request(
    headers: dict[str, str],
) -> None:
    network = Network(url="https://errors.example.com", trusted_proxies=("127.0.0.1",))
    assert network.base_url("127.0.0.1", headers) == "https://errors.example.com"
    assert network.public_url == "https://errors.example.com"
    assert TRUSTED.public_url == "http://localhost:9000"


def test_forwarded_host_is_not_believed_of_anybody() -> None:
    headers = {"host": "a.example", "x-forwarded-host": "evil.example", "x-host": "evil.example"}
    for peer in ("127.0.0.1", "203.0.113.9"):
        assert TRUSTED.base_url(peer, headers) == "http://a.example"


def test_two_hosts_are_none() -> None:
    assert TRUSTED.base_url("1.1.1.1", {"host": "a.example, evil.example"}) == (
        "http://localhost:9000"
    )
