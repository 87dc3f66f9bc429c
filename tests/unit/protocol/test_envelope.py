from __future__ import annotations

import base64
import json
import zlib

import pytest

from tracer.errors import Invalid, TooLarge
from tracer.protocol.envelope import Envelope, Limits, parse_envelope, parse_event_id, parse_store

ID = "9ec79c33ec9942ab8353589fcb2e04dc"
LIMITS = Limits()


def parsed(data: bytes) -> Envelope:
    return parse_envelope(data, LIMITS)


def payloads(envelope: Envelope) -> list[tuple[str, bytes]]:
    return [(item.type, bytes(item.payload)) for item in envelope.items]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{}", []),
        (b"{}\n", []),
        (b"{}\n\n\n", []),
        (b'{}\n{"type":"event","length":2}\n{}', [("event", b"{}")]),
        (b'{}\n{"type":"event","length":2}\n{}\n', [("event", b"{}")]),
        (b'{}\n{"type":"event"}\n{}', [("event", b"{}")]),
        (b'{}\n{"type":"event"}\n{}\n', [("event", b"{}")]),
        (b'{}\n{"type":"event","length":null}\n{}\n', [("event", b"{}")]),
        (b'{}\n{"type":"attachment","length":0}\n', [("attachment", b"")]),
        (b'{}\n{"type":"attachment","length":0}', [("attachment", b"")]),
        (b'{}\n{"type":"attachment","length":0}\n\n', [("attachment", b"")]),
        (b'{}\n{"type":"attachment"}', [("attachment", b"")]),
        (
            b'{}\n{"type":"attachment"}\n\n{"type":"event"}\n{}',
            [("attachment", b""), ("event", b"{}")],
        ),
        (
            b'{}\n{"type":"attachment","length":5}\na\nb\nc\n{"type":"x"}\ny',
            [("attachment", b"a\nb\nc"), ("x", b"y")],
        ),
        (
            b'{}\n{"type":"session"}\n{"a":1}\n{"type":"session"}\n{"b":2}',
            [("session", b'{"a":1}'), ("session", b'{"b":2}')],
        ),
        (b'{}\n{"type":"attachment","length":3}\n\x00\xff\n', [("attachment", b"\x00\xff\n")]),
        (b'{}\r\n{"type":"event","length":2}\r\n{}\n\r\n', [("event", b"{}")]),
        (
            b'{}\n\n{"type":"event"}\n{}\n\n{"type":"event"}\n[]\n',
            [("event", b"{}"), ("event", b"[]")],
        ),
        (
            b'{}\n{"type":"future_thing","length":3}\nabc\n{"type":"event"}\n{}',
            [("future_thing", b"abc"), ("event", b"{}")],
        ),
    ],
)
def test_framing(data: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert payloads(parsed(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "envelope header"),
        (b"\n{}", "envelope header"),
        (b"[]", "envelope header"),
        (b"nonsense", "envelope header"),
        (b'{"a":', "envelope header"),
        (b"\xff\xfe", "envelope header"),
        (b'{}\n{"length":2}\n{}', "no type"),
        (b'{}\n{"type":5}\n{}', "no type"),
        (b"{}\n[]\n{}", "item header"),
        (b"{}\nnonsense\n", "item header"),
        (b'{}\n{"type":"event","length":3}\n{}', "cut off"),
        (b'{}\n{"type":"event","length":99999999999999999999}\n{}', "cut off"),
        (b'{}\n{"type":"event","length":1}\n{}', "newline"),
        (b'{}\n{"type":"event","length":-1}\n{}', "length"),
        (b'{}\n{"type":"event","length":"2"}\n{}', "length"),
        (b'{}\n{"type":"event","length":2.0}\n{}', "length"),
        (b'{}\n{"type":"event","length":true}\n{', "length"),
        (b'{"event_id":"abc"}\n', "event id"),
        (b'{"event_id":5}\n', "event id"),
    ],
)
def test_malformed_envelopes_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        parsed(data)
    assert caught.value.status == 400


def test_headers_are_read() -> None:
    envelope = parsed(
        b'{"event_id":"9EC79C33-ec99-42ab-8353-589fcb2e04dc","dsn":"https://k@h/1",'
        b'"sent_at":"2026-11-23T12:00:00.500Z","sdk":{"name":"x"}}\n'
        b'{"type":"attachment","filename":"a.txt","length":1}\nx\n'
    )
    assert envelope.event_id == ID
    assert envelope.headers["event_id"] == ID
    assert envelope.dsn == "https://k@h/1"
    assert envelope.sent_at == 1795435200.5
    assert envelope.headers["sdk"] == {"name": "x"}
    assert envelope.items[0].headers["filename"] == "a.txt"


def test_absent_headers_are_none() -> None:
    envelope = parsed(b'{"event_id":null,"dsn":7}')
    assert (envelope.event_id, envelope.sent_at, envelope.dsn) == (None, None, None)


@pytest.mark.parametrize(
    ("sent_at", "expected"),
    [
        ('"2026-11-23T12:00:00Z"', 1795435200.0),
        ('"2026-11-23T13:00:00+01:00"', 1795435200.0),
        ('"2026-11-23T12:00:00"', 1795435200.0),
        ('"2026-11-23T12:00:00.123456789Z"', 1795435200.123456),
        ("1795435200.25", 1795435200.25),
        ('"yesterday"', None),
        ('"0001-01-01T00:00:00+23:59"', None),
        ("true", None),
        ("1e300", None),
        ("[]", None),
    ],
)
def test_sent_at(sent_at: str, expected: float | None) -> None:
    assert parsed(b'{"sent_at":' + sent_at.encode() + b"}").sent_at == expected


@pytest.mark.parametrize("text", [ID, ID.upper(), "9ec79c33-ec99-42ab-8353-589fcb2e04dc"])
def test_event_ids_come_with_and_without_dashes(text: str) -> None:
    assert parse_event_id(text) == ID


@pytest.mark.parametrize(
    "value", ["", ID[:-1], ID + "0", ID[:-1] + "g", " " * 32, ID[:-2] + " 0", None, 7]
)
def test_other_event_ids_are_refused(value: object) -> None:
    with pytest.raises(Invalid, match="event id"):
        parse_event_id(value)


def test_what_json_does_not_allow_is_tolerated_in_headers() -> None:
    envelope = parsed(
        b'{"trace":{"a":NaN,"b":"\\ud800","c":"\xff"}}\n{"type":"event","x":Infinity}\n{}'
    )
    assert envelope.headers == {"trace": {"a": None, "b": "\ufffd", "c": "\ufffd"}}
    assert envelope.items[0].headers == {"type": "event", "x": None}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deeply_nested_headers_are_refused(opening: bytes) -> None:
    with pytest.raises(Invalid):
        parsed(b'{"trace":' + opening * 9_000 + b"\n")
    with pytest.raises(Invalid):
        parsed(b'{}\n{"type":' + opening * 9_000 + b"\n")


def test_huge_headers_are_refused() -> None:
    huge = json.dumps({"type": "event", "x": "y" * 70_000}).encode()
    with pytest.raises(TooLarge):
        parsed(huge)
    with pytest.raises(TooLarge):
        parsed(b"{}\n" + huge + b"\n{}")


def test_an_item_over_its_limit_is_refused_with_the_reason_sdks_know() -> None:
    limits = Limits(per_type={"event": 10}, default_bytes=20)
    event = b'{}\n{"type":"event"}\n' + b"x" * 10
    assert len(parse_envelope(event, limits).items[0].payload) == 10
    with pytest.raises(TooLarge) as caught:
        parse_envelope(event + b"x", limits)
    assert caught.value.status == 413
    assert caught.value.detail == (
        "envelope exceeded size limits for type 'event'"
        " (https://develop.sentry.dev/sdk/envelopes/#size-limits)"
    )
    other = b'{}\n{"type":"other"}\n' + b"x" * 20
    assert parse_envelope(other, limits).items
    with pytest.raises(TooLarge, match="'other'"):
        parse_envelope(other + b"x", limits)


def test_default_limits_leave_room_for_2_mb_of_tags_and_stay_inside_the_envelope() -> None:
    assert LIMITS.per_type["event"] > 2_000_000
    small = Limits.within(1000)
    assert {*small.per_type.values(), small.default_bytes} == {1000}
    assert Limits.within(1 << 40) == LIMITS


def test_too_many_items_are_refused() -> None:
    item = b'{"type":"x"}\n\n'
    assert len(parsed(b"{}\n" + item * 1000).items) == 1000
    with pytest.raises(TooLarge, match="1000 items"):
        parsed(b"{}\n" + item * 1001)


EVENT = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","message":"hi"}'


@pytest.mark.parametrize(
    "body",
    [
        EVENT,
        b"\n  " + EVENT + b"\n",
        base64.b64encode(EVENT),
        base64.encodebytes(EVENT),
        base64.b64encode(zlib.compress(EVENT)),
    ],
)
def test_store_bodies(body: bytes) -> None:
    envelope = parse_store(body, "application/octet-stream", LIMITS)
    assert envelope.event_id == ID
    assert [(item.type, json.loads(bytes(item.payload))) for item in envelope.items] == [
        ("event", json.loads(EVENT))
    ]


def test_store_body_that_is_an_envelope() -> None:
    body = b'{}\n{"type":"session"}\n{}\n{"type":"event"}\n{}'
    envelope = parse_store(body, "application/x-sentry-envelope", LIMITS)
    assert payloads(envelope) == [("session", b"{}"), ("event", b"{}")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("transaction", "transaction"), ("feedback", "feedback"), ("default", "event"), ([], "event")],
)
def test_store_item_type_follows_the_payload(kind: object, expected: str) -> None:
    body = json.dumps({"type": kind}).encode()
    envelope = parse_store(body, "", LIMITS)
    assert envelope.items[0].type == expected
    assert envelope.event_id is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b"{",
        b"!!!!",
        base64.b64encode(b"\x78\x9cxxxx"),
        b'{"event_id":"abc"}',
    ],
)
def test_bad_store_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_store(body, "", LIMITS)


def test_store_bodies_have_the_limit_of_events() -> None:
    limits = Limits(per_type={"event": 100})
    big = b'{"message":"' + b"x" * 100 + b'"}'
    for body in (big, base64.b64encode(big), base64.b64encode(zlib.compress(big))):
        with pytest.raises(TooLarge):
            parse_store(body, "", limits)
