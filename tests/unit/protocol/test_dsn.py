from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Invalid
from tracer.protocol.dsn import Auth, Dsn, find_key, parse_dsn, parse_sentry_auth

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"http://{KEY}@localhost:9000/1", Dsn("http", KEY, "localhost:9000", "", 1)),
        (f"https://{KEY}@errors.example.com/42", Dsn("https", KEY, "errors.example.com", "", 42)),
        (f"https://{KEY}:{OTHER}@example.com/42", Dsn("https", KEY, "example.com", "", 42)),
        (f"https://{KEY}@example.com/a/b/7", Dsn("https", KEY, "example.com", "/a/b", 7)),
        (f"https://{KEY}@example.com/7/", Dsn("https", KEY, "example.com", "", 7)),
        (f"http://{KEY}@[::1]:9000/7", Dsn("http", KEY, "[::1]:9000", "", 7)),
        (f"  http://{KEY.upper()}@h/7\n", Dsn("http", KEY, "h", "", 7)),
    ],
)
def test_dsn_is_taken_apart(text: str, expected: Dsn) -> None:
    assert parse_dsn(text) == expected


def test_dsn_text_round_trips_without_the_legacy_secret() -> None:
    assert str(parse_dsn(f"https://{KEY}:{OTHER}@h:1/p/9")) == f"https://{KEY}@h:1/p/9"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ftp://{KEY}@h/1",
        "http://h/1",
        f"http://{KEY}@/1",
        f"http://{KEY}@h/",
        f"http://{KEY}@h",
        f"http://{KEY}@h/abc",
        f"http://{KEY}@h/0",
        f"http://{KEY}@h/-1",
        f"http://{KEY}@h/²",
        f"http://{KEY}@h/9999999999999999999",
        f"http://{KEY}@h:port/1",
        f"http://{KEY}@h:0/1",
        f"http://{KEY}@[::1/1",
        f"http://{KEY[:-1]}@h/1",
        f"http://{KEY[:-1]}g@h/1",
    ],
)
def test_bad_dsn_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_dsn(text)


@given(st.text())
def test_no_text_breaks_the_dsn_parser(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert parse_dsn(text).project_id > 0


@pytest.mark.parametrize(
    "value",
    [
        f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0",
        f"sentry sentry_version=7,sentry_client=sentry.python/2.75.0,sentry_key={KEY}",
        f"SENTRY   sentry_client=sentry.python%2F2.75.0, sentry_key={KEY}, sentry_version=7",
        f'Sentry sentry_version="7", sentry_client="sentry.python/2.75.0", sentry_key="{KEY}"',
    ],
)
def test_sentry_auth_header_forms(value: str) -> None:
    assert parse_sentry_auth(value) == {
        "sentry_key": KEY,
        "sentry_version": "7",
        "sentry_client": "sentry.python/2.75.0",
    }


@pytest.mark.parametrize("value", ["", "Sentry", "Bearer abc", f"sentry_key={KEY}"])
def test_other_auth_headers_are_refused(value: str) -> None:
    with pytest.raises(Invalid):
        parse_sentry_auth(value)


def _header(key: str = KEY, version: str = "7") -> bytes:
    return f"Sentry sentry_key={key}, sentry_version={version}, sentry_client=c/1".encode()


EXPECTED = Auth(key=KEY, client="c/1", version="7")


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({b"x-sentry-auth": _header()}, b""),
        ({b"authorization": _header()}, b""),
        ({}, f"sentry_version=7&sentry_key={KEY}&sentry_client=c%2F1".encode()),
        ({}, f"a=1&sentry_key={KEY}&sentry_client=c%2F1".encode()),
        ({b"authorization": b"Bearer x", b"x-sentry-auth": _header()}, b""),
        ({b"authorization": b"Basic dXNlcjpwYXNz", b"x-sentry-auth": _header()}, b""),
    ],
)
def test_key_is_found_in_every_form(headers: dict[bytes, bytes], query: bytes) -> None:
    assert find_key(headers, query) == EXPECTED


def test_basic_login_with_a_key_counts_when_nothing_else_does() -> None:
    value = b"Basic " + base64.b64encode(f"{KEY}:".encode())
    assert find_key({b"authorization": value, b"user-agent": b"curl/8"}, b"") == Auth(
        key=KEY, client="curl/8", version="7"
    )


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, b""),
        ({b"authorization": b"Bearer abc"}, b""),
        ({b"authorization": b"Basic !!!"}, b""),
        ({b"authorization": b"Basic dXNlcjpwYXNz"}, b""),
        ({b"x-sentry-auth": b"nonsense"}, b""),
        ({b"x-sentry-auth": b"Sentry sentry_version=7"}, b""),
        ({}, b"sentry_key="),
        ({}, b"not_sentry_key=1"),
    ],
)
def test_no_readable_key_is_none(headers: dict[bytes, bytes], query: bytes) -> None:
    assert find_key(headers, query) is None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({b"x-sentry-auth": _header(), b"authorization": _header()}, b""),
        ({b"x-sentry-auth": _header()}, f"sentry_key={KEY}".encode()),
    ],
)
def test_two_authorizations_are_refused_with_401(headers: dict[bytes, bytes], query: bytes) -> None:
    with pytest.raises(Invalid, match="multiple authorization payloads") as caught:
        find_key(headers, query)
    assert caught.value.status == 401


@pytest.mark.parametrize("version", ["8", "99", "x", "-1", "1" * 30])
def test_protocol_versions_above_seven_are_refused(version: str) -> None:
    with pytest.raises(Invalid, match="version"):
        find_key({b"x-sentry-auth": _header(version=version)}, b"")


@pytest.mark.parametrize("version", ["5", "7", "7.0", ""])
def test_old_and_missing_protocol_versions_are_fine(version: str) -> None:
    found = find_key({b"x-sentry-auth": _header(version=version)}, b"")
    assert found is not None
    assert found.key == KEY


@pytest.mark.parametrize("key", ["abc", KEY[:-1] + "g", KEY + "0"])
def test_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="public key") as caught:
        find_key({b"x-sentry-auth": _header(key=key)}, b"")
    assert caught.value.status == 400


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_no_header_breaks_the_search_for_a_key(first: bytes, second: bytes, query: bytes) -> None:
    headers = {b"x-sentry-auth": b"Sentry " + first, b"authorization": second}
    try:
        found = find_key(headers, query + b"&sentry_key=" + first)
        assert found is None or len(found.key) == 32
    except Invalid:
        pass
