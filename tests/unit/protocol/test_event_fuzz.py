"""Whatever arrives: Invalid or an event that can be stored, and repair always ends in the shape."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.errors import Invalid
from tracer.protocol import reading, shape
from tracer.protocol.event import Event, decode_event
from tracer.protocol.lenient import load_json
from tracer.protocol.notes import Notes

NOW = 1_795_459_000.0
STACK: dict[str, Any] = {
    "frames": [
        {
            "filename": "shop/views.py",
            "abs_path": "/srv/shop/views.py",
            "module": "shop.views",
            "function": "pay",
            "lineno": 12,
            "pre_context": ["def pay():"],
            "context_line": "    charge()",
            "post_context": ["    return 1", ""],
            "vars": {"order": {"id": "17", "items": [1, None, 2.5]}, "token": "x"},
            "in_app": True,
        },
        {
            "filename": "https://shop.example/static/app.min.js?v=1",
            "function": "t",
            "lineno": 1,
            "colno": 4410,
            "instruction_addr": "0x1f",
            "lock": {"type": 1, "address": "0x0"},
        },
    ],
    "registers": {"rip": "0x1"},
    "frames_omitted": [1, 2],
    "snapshot": False,
}
FULL: dict[str, Any] = {
    "event_id": "7fa101a7-f909-4fc6-bdaa-e973f84e81ac",
    "timestamp": "2026-11-23T18:33:00.028596Z",
    "platform": "python",
    "level": "error",
    "logger": "shop",
    "transaction": "/pay",
    "transaction_info": {"source": "route"},
    "server_name": "web-1",
    "release": "shop@1.4.0",
    "dist": "77",
    "environment": "staging",
    "message": "card %s declined",
    "logentry": {"message": "card %s {x} %(y)s", "params": ["4242", {"x": 1}], "formatted": ""},
    "exception": {
        "values": [
            {"type": "KeyError", "value": "'id'", "module": "builtins", "stacktrace": STACK},
            {
                "value": "PaymentError: declined",
                "thread_id": 7,
                "mechanism": {
                    "type": "django",
                    "handled": False,
                    "exception_id": 1,
                    "parent_id": 0,
                    "is_exception_group": False,
                    "data": {"a": 1},
                    "meta": {"errno": {"number": 2}},
                },
                "stacktrace": STACK,
                "raw_stacktrace": STACK,
            },
        ]
    },
    "threads": {
        "values": [
            {
                "id": 7,
                "name": "main",
                "crashed": True,
                "current": True,
                "main": True,
                "state": "RUN",
                "held_locks": {"0x1": {"type": 1}},
                "stacktrace": STACK,
            }
        ]
    },
    "stacktrace": STACK,
    "breadcrumbs": {
        "values": [
            {
                "timestamp": "2026-11-23T18:32:00Z",
                "type": "http",
                "category": "httplib",
                "level": "warn",
                "message": "GET /",
                "data": {"url": "/", "status_code": 200},
                "event_id": None,
                "origin": "x",
            },
            {"timestamp": 1795458779.5, "message": "clicked"},
        ]
    },
    "request": {
        "url": "https://shop.example/pay?q=1&r=%20a+b#top",
        "method": "post",
        "query_string": "",
        "headers": {
            "user-agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/125.0.0.0 Mobile",
            "Cookie": 'a=1; b="2"',
            "content-type": "application/json",
        },
        "data": '{"amount": 12, "items": [[1], [2]]}',
        "env": {"REMOTE_ADDR": "10.0.0.1", "SERVER_PORT": 80},
        "fragment": None,
    },
    "user": {
        "id": 42,
        "email": "a@example.com",
        "username": "a",
        "ip_address": "{{auto}}",
        "geo": {"city": "Berlin"},
        "plan": "pro",
    },
    "contexts": {
        "runtime": {"name": "CPython", "version": "3.11.7"},
        "os": {"raw_description": "Linux 6.1", "version": "6.1\n"},
        "browser": {"name": "Firefox", "version": 127},
        "device": {"model": "X1", "family": "X"},
        "trace": {"trace_id": "ccd37464d7ab4fadb02f0a20aa07edab", "span_id": "AC4954A7B9D6096B"},
        "flags": {"values": [{"flag": "new", "result": True}]},
        "empty": {},
    },
    "tags": {"tier": "gold", "n": 1, "on": True, "a b": "c", "gone": None, "level": "x"},
    "extra": {"blob": {"k": [0, 1, {"z": None}]}, "argv": ["a"]},
    "modules": {"flask": "3.1.3", "six": None},
    "sdk": {"name": "sentry.python", "version": "2.75.0", "settings": {"infer_ip": "auto"}},
    "fingerprint": ["{{ default }}", "x"],
    "debug_meta": {"images": [{"type": "sourcemap", "debug_id": "1"}], "sdk_info": {"v": 1}},
    "errors": [{"type": "js_no_source", "url": "http://x"}],
    "csp": {"blocked_uri": "self"},
}
LEGACY: dict[str, Any] = {
    "project": "1",
    "level": 30,
    "culprit": "app.views in pay",
    "checksum": "ab",
    "timestamp": "2026-11-23T18:33:00",
    "sentry.interfaces.Exception": [
        {"type": "E", "value": "v", "stacktrace": [STACK["frames"][0]]}
    ],
    "sentry.interfaces.Http": {
        "url": "http://x/",
        "headers": [["Host", "x"], ["Via", ["a", "b"]]],
        "cookies": {"a": "1"},
        "query_string": [["a", "1"]],
        "data": {"a": ["1"]},
    },
    "sentry.interfaces.User": {"username": "u"},
    "sentry.interfaces.Message": {"message": "%s", "params": ["x"]},
    "breadcrumbs": [{"timestamp": 1795458779, "category": "c"}],
    "tags": [["a", "b"], ["c", 1], {"key": "d", "value": "e"}, "f:g"],
    "modules": [{"name": "n", "version": "1"}, "m"],
    "contexts": {"flags": [{"flag": "x", "result": 1}]},
    "extra": [["k", "v"]],
    "unheard_of": 1,
}
TEXTS = [
    "",
    " ",
    "12",
    "0x10",
    "true",
    "warn",
    "{{auto}}",
    "never",
    "javascript",
    "2026-11-23T18:33:00Z",
    "2026-11-23 18:33:00 UTC",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999999-23:59",
    "1795459000123",
    "nan",
    "https://a.example/x?y=%zz&y#f",
    "%s and {} {0} {a} and %(a)s %%",
    "user=a&pass=%ff",
    "[[1], [2, [3]]]",
    "{broken",
    "\ud800",
    "a\x00b\n\u2028",
    "x" * 300,
    "y" * 9000,
    "::1",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 1e308, 1e-308, 1e12]),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(TEXTS),
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["values", "a", "0", "\ud800", "type"]), inner, max_size=3),
    ),
    max_leaves=8,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = {"d": value} if level % 2 else [value]
    return value


JUNK = st.one_of(ANY, SCALARS, st.integers(1, 40).map(nested))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        for key, one in value.items():
            found += [(value, key), *places(one)]
    elif isinstance(value, list):
        for index, one in enumerate(value):
            found += [(value, index), *places(one)]
    return found


@st.composite
def events(draw: st.DrawFn, most: int = 8) -> dict[str, Any]:
    """A sample event with some of its parts exchanged for something else."""
    event = copy.deepcopy(draw(st.sampled_from([FULL, FULL, FULL, LEGACY])))
    random = Random(draw(st.integers(0, 2**32)))  # spreads wider than drawn choices
    for junk in draw(st.lists(JUNK, max_size=most)):
        container, key = random.choice(places(event) or [(event, "tags")])
        old = container[key] if isinstance(container, list) or key in container else None
        match random.randrange(8):
            case 0:
                container[key] = [old]
            case 1:
                container[key] = {"values": old}
            case 2 if isinstance(old, dict):
                container[key] = [[name, one] for name, one in old.items()]
            case 3 if isinstance(old, (dict, list, int, float, bool)):
                container[key] = json.dumps(old)
            case 4 if isinstance(container, list):
                container.extend([copy.deepcopy(old)] * random.choice([1, 12, 300]))
            case _:
                container[key] = junk
    return event


def decode(payload: bytes, **envelope: Any) -> Event:
    return decode_event(
        payload,
        project_id=1,
        envelope=envelope,
        received_at=NOW,
        client_ip="203.0.113.9",
        user_agent="Mozilla/5.0 (Linux; Android 14; \udcff 8) Chrome/125.0.0.0 Mobile Safari/5",
    )


def assert_storable(event: Event) -> None:
    encoded = msgspec.json.encode(event.data)
    assert json.loads(encoded) == json.loads(json.dumps(event.data, allow_nan=False))
    assert len(event.tags) <= 100
    assert [[key, value] for key, value in event.tags.items()] == event.data["tags"]
    assert all(type(value) is str and 0 < len(value) <= 200 for value in event.tags.values())
    assert event.level in (10, 20, 30, 40, 50)
    assert len(event.event_id) == 32
    assert NOW - 30 * 86400 - 1 <= event.timestamp <= NOW + 61
    assert len(event.data.get("errors", ())) <= 100
    assert depth_of(event.data) <= shape.MAX_DEPTH + 9
    for exception in event.data.get("exception", {"values": []})["values"]:
        for frame in exception.get("stacktrace", {"frames": []})["frames"]:
            assert type(frame["in_app"]) is bool
            assert None not in frame.values()
    for crumb in event.data.get("breadcrumbs", {"values": []})["values"]:
        assert type(crumb.get("timestamp", 0.0)) is float
        assert math.isfinite(crumb.get("timestamp", 0.0))
    request = event.data.get("request", {})
    for field in ("headers", "cookies", "query_string"):
        for name, value in request.get(field, []):
            assert type(name) is str
            assert type(value) is str


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def test_the_samples_are_read_without_losing_a_field() -> None:
    event = decode(json.dumps(FULL | {"stacktrace": None}).encode())
    assert set(FULL) - {"stacktrace", "message"} <= set(event.data)
    assert {note["type"] for note in event.data["errors"]} == {"js_no_source"}
    assert_storable(event)
    assert_storable(decode(json.dumps(LEGACY).encode()))


@settings(max_examples=250, deadline=None)
@given(events(), SCALARS, SCALARS)
def test_any_event_like_object_becomes_a_storable_event(
    event: dict[str, Any], sent_at: Any, event_id: Any
) -> None:
    assert_storable(decode(json.dumps(event).encode(), sent_at=sent_at, event_id=event_id))


@settings(max_examples=100, deadline=None)
@given(st.one_of(JUNK, st.dictionaries(st.sampled_from(sorted(shape.ATTRIBUTES)), JUNK)))
def test_any_json_value_is_an_event_or_invalid(value: Any) -> None:
    try:
        event = decode(json.dumps(value).encode())
    except Invalid:
        assert not isinstance(value, dict)
    else:
        assert isinstance(value, dict)
        assert_storable(event)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30), events(most=1), st.integers(min_value=0))
def test_damaged_bytes_are_an_event_or_invalid(
    noise: bytes, event: dict[str, Any], place: int
) -> None:
    whole = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    start = place % len(whole)
    try:
        decoded = decode(whole[:start] + noise + whole[start + len(noise) :])
    except Invalid:
        return
    assert_storable(decoded)


@settings(max_examples=200, deadline=None)
@given(events(), st.sampled_from(sorted(reading._REPAIRS)))
def test_repair_ends_in_the_wire_shape(event: dict[str, Any], name: str) -> None:
    value = load_json(json.dumps(event.get(name, event)).encode())
    repaired = reading._REPAIRS[name](value, name, Notes())
    if repaired is not None:
        assert shape.attribute(name, repaired) == repaired


@settings(max_examples=200, deadline=None)
@given(events())
def test_repair_leaves_the_meaning_of_what_fits_alone(event: dict[str, Any]) -> None:
    fitting: dict[str, Any] = {}
    repaired: dict[str, Any] = {}
    for name, value in load_json(json.dumps(event).encode()).items():
        repair = reading._REPAIRS.get(name)
        if repair is not None and value is not None:
            with contextlib.suppress(msgspec.ValidationError):
                shape.attribute(name, value)
                fitting[name] = value
                repaired[name] = repair(copy.deepcopy(value), name, Notes())
    expected = decode(json.dumps(fitting).encode(), event_id="a" * 32)
    found = decode(json.dumps(repaired).encode(), event_id="a" * 32)
    expected.data.pop("errors", None)
    found.data.pop("errors", None)
    assert found.data == expected.data
