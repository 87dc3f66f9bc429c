from __future__ import annotations

from typing import Any

import pytest

from tracer.kit.network import Network

TRUSTED = Network(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"), port=9000)


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
    ],
)
def test_forwarded_address_counts_from_trusted_proxies_only(
    peer: str, forwarded: str, client: str
) -> None:
    assert TRUSTED.client_ip(scope(peer, forwarded)) == client


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


def test_configured_url_wins() -> None:
    network = Network(url="https://errors.example.com")
    assert network.base_url("1.1.1.1", {"host": "other"}) == "https://errors.example.com"
