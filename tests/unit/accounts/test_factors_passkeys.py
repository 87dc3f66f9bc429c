"""Answers of passkeys: genuine ones pass, whatever is foreign, replayed or garbled does not."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator import Authenticator, decode, encode
from tracer.accounts.factors import passkeys
from tracer.accounts.factors.model import Passkey
from tracer.accounts.factors.passkeys import Site
from tracer.errors import Invalid

SITE = Site("testserver", "http://testserver")
CHALLENGE = b"c" * 32
OPTIONS = {"challenge": encode(CHALLENGE)}


def enrolled(device: Authenticator) -> Passkey:
    key = passkeys.check_creation(SITE, CHALLENGE, device.create(OPTIONS))
    assert key.credential_id == device.credential_id
    return Passkey(1, 7, "", key.credential_id, key.public_key, key.sign_count)


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://errors.example.com", Site("errors.example.com", "https://errors.example.com")),
        ("http://localhost:8000", Site("localhost", "http://localhost:8000")),
        (
            "https://Errors.example.com:8443/x",
            Site("errors.example.com", "https://errors.example.com:8443"),
        ),
        ("http://127.0.0.1:8000", None),
        ("http://[::1]:8000", None),
    ],
)
def test_passkeys_are_bound_to_a_host_name(url: str, site: Site | None) -> None:
    assert passkeys.site_of(url) == site


def test_genuine_answer_moves_the_counter() -> None:
    device = Authenticator()
    key = enrolled(device)
    assert passkeys.check_answer(SITE, CHALLENGE, device.get(OPTIONS), key) == key.sign_count + 1


def test_authenticator_without_a_counter_is_accepted_again_and_again() -> None:
    device = Authenticator(counts=0)
    key = enrolled(device)
    for _ in range(2):
        assert passkeys.check_answer(SITE, CHALLENGE, device.get(OPTIONS), key) == 0


@pytest.mark.parametrize("count", [0, 4, 5])
def test_counter_that_has_not_moved_on_is_a_copy(count: int) -> None:
    device = Authenticator()
    key = replace(enrolled(device), sign_count=5)
    device.count = count - 1
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, device.get(OPTIONS), key)


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "https://testserver"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://testserver:8080"},
        {"rp_id": "evil.example"},
    ],
)
def test_another_origin_or_host_is_refused(foreign: dict[str, str]) -> None:
    device = Authenticator()
    key = enrolled(device)
    other = replace(device, **foreign)  # type: ignore[arg-type]
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, other.get(OPTIONS), key)
    with pytest.raises(Invalid):
        passkeys.check_creation(SITE, CHALLENGE, other.create(OPTIONS))


def test_answer_to_another_challenge_is_refused() -> None:
    device = Authenticator()
    key = enrolled(device)
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, b"d" * 32, device.get(OPTIONS), key)
    with pytest.raises(Invalid):
        passkeys.check_creation(SITE, b"d" * 32, device.create(OPTIONS))


def test_creation_is_no_login_and_a_login_no_creation() -> None:
    device = Authenticator()
    key = enrolled(device)
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, device.create(OPTIONS), key)
    with pytest.raises(Invalid):
        passkeys.check_creation(SITE, CHALLENGE, device.get(OPTIONS))


def test_signature_of_another_key_is_refused() -> None:
    device = Authenticator()
    key = enrolled(device)
    other = Authenticator(credential_id=device.credential_id, count=50)
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, other.get(OPTIONS), key)


def test_passkey_alone_must_know_its_user() -> None:
    device = Authenticator(is_verifying=False)
    key = enrolled(device)
    passkeys.check_answer(SITE, CHALLENGE, device.get(OPTIONS), key)
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, device.get(OPTIONS), key, alone=True)


DEVICE = Authenticator(count=100)
KEY = enrolled(DEVICE)
GENUINE = json.loads(DEVICE.get(OPTIONS))


@given(st.sampled_from(["authenticatorData", "signature"]), st.data())
def test_any_changed_byte_is_noticed(name: str, data: Any) -> None:
    raw = bytearray(decode(GENUINE["response"][name]))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    forged = {**GENUINE, "response": {**GENUINE["response"], name: encode(bytes(raw))}}
    with pytest.raises(Invalid):
        passkeys.check_answer(SITE, CHALLENGE, json.dumps(forged), KEY)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.text()
    | st.fixed_dictionaries(
        {},
        optional={
            "id": _json,
            "rawId": _json,
            "type": st.just("public-key") | _json,
            "response": st.dictionaries(
                st.sampled_from(
                    ["clientDataJSON", "attestationObject", "authenticatorData", "signature"]
                ),
                _json | st.binary().map(encode),
            ),
        },
    ).map(json.dumps)
)
def test_garbage_is_refused_and_never_an_error(answer: str) -> None:
    for check in (
        lambda: passkeys.check_creation(SITE, CHALLENGE, answer),
        lambda: passkeys.check_answer(SITE, CHALLENGE, answer, KEY),
    ):
        with pytest.raises(Invalid):
            check()
    with suppress(Invalid):
        assert isinstance(passkeys.credential_of(answer), bytes)
