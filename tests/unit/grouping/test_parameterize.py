"""What of a message is data and what is its text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.grouping import parameterize
from tracer.grouping.browsers import engine_message

CASES = [
    ("order 17 failed", "order <int> failed"),
    ("order-17 failed", "order-<int> failed"),
    ("took 30.5s of 120 ms", "took <duration> of <duration>"),
    ("took 1m30s", "took <duration>"),
    ("ratio 0.25, delta -1.5e-3", "ratio <float>, delta <float>"),
    ("1,234 rows, 12.5 MB", "<int> rows, <size>"),
    ("mail to bob.smith+x@mail.example.co.uk", "mail to <email>"),
    ("GET https://api.example.com/v1/x?id=3 failed", "GET <url> failed"),
    ("redis://:pw@cache:6379/0 refused", "<url> refused"),
    ("id 550e8400-e29b-41d4-a716-446655440000", "id <uuid>"),
    ("connect 10.0.3.77:5432 refused", "connect <ip> refused"),
    ("from 2001:db8::8a2e:370:7334", "from <ip>"),
    ("mac 00:1b:44:11:3a:b7", "mac <mac>"),
    ("<Order object at 0x7f2c1a0b9d30>", "<Order object at <hex>>"),
    ("commit 9fceb02d0ae598e95dc9 gone", "commit <hex> gone"),
    ("at 2026-01-09T06:57:13.123Z", "at <date>"),
    ("at 2026-01-09 06:57:13+00:00", "at <date>"),
    ("Mon, 02 Jan 2006 15:04:05 GMT", "<date>"),
    ("Jan  9 2026, again", "<date>, again"),
    ("at 12:34:56.789", "at <date>"),
    ("user 'bob' not found", "user <str> not found"),
    ('duplicate "a \\"b\\"" here', "duplicate <str> here"),
    ("it's Bob's cart", "it's Bob's cart"),
    ("'NoneType' object has no attribute 'total'", "'NoneType' object has no attribute 'total'"),
    (
        "Cannot read properties of null (reading 'x1')",
        "Cannot read properties of null (reading 'x1')",
    ),
    ("No module named 'shop.cart'", "No module named 'shop.cart'"),
    ("Request failed with status code 404", "Request failed with status code 404"),
    ("[Errno 111] refused after 3 tries", "[Errno 111] refused after <int> tries"),
    ("HTTP 502 from 10.1.1.1", "HTTP 502 from <ip>"),
    ("(1062, \"Duplicate entry 'a'\")", "(1062, <str>)"),
    ("open /srv/data/user17/a.csv", "open /srv/data/<id>/a.csv"),
    ("open /tmp/tmpab12/x.csv", "open <path>"),
    ("open C:\\Users\\bob\\x.txt", "open <path>"),
    ("/home/bob/app.py missing", "/home/<id>/app.py missing"),
    ("/api/v2/orders/17/items", "/api/v2/orders/<id>/items"),
    ('payload {"id": 5, "tags": ["a", {"b": 1}]} refused', "payload <json> refused"),
    ("payload {'id': 5, 'cut off", "payload <json>"),
    ("ids [1, 2, 3] and [4]", "ids <json> and <json>"),
    ("ids 1, 2, 3 gone", "ids <int> gone"),
    ("token eyJhbGciOiJIUzI1.eyJzdWIiOiIx.SflKxwRJ", "token <token>"),
    ("session a8x3k9q2 expired", "session <id> expired"),
    ("utf8 and sha256 and base64", "utf8 and sha256 and base64"),
    ("requires 1.2.3-beta", "requires <version>"),
    ("21st try", "<int> try"),
    ("first\n\n second 2 \nthird\nfourth", "first\nsecond <int>\nthird"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_data_is_replaced_and_text_stays(text: str, expected: str) -> None:
    assert parameterize(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("1" * 500 + "a" * 500, "a" * 1000, "'" * 1000, "[" * 1000, "/a" * 500, "1:" * 500),
        *("0" * 9999, "a@" * 500, "{'a':" * 200, "1a" * 500, "a." * 500, "Jan " * 250),
        *('\\"' * 500, "1,111" * 200),
    ],
)
def test_hostile_text_takes_no_longer_than_any_other(text: str) -> None:
    started = time.process_time()
    parameterize(text)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("text", ["can't access property " * 40, "(" * 400, "a." * 200, "[" * 400])
def test_hostile_engine_message_takes_no_longer(text: str) -> None:
    started = time.process_time()
    engine_message(f"undefined is not an object (evaluating '{text}")
    assert time.process_time() - started < 0.2


@given(st.text(max_size=1200))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(parameterize(text), str)


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=10**12))
def test_any_two_numbers_are_the_same(first: int, second: int) -> None:
    assert parameterize(f"item {first} gone") == parameterize(f"item {second} gone")
