"""The request of an event, in every shape that SDKs send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracer.protocol.event import Event, decode_event


def decode(request: Any) -> Event:
    return decode_event(
        json.dumps({"request": request}).encode(),
        project_id=1,
        envelope={},
        received_at=1_795_459_000.0,
        client_ip=None,
        user_agent=None,
    )


def request_of(request: Any) -> Any:
    event = decode(request)
    assert "errors" not in event.data
    return event.data.get("request")


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "a", "x-forwarded-for": "1, 2"},
        [["Accept", "a"], ["X-Forwarded-For", "1, 2"]],
        {"ACCEPT": "a", "X-Forwarded-For": ["1", "2"], "none": None},
    ],
)
def test_headers_become_pairs_with_tidy_names(headers: Any) -> None:
    assert request_of({"headers": headers})["headers"] == [
        ["Accept", "a"],
        ["X-Forwarded-For", "1, 2"],
    ]


@pytest.mark.parametrize(
    "query",
    [
        "a=1&b=%20x+y&c",
        "?a=1&b=%20x+y&c",
        [["a", "1"], ["b", " x y"], ["c", None]],
        {"a": 1, "b": " x y", "c": ""},
    ],
)
def test_queries_become_decoded_pairs(query: Any) -> None:
    expected = [["a", "1"], ["b", " x y"], ["c", ""]]
    assert request_of({"query_string": query})["query_string"] == expected


def test_repeated_parameters_stay_apart() -> None:
    pairs = [["a", "1"], ["a", "2"]]
    assert request_of({"query_string": "a=1&a=2"})["query_string"] == pairs
    assert request_of({"query_string": {"a": ["1", "2"]}})["query_string"] == pairs


def test_the_url_gives_up_its_query_and_fragment() -> None:
    request = request_of({"url": "https://a.example/x?q=1#top"})
    assert request == {
        "url": "https://a.example/x",
        "query_string": [["q", "1"]],
        "fragment": "top",
    }
    kept = request_of({"url": "https://a.example/x?q=1", "query_string": "r=2"})
    assert kept == {"url": "https://a.example/x", "query_string": [["r", "2"]]}


@pytest.mark.parametrize(
    "request_",
    [
        {"cookies": 'a=1; b="2"'},
        {"cookies": {"a": "1", "b": 2}},
        {"cookies": [["a", "1"], ["b", "2"]]},
        {"headers": {"Cookie": "a=1; b=2"}},
    ],
)
def test_cookies_become_pairs(request_: Any) -> None:
    assert request_of(request_) == {"cookies": [["a", "1"], ["b", "2"]]}


@pytest.mark.parametrize(
    ("data", "content_type", "body", "inferred"),
    [
        ('{"a": [1]}', "application/json; charset=utf-8", {"a": [1]}, "application/json"),
        ("[1, 2]", "", [1, 2], "application/json"),
        ("a=1&b=x%20y", "application/x-www-form-urlencoded", {"a": "1", "b": "x y"}, "form"),
        ("a=1", "text/plain", "a=1", None),
        ("{broken", "application/json", "{broken", None),
        ({"a": 1}, "text/plain", {"a": 1}, None),
        (False, "text/plain", False, None),
    ],
)
def test_bodies_become_what_they_encode(
    data: Any, content_type: str, body: Any, inferred: str | None
) -> None:
    request = request_of({"data": data, "headers": {"Content-Type": content_type}})
    assert request["data"] == body
    found = request.get("inferred_content_type")
    assert found == ("application/x-www-form-urlencoded" if inferred == "form" else inferred)


def test_methods() -> None:
    assert request_of({"method": "post"}) == {"method": "POST"}
    event = decode({"method": "PO ST", "url": "/"})
    assert event.data["request"] == {"url": "/"}
    assert event.data["errors"][0]["name"] == "request.method"


def test_a_bare_string_is_the_url() -> None:
    assert request_of("http://x/") == {"url": "http://x/"}


@pytest.mark.parametrize("empty", [{}, [], "", None, {"headers": {}, "data": "", "cookies": []}])
def test_an_empty_request_is_none(empty: Any) -> None:
    assert request_of(empty) is None


def test_pairs_are_limited_and_noted() -> None:
    event = decode({"query_string": "&".join(f"k{n}=1" for n in range(1000))})
    assert len(event.data["request"]["query_string"]) == 200
    assert event.data["errors"][0]["type"] == "too_many"


def test_broken_pairs_are_noted() -> None:
    event = decode({"headers": [["Host", "x"], ["lonely"], 3]})
    assert event.data["request"]["headers"] == [["Host", "x"]]
    assert [note["name"] for note in event.data["errors"]] == ["request.headers"]
