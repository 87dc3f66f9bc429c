from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.errors import Invalid, TooLarge
from tracer.protocol.envelope import Limits, parse_envelope, parse_store
from tracer.protocol.lenient import load_json

LIMITS = Limits(items=50)

headers = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key not in ("type", "length", "event_id")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
    max_size=4,
)
items = st.tuples(st.text(max_size=10), headers, st.binary(max_size=80), st.booleans())


def frame(
    header: dict[str, object], parts: list[tuple[str, dict[str, object], bytes, bool]]
) -> bytes:
    lines = [json.dumps(header).encode()]
    for kind, extra, payload, sized in parts:
        sized = sized or b"\n" in payload
        length = {"length": len(payload)} if sized else {}
        lines += [json.dumps({**extra, "type": kind, **length}).encode(), payload]
    return b"\n".join(lines)


@settings(max_examples=50)
@given(headers, st.lists(items, max_size=5), st.sampled_from([b"", b"\n", b"\n\n"]))
def test_what_is_framed_is_parsed(
    header: dict[str, object],
    parts: list[tuple[str, dict[str, object], bytes, bool]],
    ending: bytes,
) -> None:
    envelope = parse_envelope(frame(header, parts) + ending, LIMITS)
    assert envelope.headers == header
    assert [(item.type, bytes(item.payload)) for item in envelope.items] == [
        (kind, payload) for kind, _, payload, _ in parts
    ]
    for item, (_, extra, _, _) in zip(envelope.items, parts, strict=True):
        assert extra.items() <= item.headers.items()


EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
WHOLE = (
    frame({"event_id": EVENT_ID}, [("event", {"content_type": "x"}, b'{"a":1}', True)]),
    frame({}, [("session", {}, b"{}", False), ("attachment", {}, b"a\nb", True)]),
    b'{"type":"transaction","event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}',
)
edits = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=5
)


@settings(max_examples=500)
@given(st.sampled_from(WHOLE), edits)
def test_no_damage_breaks_the_parser(whole: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    body = bytearray(whole)
    for place, length, new in changes:
        body[place : place + length] = new
    for parse in (lambda b: parse_envelope(b, LIMITS), lambda b: parse_store(b, "", LIMITS)):
        try:
            envelope = parse(bytes(body))
            assert sum(len(item.payload) for item in envelope.items) <= len(body)
        except (Invalid, TooLarge):
            pass


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    for data in (body, b"{}\n" + body, b'{}\n{"type":"event"}\n' + body):
        with contextlib.suppress(Invalid, TooLarge):
            parse_envelope(data, LIMITS)


@settings(max_examples=500)
@given(st.text(alphabet='{}[]",:\\ud80123.eE-+NaInfinty \n\x00é', max_size=60))
def test_lenient_json_gives_clean_values_or_refuses(text: str) -> None:
    try:
        value = load_json(text.encode())
    except Invalid:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
