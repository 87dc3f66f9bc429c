"""Compression of event payloads."""

from __future__ import annotations

import json
import os
import re
import threading

import pytest
import zstandard

from tracer.errors import Invalid
from tracer.storage.codec import Codec, generic_dictionary, train


def payload(number: int) -> bytes:
    frame = {"filename": f"app/f{number % 7}.py", "function": "handle", "lineno": number}
    values = [{"type": "ValueError", "value": f"bad {number}", "stacktrace": {"frames": [frame]}}]
    return json.dumps({"platform": "python", "exception": {"values": values * 5}}).encode()


@pytest.mark.parametrize(
    "data", [b"", b"{}", payload(1), os.urandom(100_000), b"a" * 3_000_000], ids=len
)
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    codec = Codec({})
    dictionary, body = codec.encode(data)
    assert dictionary == 0
    assert codec.decode(dictionary, body) == data
    assert Codec({}).decode(dictionary, body) == data


def test_the_generic_dictionary_makes_an_event_much_smaller() -> None:
    frame = {
        "filename": "shop/cart.py",
        "abs_path": "/srv/shop/cart.py",
        "function": "add",
        "module": "shop.cart",
        "lineno": 17,
        "pre_context": ["a", "b"],
        "context_line": "c",
        "post_context": ["d"],
        "in_app": True,
    }
    event = json.dumps(
        {
            "level": "error",
            "platform": "python",
            "exception": {"values": [{"type": "KeyError", "stacktrace": {"frames": [frame]}}]},
            "request": {"method": "GET", "headers": [["Accept-Encoding", "gzip, deflate, br"]]},
            "contexts": {"runtime": {"name": "CPython", "version": "3.11.7", "type": "runtime"}},
            "sdk": {"name": "sentry.python.django", "version": "2.19.0"},
        },
        separators=(",", ":"),
    ).encode()
    assert len(Codec({}).encode(event)[1]) < 0.6 * len(zstandard.compress(event, 3))


def test_the_newest_dictionary_encodes_and_all_decode() -> None:
    codec = Codec({})
    old = codec.encode(payload(1))
    own = train([payload(number) for number in range(400)])

    codec.add(1, own)
    new = codec.encode(payload(1000))

    assert new[0] == 1
    assert len(new[1]) < len(old[1])
    again = Codec({1: own})
    assert again.decode(*old) == payload(1)
    assert again.decode(*new) == payload(1000)


def test_a_missing_dictionary_and_damaged_bytes_are_refused() -> None:
    codec = Codec({})
    dictionary, body = codec.encode(payload(1))
    with pytest.raises(Invalid, match="dictionary 5"):
        codec.decode(5, body)
    with pytest.raises(Invalid, match="damaged"):
        codec.decode(dictionary, b"no zstd at all")
    with pytest.raises(Invalid, match="damaged"):
        codec.decode(dictionary, body[:-5])


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(Invalid, match="2 payloads"):
        train([b"a", b"b"])


def test_threads_share_a_codec() -> None:
    codec = Codec({})
    failed = []

    def work(offset: int) -> None:
        for number in range(offset, offset + 100):
            if codec.decode(*codec.encode(payload(number))) != payload(number):
                failed.append(number)

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_the_generic_dictionary_holds_no_lines_of_source() -> None:
    text = generic_dictionary()
    assert b'"context_line":""' in text
    assert not re.search(rb'"context_line":"[^"]', text)
    assert not re.search(rb'_context":\["[^"]', text)
