"""Tags, users and what is derived from contexts and request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracer.protocol.event import Event, decode_event
from tracer.protocol.user_agent import parse_user_agent

NOW = 1_795_459_000.0
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36"
)
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


def decode(event: Any, ip: str | None = None, agent: str | None = None) -> Event:
    return decode_event(
        json.dumps(event).encode(),
        project_id=1,
        envelope={},
        received_at=NOW,
        client_ip=ip,
        user_agent=agent,
    )


def notes(event: Event) -> list[tuple[str, str]]:
    return [(note["type"], note["name"]) for note in event.data.get("errors", [])]


@pytest.mark.parametrize(
    "given",
    [
        {"a": "x", "b": 1, "c": True, "d": None, "e": ""},
        [["a", "x"], ["b", "1"], ["c", "true"]],
        [{"key": "a", "value": "x"}, {"key": "b", "value": 1}, "c"],
        "a:x,b:1,c",
    ],
)
def test_tags_in_every_shape(given: Any) -> None:
    event = decode({"tags": given})
    base = {"level": "error", "environment": "production"}
    assert event.tags == base | {"a": "x", "b": "1", "c": "true"}
    assert event.data["tags"] == [list(pair) for pair in event.tags.items()]


def test_keys_and_values_are_cleaned() -> None:
    event = decode(
        {"tags": {"a b": "x\ny", "ü": "1", "k" * 201: "1", "long": "v" * 201, "n": "\n"}}
    )
    assert event.tags["a-b"] == "x y"
    assert len(event.tags["long"]) == 200
    assert not {"ü", "k" * 201, "n"} & set(event.tags)
    assert notes(event) == [
        ("invalid_data", "tags"),
        ("invalid_data", "tags"),
        ("value_too_long", "tags.long"),
    ]


def test_at_most_a_hundred_tags_and_the_derived_ones_are_among_them() -> None:
    event = decode({"tags": {f"t{n}": "x" for n in range(10_000)}, "server_name": "web-1"})
    assert len(event.tags) == 100
    assert event.tags["server_name"] == "web-1"
    assert [kind for kind, _ in notes(event)] == ["too_many", "too_many"]


def test_sdk_tags_win_over_derived_ones_but_not_over_attributes() -> None:
    tags = ("level", "environment", "release", "dist", "user", "server_name", "handled", "logger")
    event = decode(
        {
            "level": "info",
            "server_name": "web-1",
            "tags": dict.fromkeys(tags, "mine"),
            "exception": [{"type": "E", "mechanism": {"type": "m", "handled": False}}],
        }
    )
    assert event.tags == {
        "level": "info",
        "environment": "mine",
        "server_name": "web-1",
        "handled": "mine",
        "logger": "mine",
        "mechanism": "m",
    }


def test_derived_tags() -> None:
    event = decode(
        {
            "platform": "python",
            "level": "fatal",
            "environment": "qa",
            "release": "a@1",
            "dist": "7",
            "server_name": "web-1",
            "logger": "app",
            "transaction": "/pay",
            "user": {"id": 42},
            "request": {"url": "https://shop.example/pay?token=1"},
            "exception": [
                {"type": "A", "mechanism": {"type": "chained", "handled": False}},
                {"type": "B", "mechanism": {"type": "generic", "handled": True}},
            ],
            "contexts": {
                "runtime": {"name": "CPython", "version": "3.11.7"},
                "os": {"name": "Linux", "version": "6.1"},
                "browser": {"name": "Firefox", "version": "127"},
                "device": {"model": "Pixel 8", "family": "Pixel"},
                "trace": {"trace_id": "a" * 32},
            },
        }
    )
    assert event.tags == {
        "level": "fatal",
        "environment": "qa",
        "release": "a@1",
        "dist": "7",
        "server_name": "web-1",
        "logger": "app",
        "transaction": "/pay",
        "user": "id:42",
        "mechanism": "generic",
        "handled": "yes",
        "runtime": "CPython 3.11.7",
        "runtime.name": "CPython",
        "os": "Linux 6.1",
        "os.name": "Linux",
        "browser": "Firefox 127",
        "browser.name": "Firefox",
        "device": "Pixel 8",
        "device.family": "Pixel",
        "url": "https://shop.example/pay",
    }


def test_browser_and_system_come_from_the_request_of_the_event() -> None:
    request = {"headers": {"user-agent": CHROME}}
    server = decode({"platform": "python", "request": request, "contexts": {"os": {"name": "BSD"}}})
    assert server.tags["browser"] == "Chrome 126.0.0"
    assert (server.tags["os.name"], server.tags["client_os.name"]) == ("BSD", "Linux")
    browser = decode({"platform": "javascript", "request": request})
    assert browser.tags["os.name"] == "Linux"
    assert "client_os" not in browser.tags


def test_only_browsers_are_known_by_the_http_request() -> None:
    assert decode({"platform": "javascript"}, agent=CHROME).tags["browser.name"] == "Chrome"
    assert "browser" not in decode({"platform": "python"}, agent=CHROME).tags
    assert "browser" not in decode({"platform": "javascript"}, agent="curl/8.1").tags


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ({"id": 42, "email": "a@b.c"}, "id:42"),
        ({"username": "u", "email": "a@b.c", "id": ""}, "username:u"),
        ({"email": "a@b.c", "ip_address": "10.0.0.1"}, "email:a@b.c"),
        ({"ip_address": "2001:db8::1"}, "ip:2001:db8::1"),
        ({"plan": "pro"}, None),
        ("42", "id:42"),
        (7, "id:7"),
        ([["id", "9"]], "id:9"),
        (None, None),
    ],
)
def test_user_keys(user: Any, key: str | None) -> None:
    event = decode({"user": user})
    assert event.user_key == key
    assert event.tags.get("user") == key


def test_other_attributes_of_a_user_are_its_data() -> None:
    event = decode({"user": {"id": 1.5, "plan": "pro", "data": {"a": 1}, "name": None}})
    assert event.data["user"] == {"id": "1.5", "data": {"plan": "pro", "a": 1}}


@pytest.mark.parametrize(
    ("event", "address"),
    [
        ({"user": {"ip_address": "{{auto}}"}}, "203.0.113.9"),
        ({"user": {"ip_address": "198.51.100.1"}}, "198.51.100.1"),
        ({"user": {"ip_address": "nowhere"}, "platform": "javascript"}, None),
        ({"user": {"ip_address": "1.2.3"}}, None),
        ({"user": {"ip_address": "1.2.3.256"}}, None),
        ({"user": {"id": "1"}}, None),
        ({"platform": "javascript"}, "203.0.113.9"),
        ({"request": {"env": {"REMOTE_ADDR": "10.1.1.1"}}}, "10.1.1.1"),
        ({"sdk": {"settings": {"infer_ip": "auto"}}}, "203.0.113.9"),
        ({"sdk": {"settings": {"infer_ip": "never"}}, "platform": "javascript"}, None),
        (
            {"sdk": {"settings": {"infer_ip": "never"}}, "user": {"ip_address": "{{auto}}"}},
            None,
        ),
    ],
)
def test_addresses_are_inferred_only_as_the_sdk_allows(event: Any, address: str | None) -> None:
    found = decode(event, ip="203.0.113.9").data.get("user", {}).get("ip_address")
    assert found == address


@pytest.mark.parametrize("sender", [None, "", "unix:/run/x.sock", "\udcff"])
def test_auto_without_a_known_sender_leaves_nothing_behind(sender: str | None) -> None:
    assert "user" not in decode({"user": {"ip_address": "{{auto}}"}}, ip=sender).data


AGENTS = [
    (CHROME, "Chrome 126.0.0", "Linux", None),
    (CHROME.replace("Chrome/", "HeadlessChrome/"), "HeadlessChrome 126.0.0", "Linux", None),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.61",
        "Edge 126.0.2592",
        "Windows 10",
        None,
    ),
    (
        "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0"
        " Safari/537.36 OPR/95.0.1",
        "Opera 95.0.1",
        "Windows 7",
        None,
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/17.4 Safari/605.1.15",
        "Safari 17.4",
        "Mac OS X 10.15.7",
        "Mac",
    ),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} Version/17.5"
        " Mobile/15E148 Safari/604.1",
        "Mobile Safari 17.5",
        "iOS 17.5",
        "iPhone",
    ),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} CriOS/126.0.6478.54"
        " Mobile/15E148 Safari/604.1",
        "Chrome Mobile iOS 126.0.6478",
        "iOS 17.5",
        "iPhone",
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/125.0.0.0 Mobile Safari/537.36",
        "Chrome Mobile 125.0.0",
        "Android 14",
        "Pixel 8",
    ),
    (
        "Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko)"
        " SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
        "Samsung Internet 25.0",
        "Android 13",
        "SM-S911B",
    ),
    (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "Firefox 127.0",
        "Ubuntu",
        None,
    ),
    (
        "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
        "Firefox Mobile 127.0",
        "Android 14",
        "Generic Smartphone",
    ),
    (
        "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko",
        "IE 11.0",
        "Windows 8.1",
        None,
    ),
    ("curl/8.5.0", "curl 8.5.0", None, None),
    ("python-requests/2.32.3", "Python Requests 2.32.3", None, None),
    ("Go-http-client/1.1", "Go-http-client 1.1", None, None),
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Googlebot 2.1",
        None,
        "Spider",
    ),
    ("", None, None, None),
    ("x" * 100_000, None, None, None),
]


@pytest.mark.parametrize(("text", "browser", "system", "device"), AGENTS)
def test_user_agents(
    text: str, browser: str | None, system: str | None, device: str | None
) -> None:
    agent = parse_user_agent(text)
    parts = (agent.browser, agent.browser_version)
    assert (" ".join(filter(None, parts)) or None) == browser
    assert (" ".join(filter(None, (agent.system, agent.system_version))) or None) == system
    assert agent.device == device
