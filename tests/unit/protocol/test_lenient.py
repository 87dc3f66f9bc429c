from __future__ import annotations

from typing import Any

import pytest

from tracer.errors import Invalid
from tracer.protocol.lenient import load_json


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":[1,2.5,"x",null,true]}', {"a": [1, 2.5, "x", None, True]}),
        (b'  {"a":1}\n', {"a": 1}),
        (b'{"a":NaN,"b":-Infinity,"c":Infinity}', {"a": None, "b": None, "c": None}),
        (b'{"a":1e999,"b":-1e999,"c":1e-999}', {"a": None, "b": None, "c": 0.0}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"a\\ud800b"', "a\ufffdb"),
        (b'{"\\udc00k":["\\ud800\\ud800"]}', {"\ufffdk": ["\ufffd\ufffd"]}),
        (b'["\\uD83D\\uDE00","\\uD800"]', ["\U0001f600", "\ufffd"]),
        (b'{"a":"\xff\xfe"}', {"a": "\ufffd\ufffd"}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'"line\nbreak\x00"', "line\nbreak\x00"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"[" + b"7" * 5000 + b"]", [None]),
        (b'{"a":1,"a":2}', {"a": 2}),
        (memoryview(b'{"a":NaN}'), {"a": None}),
    ],
)
def test_json_as_sdks_send_it(data: bytes, expected: Any) -> None:
    assert load_json(data) == expected


@pytest.mark.parametrize(
    "data", [b"", b"{", b"nonsense", b"{'a':1}", b'{"a":1}x', b"[1,]", b"\xff"]
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        load_json(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("poison", [b"", b"NaN"])
def test_deep_nesting_is_refused(opening: bytes, poison: bytes) -> None:
    with pytest.raises(Invalid):
        load_json(opening * 200_000 + poison)


def test_deep_nesting_with_lone_surrogates_is_refused_or_cleaned() -> None:
    for depth in (300, 900, 5000):
        data = b"[" * depth + b'"\\ud800"' + b"]" * depth
        try:
            value = load_json(data)
        except Invalid:
            continue
        while isinstance(value, list):
            value = value[0]
        assert value == "\ufffd"
