"""Secrets inside strings, through the scrubber: finding the suspect and cleaning it."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracer.protocol.scrub import Scrubber, ScrubRules, compile_rules

F = "[Filtered]"
scrubber = compile_rules(ScrubRules())


def scrubbed(text: str, by: Scrubber = scrubber) -> str:
    data = {"extra": {"x": text}}
    removed = by(data)
    assert bool(removed) == (data["extra"]["x"] != text)
    return data["extra"]["x"]


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # reprs, JSON, keyword arguments
        ("{'password': 'hunter2', 'user': 'bob'}", f"{{'password': '{F}', 'user': 'bob'}}"),
        ('{"api_key": "a\\"bc", "b": 1}', f'{{"api_key": "{F}", "b": 1}}'),
        (
            '"{\\"password\\": \\"hunter2\\", \\"a\\": 1}"',
            f'"{{\\"password\\": \\"{F}\\", \\"a\\": 1}}"',
        ),
        ("{'token': ['abc', 'def'], 'a': 1}", f"{{'token': [{F}], 'a': 1}}"),
        ("{'auth': {'user': 'a'}, 'b': 1}", f"{{'auth': {{{F}}}, 'b': 1}}"),
        ("Login(user='bob', password='p', n=1)", f"Login(user='bob', password='{F}', n=1)"),
        ("Settings(password=SecretStr('hunter'))", f"Settings(password={F})"),
        ("{'a': 'password=hunter2'}", f"{{'a': 'password={F}'}}"),
        ("{'headers': {'X-Api-Key': 'abc'}}", f"{{'headers': {{'X-Api-Key': '{F}'}}}}"),
        ("{'pin': 1, 'password': 12345}", f"{{'pin': 1, 'password': {F}}}"),
        ("{'password': 'cut off in the mid", f"{{'password': '{F}"),
        ('"password"=>"hunter2"', f'"password"=>"{F}"'),
        ("user_password = u'x'", f"user_password = u'{F}'"),
        ("{b'token': b'abc'}", f"{{b'token': b'{F}'}}"),
        # pairs
        (
            "[('Authorization', 'Bearer x'), ('Host', 'y')]",
            f"[('Authorization', '{F}'), ('Host', 'y')]",
        ),
        ("[(b'cookie', b'a=b; c=d'), (b'host', b'x')]", f"[(b'cookie', b'{F}'), (b'host', b'x')]"),
        ('[["x-api-key", "abc"]]', f'[["x-api-key", "{F}"]]'),
        # forms, query strings, headers, connection strings, options, XML
        ("password=hunter2&x=1", f"password={F}&x=1"),
        ("user[password]=hunter2&a=b", f"user[password]={F}&a=b"),
        ("GET /x?access_token=abc&y=2 HTTP/1.1", f"GET /x?access_token={F}&y=2 HTTP/1.1"),
        ("Server=db;User=sa;Password=p!w;Port=1", f"Server=db;User=sa;Password={F};Port=1"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {F}"),
        ("curl -H 'Authorization: Bearer abc1' x", f"curl -H 'Authorization: Bearer {F}' x"),
        ("Cookie: a=b; sessionid=c\nHost: x", f"Cookie: {F}\nHost: x"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=b", f"Authorization: {F}"),
        ("Authorization: Bearer abc was refused", f"Authorization: Bearer {F} was refused"),
        ("deploy --token=abc --dry", f"deploy --token={F} --dry"),
        ("<Login><password>x y</password></Login>", f"<Login><password>{F}</password></Login>"),
        ("<s:Password>x</s:Password>", f"<s:Password>{F}</s:Password>"),
        # prose
        ("login failed, password: hunter2", f"login failed, password: {F}"),
        ("API key: abcdef", f"API key: {F}"),
        ("Invalid token: abcdef12345", f"Invalid token: {F}"),
        # by form
        ("https://bob:s3cret@example.com/x", f"https://bob:{F}@example.com/x"),
        ("postgres://u:p@ss@host/db", f"postgres://u:{F}@host/db"),
        ("redis://:pw@host:6379", f"redis://:{F}@host:6379"),
        ("paid with 4111 1111 1111 1111.", f"paid with {F}."),
        ("4111-1111-1111-1111", F),
        ("id 5555555555554444,", f"id {F},"),
        ("3782 822463 10005", F),
        ("378282246310005", F),
        ("30569309025904", F),
        ("6011111111111117", F),
        ("3530111333300000", F),
        ("4222222222222", F),
        ("é4111111111111111é", f"é{F}é"),
        (f"key:\n{PEM}\nend", f"key:\n{F}\nend"),
        ("'-----BEGIN PRIVATE KEY-----\\nMIIE cut", f"'{F}"),
        (f"got {JWT}!", f"got {F}!"),
        ("Bearer abc123", f"Bearer {F}"),
        ("Basic dXNlcjpwYXNz1==", f"Basic {F}"),
        ("AKIAIOSFODNN7EXAMPLE", F),
        ("use ghp_abcdefghijklmnopqrstuvwxyz0123456789", f"use {F}"),
        ("xoxb-123456789012-abcdefghijklmnop", F),
        ("sk_live_abcdefghijklmnopqrstuvwx", F),
        ("sntryu_" + "0123456789abcdef" * 4, F),
        ("sntrys_eyJpYXQiOjE3MDB9_" + "a1B" * 14 + "x", F),
    ],
)
def test_secrets_are_filtered(text: str, expected: str) -> None:
    assert scrubbed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password",
        "password=",
        "password=None",
        "{'password': None, 'token': ''}",
        f"{{'password': '{F}'}}",
        "SELECT 1 WHERE password = %s AND token = ? AND secret = $1",
        "password = %(password)s",
        "Unexpected token: punc (,)",
        "session: expired",
        "Invalid token: <",
        "The author: bob, authority=x",
        "{'tokens_used': 5, 'token_count': 12, 'passenger': 'bob', 'secretary': 'ann'}",
        "basic authentication is needed, bearer token missing",
        "https://0123456789abcdef0123456789abcdef@o1.example.com/1",
        "http://host:80/path?email=a@b.c",
        "git@github.com:org/repo.git https://x",
        "4111111111111112",
        "1760000000000",
        "1760000000000000000",
        "took 4111111111111111.5 ms",
        "a4111111111111111",
        "4111 1111 11111 111",
        "00000000-0000-0000-0000-000000000000",
        "AKIA is short",
        "['password', 'email', 'username']",
        "KeyError: 'password'",
        "key=abc, id=5: fine",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_own_and_safe_names_count_inside_strings() -> None:
    own = compile_rules(ScrubRules(sensitive=("iban2",), safe=("session_token",)))
    assert scrubbed("iban2=DE1&x=1", own) == f"iban2={F}&x=1"
    assert scrubbed("session_token=abc&token=d", own) == f"session_token=abc&token={F}"


def test_without_defaults_only_own_names_count_inside_strings() -> None:
    own = compile_rules(ScrubRules(defaults=False, sensitive=("iban",)))
    text = f"iban=DE1 password=x {JWT} 4111111111111111"
    assert scrubbed(text, own) == f"iban={F} password=x {JWT} 4111111111111111"


@pytest.mark.parametrize("nul", ["\0", "a\0b"])
def test_a_nul_in_another_string_hides_nothing(nul: str) -> None:
    data = {"extra": {"a": nul, "b": "password=x", "c": nul, "d": "4111111111111111"}}
    scrubber(data)
    assert data["extra"] == {"a": nul, "b": f"password={F}", "c": nul, "d": F}


words = st.sampled_from(
    [
        "password",
        "token",
        "=",
        ":",
        ": ",
        "'",
        '"',
        "\\",
        '\\"',
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "://",
        "@",
        "a",
        " ",
        "\n",
        ",",
        ";",
        "&",
        "<",
        ">",
        "</",
        "4111111111111111",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        ".",
        "-",
        "_",
        "b'",
        "auth",
        "cookie",
        "\x00",
        "é",
    ]
)


@settings(max_examples=400)
@given(st.lists(words, max_size=30).map("".join))
@example("password='[Filtered]")
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = {"extra": {"x": text}}
    scrubber(once)
    twice = {"extra": {"x": once["extra"]["x"]}}
    scrubber(twice)
    assert twice["extra"]["x"] == once["extra"]["x"]


@given(
    st.sampled_from(["password", "api_key", "Authorization", "userSecret"]),
    st.sampled_from(["{}={}", "'{}': '{}'", '{{"{}": "{}"}}', "f({}='{}')", "[('{}', '{}')]"]),
    st.text(alphabet="abcXYZ019_.+/~", min_size=6, max_size=30),
    st.text(alphabet="xyz ,.", max_size=20),
)
def test_no_value_of_a_sensitive_name_survives(
    name: str, form: str, secret: str, around: str
) -> None:
    text = f"{around} {form.format(name, secret)} {around}"
    assert secret not in scrubbed(text)


HOSTILE = {
    "names": "password=" * 60_000,
    "open brackets": "a[" * 200_000,
    "open quotes": "password='" * 40_000,
    "escaped quotes": '\\"password\\": \\"' * 30_000,
    "tokens": "-eyJ" * 100_000,
    "urls": "://a:b" * 60_000 + "@",
    "at signs": "://" + "@" * 400_000,
    "digits": "4" * 400_000,
    "spaced digits": "4 " * 200_000,
    "headers": "auth: " * 60_000,
    "cookies": "cookie: a " * 40_000,
    "pairs": "('password', '" * 30_000,
    "elements": "<password>" * 40_000,
    "key heads": "-----BEGIN PRIVATE KEY-----" * 15_000,
    "words": "password " * 40_000 + "=x",
    "letters": "a" * 400_000 + "password=",
    "bearers": "bearer " * 60_000,
    "separators": ":" * 400_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_cost_of_hostile_text_is_linear(name: str) -> None:
    text = HOSTILE[name]
    started = time.process_time()
    scrubbed(text)
    assert time.process_time() - started < 2.0  # quadratic patterns need minutes for 400 KB
