"""Telling errors apart by their bytes, as far as shedding needs it."""

from __future__ import annotations

import json

import pytest

from tracer.ingest.signatures import Signatures, signature


def error(type_="ValueError", value="bad id 17", function="load", line=3, **more):
    frames = [
        {"function": "main", "module": "app", "lineno": 1, "in_app": True},
        {"function": function, "module": "app.users", "lineno": line, "in_app": True},
        {"function": "execute", "module": "driver", "lineno": 99, "in_app": False},
    ]
    exception = {"type": type_, "value": value, "stacktrace": {"frames": frames}}
    return {"exception": {"values": [exception]}, **more}


def of(event) -> object:
    return signature(json.dumps(event).encode())


ALIKE = [
    (error(), error(value="bad id 18", line=7, event_id="a" * 32)),
    ({"message": "user 17 is gone"}, {"message": "user 18 is gone"}),
    ({"message": "Hello"}, {"logentry": {"message": "Hello"}}),
    (error(), {"exception": error()["exception"]["values"]}),
    ({**error(), "fingerprint": ["mine"]}, {"message": "x", "fingerprint": ["mine"]}),
    (
        {"exception": {"values": [{"type": "E", "value": "id 1"}]}},
        {"exception": {"values": [{"type": "E", "value": "id 2"}]}},
    ),
]
DIFFERENT = [
    (error(), error(type_="KeyError")),
    (error(), error(function="save")),
    ({"message": "user is gone"}, {"message": "user is back"}),
    (error(fingerprint=["{{ default }}", "x"]), error(fingerprint=["x"])),
    ({"message": "Hello", "logger": "a"}, {"message": "Hello", "logger": "b"}),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_varies_within_an_issue_does_not_count(one, other):
    assert of(one) == of(other) is not None


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_makes_another_issue_counts(one, other):
    assert of(one) != of(other)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"exception": 7}', b'{"message": "\xff"}', b'{"extra": NaN}'],
)
def test_what_cannot_be_read_counts_as_known(payload):
    assert Signatures().is_known(1, payload)


def test_what_is_very_large_counts_as_known():
    payload = json.dumps({"message": "new", "extra": {"blob": "x" * 300_000}}).encode()
    assert Signatures().is_known(1, payload)


def test_an_error_is_new_once_in_each_project():
    seen = Signatures()
    payload = json.dumps(error()).encode()
    assert [seen.is_known(project, payload) for project in (1, 1, 2, 2)] == [
        *(False, True, False, True),
    ]


def test_memory_is_bounded_and_the_latest_are_remembered():
    seen = Signatures()
    payloads = [json.dumps({"message": "m " + "x" * n}).encode() for n in range(50)]
    for payload in payloads:
        seen.is_known(1, payload)
    for number in range(45_000):
        seen.is_known(number + 2, b'{"message": "m"}')
    assert len(seen._young) + len(seen._old) <= 40_000
    assert not seen.is_known(1, payloads[0])
    assert seen.is_known(44_999, b'{"message": "m"}')
