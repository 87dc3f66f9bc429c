"""What decoding makes of ordinary and of odd events."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tracer.errors import Invalid
from tracer.protocol.event import Event, decode_event

NOW = 1_795_459_000.0


def decode(event: Any, **envelope: Any) -> Event:
    decoded = decode_event(
        event if isinstance(event, bytes) else json.dumps(event).encode(),
        project_id=1,
        envelope=envelope,
        received_at=NOW,
        client_ip=None,
        user_agent=None,
    )
    assert msgspec.json.decode(msgspec.json.encode(decoded.data)) == decoded.data
    return decoded


def notes(event: Event) -> list[tuple[str, str]]:
    return [(note["type"], note["name"]) for note in event.data.get("errors", [])]


def test_an_empty_object_gets_every_default() -> None:
    event = decode({})
    assert (event.platform, event.level, event.environment) == ("other", 40, "production")
    assert (event.timestamp, event.received_at, event.type) == (NOW, NOW, "default")
    assert (event.release, event.dist, event.transaction, event.logger) == (None,) * 4
    assert event.user_key is None
    assert event.tags == {"level": "error", "environment": "production"}
    assert len(event.event_id) == 32
    assert notes(event) == []


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"x"', b"{", b"1", b"{}x"])
def test_what_is_no_object_is_invalid(payload: bytes) -> None:
    with pytest.raises(Invalid):
        decode(payload)


def test_memoryview_payloads_are_read() -> None:
    event = decode_event(
        memoryview(b'{"message":"hi"}'),  # type: ignore[arg-type]
        project_id=1,
        envelope={},
        received_at=NOW,
        client_ip=None,
        user_agent=None,
    )
    assert event.data["logentry"]["formatted"] == "hi"


def test_the_envelope_names_the_event() -> None:
    event = decode({"event_id": "b" * 32}, event_id="AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA")
    assert event.event_id == event.data["event_id"] == "a" * 32
    assert decode({"event_id": "b" * 32}, event_id="nonsense").event_id == "b" * 32


def test_an_event_without_an_id_gets_the_same_one_each_time() -> None:
    first, again, other = decode({"a": 1}), decode({"a": 1}), decode({"a": 2})
    assert first.event_id == again.event_id != other.event_id


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("warn", 30),
        ("WARNING", 30),
        (30, 30),
        ("30", 30),
        ("critical", 50),
        ("log", 20),
        (25, 20),
        (None, 40),
        ("loud", 40),
        ({}, 40),
    ],
)
def test_levels_are_understood_in_every_spelling(given: Any, level: int) -> None:
    assert decode({"level": given}).level == level


def test_an_unknown_level_is_noted() -> None:
    event = decode({"level": "loud"})
    assert event.data["errors"] == [
        {
            "type": "invalid_data",
            "name": "level",
            "value": "loud",
            "reason": "unknown level, taken as error",
        }
    ]


@pytest.mark.parametrize(
    ("given", "environment"),
    [("", "production"), ("None", "production"), ("a/b", "production"), (" qa ", "qa"), (7, "7")],
)
def test_environments(given: Any, environment: str) -> None:
    event = decode({"environment": given})
    assert event.environment == event.tags["environment"] == environment


def test_the_environment_tag_stands_in_for_the_attribute() -> None:
    assert decode({"tags": {"environment": "qa"}}).environment == "qa"
    assert decode({"environment": "dev", "tags": {"environment": "qa"}}).environment == "dev"


def test_names_are_trimmed_and_bad_ones_dropped_with_a_note() -> None:
    event = decode({"release": "r" * 300, "dist": "a b", "logger": "l" * 80, "transaction": " / "})
    assert event.release == "r" * 250
    assert (event.dist, event.transaction) == (None, "/")
    assert event.logger == "l" * 64
    assert notes(event) == [
        ("value_too_long", "release"),
        ("invalid_data", "dist"),
        ("value_too_long", "logger"),
    ]
    assert decode({"release": "a\nb"}).release is None


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"message": "x"}, "default"),
        ({"exception": [{"type": "E"}]}, "error"),
        ({"exception": [{}]}, "default"),
        ({"csp": {"blocked_uri": "x"}}, "csp"),
        ({"type": "feedback"}, "feedback"),
        ({"type": "nonsense"}, "default"),
    ],
)
def test_event_types(event: Any, kind: str) -> None:
    decoded = decode(event)
    assert decoded.type == decoded.data["type"] == kind


@pytest.mark.parametrize(
    "shape",
    [
        {"values": [{"type": "E", "value": "v"}]},
        [{"type": "E", "value": "v"}],
        {"type": "E", "value": "v"},
        {"0": {"type": "E", "value": "v"}},
        [None, {"type": "E", "value": "v"}, {}],
        [{"type": "E", "value": "v", "unheard_of": 1}],
    ],
)
def test_exceptions_in_every_shape(shape: Any) -> None:
    assert decode({"exception": shape}).data["exception"] == {
        "values": [{"type": "E", "value": "v"}]
    }


def test_values_of_other_types_become_text() -> None:
    event = decode({"exception": [{"type": "E", "value": {"code": 1}, "module": 5}]})
    exception = event.data["exception"]["values"][0]
    assert exception == {"type": "E", "value": '{"code":1}', "module": "5"}


def test_the_type_is_found_in_the_value_of_old_sdks() -> None:
    event = decode({"exception": [{"value": "TypeError: x is not a function"}]})
    assert event.data["exception"]["values"][0] == {
        "type": "TypeError",
        "value": "x is not a function",
    }


def test_legacy_interfaces() -> None:
    event = decode(
        {
            "sentry.interfaces.Exception": {"values": [{"type": "E"}]},
            "sentry.interfaces.Http": {"url": "http://x/?a=1"},
            "sentry.interfaces.User": {"id": 3},
            "sentry.interfaces.Message": {"message": "hi %s", "params": ["you"]},
            "culprit": "app in f",
            "checksum": "abc",
            "project": 7,
        }
    )
    assert event.data["exception"]["values"][0]["type"] == "E"
    assert event.data["request"] == {"url": "http://x/", "query_string": [["a", "1"]]}
    assert event.user_key == "id:3"
    assert event.data["logentry"]["formatted"] == "hi you"
    assert event.transaction == "app in f"
    assert event.data["fingerprint"] == ["abc"]
    assert notes(event) == []


def test_unknown_attributes_are_noted() -> None:
    event = decode({"message": "x", "unheard_of": {"a": 1}, "spans": []})
    assert notes(event) == [("invalid_attribute", "unheard_of")]
    assert "unheard_of" not in event.data


@pytest.mark.parametrize(
    ("event", "entry"),
    [
        ({"message": "hi"}, {"message": "hi", "formatted": "hi"}),
        ({"message": {"message": "hi"}}, {"message": "hi", "formatted": "hi"}),
        ({"logentry": {"formatted": "hi"}}, {"message": "hi", "formatted": "hi"}),
        (
            {"logentry": {"message": "a %s %d {}", "params": ["x", 2]}},
            {"message": "a %s %d {}", "params": ["x", 2], "formatted": "a x 2 {}"},
        ),
        (
            {"logentry": {"message": "%(a)s {a}", "params": {"a": [1]}}},
            {"message": "%(a)s {a}", "params": {"a": [1]}, "formatted": "[1] [1]"},
        ),
        (
            {"message": "a b", "logentry": {"message": "a %s"}},
            {"message": "a %s", "formatted": "a b"},
        ),
        (
            {"logentry": {"message": "%999999999d", "params": [1]}},
            {"message": "%999999999d", "params": [1], "formatted": "%999999999d"},
        ),
        ({"message": 5}, {"message": "5", "formatted": "5"}),
        ({"message": "", "logentry": {}}, None),
    ],
)
def test_messages(event: Any, entry: Any) -> None:
    assert decode(event).data.get("logentry") == entry


def test_breadcrumbs_in_every_shape() -> None:
    crumbs = [{"timestamp": NOW - 5, "message": "a", "level": "warn", "data": {"x": None}}]
    expected = [{"timestamp": NOW - 5, "message": "a", "level": "warning", "data": {"x": None}}]
    assert decode({"breadcrumbs": crumbs}).data["breadcrumbs"] == {"values": expected}
    assert decode({"breadcrumbs": {"values": crumbs}}).data["breadcrumbs"]["values"] == expected
    odd = decode({"breadcrumbs": [5, "b", {"timestamp": "soon", "message": 1, "data": "d"}]})
    assert odd.data["breadcrumbs"]["values"] == [
        {"message": "b"},
        {"message": "1", "data": {"message": "d"}},
    ]
    assert notes(odd) == [
        ("invalid_data", "breadcrumbs.values.0"),
        ("invalid_data", "breadcrumbs.values.1.timestamp"),
    ]


def test_php_sends_empty_objects_as_lists() -> None:
    fields = ("extra", "user", "tags", "request", "contexts", "modules", "exception", "debug_meta")
    event = decode({"message": "x", **{field: [] for field in fields}})
    assert not set(fields) & set(event.data) - {"tags"}
    assert notes(event) == []


def test_lone_surrogates_and_nan_are_survived() -> None:
    event = decode(b'{"message":"a\\ud800b","extra":{"n":NaN,"i":-Infinity,"\\udfff":1e999}}')
    assert event.data["logentry"]["formatted"] == "a\ufffdb"
    assert event.data["extra"] == {"n": None, "i": None, "\ufffd": None}


def test_contexts_get_their_types_and_empty_ones_go() -> None:
    event = decode(
        {
            "contexts": {
                "os": {"name": "Linux"},
                "cart": {"n": 1},
                "rust": {"type": "runtime", "name": "rustc", "version": "1.9"},
                "none": None,
                "empty": {},
                "note": "text",
                "flags": [{"flag": "a", "result": True}, {"no": 1}],
                "trace": {"trace_id": "CCD37464-d7ab4fadb02f0a20aa07edab", "span_id": "short"},
            }
        }
    )
    assert event.data["contexts"] == {
        "os": {"name": "Linux", "type": "os"},
        "cart": {"n": 1, "type": "default"},
        "rust": {"type": "runtime", "name": "rustc", "version": "1.9"},
        "note": {"value": "text", "type": "default"},
        "flags": {"type": "flags", "values": [{"flag": "a", "result": True}]},
        "trace": {"trace_id": "ccd37464d7ab4fadb02f0a20aa07edab", "type": "trace"},
    }
    assert (event.tags["runtime"], event.tags["runtime.name"]) == ("rustc 1.9", "rustc")


def test_small_parts_in_odd_shapes() -> None:
    event = decode(
        {
            "modules": [{"name": "a", "version": 1}, ["b", "2"], "c"],
            "fingerprint": ["x", 1, True, None],
            "sdk": "raven-python",
            "extra": [["k", "v"]],
            "debug_meta": {"images": [{"type": "elf"}, 3]},
            "errors": [{"type": "js_no_source", "value": 5}],
        }
    )
    assert event.data["modules"] == {"a": "1", "b": "2", "c": ""}
    assert event.data["fingerprint"] == ["x", "1", "true"]
    assert event.data["sdk"] == {"name": "raven-python"}
    assert event.data["extra"] == {"k": "v"}
    assert event.data["debug_meta"] == {"images": [{"type": "elf"}]}
    assert event.data["errors"][0] == {"type": "js_no_source", "value": "5"}
