"""What is too much is cut, noted, and never costs the rest of the event."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from tracer.errors import Invalid
from tracer.protocol import trim
from tracer.protocol.event import Event, decode_event

NOW = 1_795_459_000.0


def decode(event: Any) -> Event:
    return decode_event(
        event if isinstance(event, bytes) else json.dumps(event).encode(),
        project_id=1,
        envelope={},
        received_at=NOW,
        client_ip=None,
        user_agent=None,
    )


def notes(event: Event) -> set[tuple[str, str]]:
    return {(note["type"], note["name"]) for note in event.data.get("errors", [])}


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = {"d": value}
    return value


def size_of(value: Any) -> int:
    return len(msgspec.json.encode(value))


def test_seven_levels_are_kept_and_the_eighth_is_a_word() -> None:
    kept = decode({"extra": nested(7)})
    assert kept.data["extra"] == nested(7)
    assert notes(kept) == set()
    cut = decode({"extra": nested(8)})
    assert "core" not in json.dumps(cut.data["extra"])
    assert json.dumps(cut.data["extra"]).count("[Object]") == 1
    assert notes(cut) == {("too_deep", "extra")}


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_deep_nesting_is_cut_or_invalid(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        payload = b'{"extra":{"x":' + opening * depth + b"1" + closing * depth + b"}}"
        try:
            event = decode(payload)
        except Invalid:
            assert depth > 900
        else:
            assert size_of(event.data) < 2000
            assert notes(event) == {("too_deep", "extra")}


def test_long_messages_and_values_are_trimmed() -> None:
    event = decode({"message": "m" * 9000, "exception": [{"type": "E", "value": "v" * 9000}]})
    assert len(event.data["logentry"]["formatted"]) == 8192
    assert len(event.data["exception"]["values"][0]["value"]) == 8192
    assert notes(event) == {
        ("value_too_long", "message"),
        ("value_too_long", "exception.values.0.value"),
    }


def test_the_newest_breadcrumbs_are_kept() -> None:
    event = decode({"breadcrumbs": [{"message": str(n)} for n in range(500)]})
    kept = [crumb["message"] for crumb in event.data["breadcrumbs"]["values"]]
    assert kept == [str(n) for n in range(300, 500)]
    assert notes(event) == {("too_many", "breadcrumbs")}


def test_cause_and_thrown_exception_are_kept_of_many() -> None:
    event = decode({"exception": [{"type": str(n)} for n in range(80)]})
    kept = [one["type"] for one in event.data["exception"]["values"]]
    assert (len(kept), kept[0], kept[-1]) == (50, "0", "79")


def test_the_crashed_thread_is_kept_of_many() -> None:
    threads = [{"id": n, "crashed": n == 400} for n in range(500)]
    kept = decode({"threads": threads}).data["threads"]["values"]
    assert len(kept) == 100
    assert {"id": 400, "crashed": True} in kept


def test_at_most_a_thousand_modules() -> None:
    event = decode({"modules": {f"m{n}": "1" for n in range(1500)}})
    assert len(event.data["modules"]) == 1000
    assert notes(event) == {("too_many", "modules")}


def test_at_most_a_hundred_contexts() -> None:
    event = decode({"contexts": {f"c{n}": {"a": 1} for n in range(500)}})
    assert len(event.data["contexts"]) == 100
    assert notes(event) == {("too_many", "contexts")}


def test_a_large_body_stays_text() -> None:
    body = json.dumps(["x" * 50] * 10_000)
    event = decode({"request": {"data": body}})
    assert event.data["request"]["data"].startswith(body[:1000])
    assert notes(event) == {("too_large", "request.data")}


def test_at_most_a_hundred_notes() -> None:
    event = decode({f"unheard{n}": 1 for n in range(500)})
    errors = event.data["errors"]
    assert len(errors) == 100
    assert errors[-1]["reason"] == "401 more not listed"


def test_notes_never_quote_free_data() -> None:
    secret = "hunter2" * 3000
    event = decode(
        {
            "extra": {"password": secret, "deep": nested(20)},
            "request": {"data": {"password": secret}, "cookies": [["a"], [secret]]},
            "tags": {"password": secret, "ü": secret},
            "contexts": {"x": secret},
            "exception": [{"value": secret, "stacktrace": {"frames": [{"vars": secret}]}}],
        }
    )
    assert event.data["errors"]
    assert "hunter2" not in json.dumps(event.data["errors"])


def stack(count: int, size: int, in_app: set[int]) -> dict[str, Any]:
    frames = [
        {"function": f"f{n}", "in_app": n in in_app, "vars": {"blob": "v" * size}}
        for n in range(count)
    ]
    return {"exception": [{"type": "E", "stacktrace": {"frames": frames}}]}


def test_variables_of_a_small_event_are_left_alone() -> None:
    event = decode(stack(10, 5000, set()))
    frames = event.data["exception"]["values"][0]["stacktrace"]["frames"]
    assert all(len(frame["vars"]["blob"]) == 5000 for frame in frames)


def test_variables_of_a_large_event_go_to_the_newest_frames_of_the_application() -> None:
    event = decode(stack(40, 5000, {3, 30}))
    frames = event.data["exception"]["values"][0]["stacktrace"]["frames"]
    full = [
        n for n, frame in enumerate(frames) if len(frame.get("vars", {}).get("blob", "")) == 5000
    ]
    assert full == [3, 30, 39]
    assert (
        sum(size_of(frame["vars"]) for frame in frames if "vars" in frame) <= trim.VARS_BYTES + 99
    )
    assert ("too_large", "exception.values.0.stacktrace.frames.0.vars") in notes(event)


def test_every_free_field_of_a_large_event_has_a_budget() -> None:
    big = {f"k{n}": "x" * 1000 for n in range(700)}
    event = decode(
        {
            "message": "kept",
            "extra": big,
            "contexts": {"trace": {"trace_id": "a" * 32}, "state": big, "other": big},
            "request": {"data": big, "url": "http://x/", "headers": {"A": "b"}},
            "user": {"data": big, "id": "1"},
            "sdk": {"name": "n", "packages": [big]},
            "breadcrumbs": [{"message": str(n), "data": big} for n in range(20)],
            "debug_meta": {"images": [{"type": "elf", "debug_id": str(n)} for n in range(1000)]},
            "exception": [{"type": "E", "mechanism": {"type": "m", "data": big}}],
        }
    )
    data = event.data
    assert size_of(data["extra"]) < trim.EXTRA_BYTES + 100
    assert size_of(data["contexts"]) < trim.CONTEXTS_BYTES + 2000
    assert data["contexts"]["trace"]["trace_id"] == "a" * 32
    assert data["contexts"]["state"]["type"] == "state"
    assert size_of(data["request"]["data"]) < trim.REQUEST_DATA_BYTES + 100
    assert data["request"]["headers"] == [["A", "b"]]
    assert size_of(data["user"]) < trim.SMALL_BYTES + 100
    assert event.user_key == "id:1"
    assert data["sdk"]["name"] == "n"
    assert size_of(data["breadcrumbs"]) < trim.BREADCRUMBS_BYTES + 100
    assert data["breadcrumbs"]["values"][-1]["message"] == "19"
    assert data["exception"]["values"][0]["mechanism"]["type"] == "m"
    assert size_of(data) <= trim.MAX_EVENT_BYTES
    assert {name for kind, name in notes(event) if kind == "too_large"} >= {
        "extra",
        "contexts.state",
        "request.data",
        "user.data",
        "sdk",
        "breadcrumbs",
        "exception.values.0.mechanism.data",
    }


def test_two_megabytes_of_tags() -> None:
    started = time.process_time()
    event = decode({"message": "kept", "tags": {f"t{n}": "v" * 180 for n in range(10_000)}})
    assert time.process_time() - started < 2
    assert len(event.tags) == 100
    assert size_of(event.data) < 100_000
    assert event.data["logentry"]["formatted"] == "kept"


def test_an_event_that_is_still_too_large_keeps_exception_and_tags() -> None:
    frame = {
        "function": "f" * 900,
        "filename": "/srv/x.py",
        "pre_context": ["c" * 250] * 10,
        "post_context": ["c" * 250] * 10,
        "vars": {"a": "b" * 200},
    }
    frames = {"frames": [frame] * 120}
    threads = [{"id": n, "stacktrace": frames} for n in range(3)]
    event = decode(
        {
            "exception": [{"type": str(n), "stacktrace": frames} for n in range(6)],
            "threads": threads,
            "tags": {"a": "b"},
        }
    )
    assert size_of(event.data) <= trim.MAX_EVENT_BYTES
    assert event.data["exception"]["values"][-1]["type"] == "5"
    assert event.data["exception"]["values"][-1]["stacktrace"]["frames"]
    assert event.tags["a"] == "b"
    assert "too_large" in {kind for kind, _ in notes(event)}


def test_numbers_of_any_length() -> None:
    event = decode(b'{"level":%s,"extra":{"n":%s},"timestamp":%s}' % ((b"9" * 5000,) * 3))
    assert (event.level, event.timestamp) == (40, NOW)
    assert size_of(event.data) < 50_000
