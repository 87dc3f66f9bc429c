"""Which event which filter does not want."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.errors import Invalid
from tracer.ingest.filters import compile_filters, folded, glob, legacy_browser
from tracer.projects.filters import addresses, patterns
from tracer.protocol.filter_rules import LEGACY, FilterRules

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 12_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/{} Mobile/15E148 Safari/604.1"
)


def verdict(
    data: dict[str, Any], ip: str | None = None, agent: str | None = None, **rules: Any
) -> str | None:
    decide = compile_filters(FilterRules(**rules))
    assert decide is not None
    return decide(data, ip, agent)


def error(
    type_: str = "Error", value: str = "x", path: str = "https://a/app.js", **more: Any
) -> dict[str, Any]:
    frames = [{"abs_path": "https://a/vendor.js"}, {"abs_path": path}]
    exception = {"type": type_, "value": value, "stacktrace": {"frames": frames}}
    return {"platform": "javascript", "exception": {"values": [exception]}, **more}


def browser(agent: str) -> dict[str, Any]:
    return {"request": {"headers": [["User-Agent", agent]]}}


def test_rules_that_filter_nothing_cost_nothing() -> None:
    assert compile_filters(FilterRules()) is None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("timeout", "Timeout", True),
        ("timeout", "A timeout", False),
        ("*timeout", "A TIMEOUT", True),
        ("timeout*", "timeout after 3 s", True),
        ("a*b*c", "a..b..c", True),
        ("a*b*c", "a..c..b", False),
        ("ab*ba", "aba", False),
        ("*x*x*", "x", False),
        ("*x*x*", "xx", True),
        ("[a-z]+", "abc", False),
        ("straße*", "STRASSE 7", True),
    ],
)
def test_glob_matches_the_whole_text_without_case(pattern: str, text: str, expected: bool) -> None:
    assert glob(pattern)(folded(text)) is expected


def test_a_glob_of_many_stars_comes_to_an_end() -> None:
    assert not glob("*a" * 99 + "*b")(folded("a" * 2000))


def test_extension_that_throws_is_told_from_one_that_wraps_a_page() -> None:
    script = "chrome-extension://abcdef/inject.js"
    assert verdict(error(path=script), browser_extensions=True) == "browser_extensions"
    wrapped = error()
    wrapped["exception"]["values"][0]["stacktrace"]["frames"].insert(0, {"abs_path": script})
    assert verdict(wrapped, browser_extensions=True) is None
    assert verdict(error(path=script) | {"platform": "node"}, browser_extensions=True) is None


def test_message_that_only_extensions_cause() -> None:
    data = error(value="Extension context invalidated.")
    assert verdict(data, browser_extensions=True) == "browser_extensions"
    assert verdict(error(value="x is not a function"), browser_extensions=True) is None


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML; compatible; GPTBot/1.2)", True),
        ("SomeNewBot/1.0", True),
        ("my-crawler (+https://example.com)", True),
        (CHROME.format("120.0.0.0"), False),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/99.0", False),
        ("sentry.python/2.0", False),
        ("", False),
    ],
)
def test_crawlers_are_told_by_their_user_agent(agent: str, expected: bool) -> None:
    found = verdict(browser(agent), web_crawlers=True)
    assert found == ("web_crawlers" if expected else None)
    assert (verdict({}, agent=agent, web_crawlers=True) is not None) is expected


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)", "ie"),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "ie"),
        (CHROME.format("62.0.1"), "chrome"),
        (CHROME.format("63.0.1"), None),
        (CHROME.format("70.0") + " Edge/18.1", "edge"),
        (CHROME.format("120.0") + " Edg/120.0", None),
        (IPHONE.format("11.1"), "safari"),
        (IPHONE.format("12.0"), None),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:66.0) Gecko/20100101 Firefox/66.0", "firefox"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", None),
        ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "opera"),
        (CHROME.format("120.0") + " OPR/106.0", None),
        ("Opera/9.80 (Android; Opera Mini/7.5.33361/191.308; U; en) Presto/2.12", "opera_mini"),
        (
            "Mozilla/5.0 (Linux; U; Android 2.3.6; en) AppleWebKit/533.1 Version/4.0 Safari/533.1",
            "android",
        ),
        ("python-requests/2.31", None),
        ("Mozilla/4.0 (compatible; MSIE 99999999999999999999.0)", None),
    ],
)
def test_legacy_browser_is_told_by_its_version(agent: str, expected: str | None) -> None:
    assert legacy_browser(agent) == expected
    all_ = tuple(LEGACY)
    assert verdict(browser(agent), legacy_browsers=all_) == (expected and "legacy_browsers")
    others = tuple(name for name in LEGACY if name != expected)
    assert verdict(browser(agent), legacy_browsers=others) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"request": {"url": "http://localhost:3000/cart"}}, True),
        ({"request": {"url": "http://127.0.0.1/"}}, True),
        ({"request": {"url": "http://[::1]:8000/"}}, True),
        ({"request": {"url": "http://shop.localhost/"}}, True),
        ({"request": {"url": "https://localhost.example.com/"}}, False),
        ({"request": {"url": "http://[nonsense"}}, False),
        ({"user": {"ip_address": "127.0.0.1"}}, True),
        ({"user": {"ip_address": "::1"}}, True),
        ({"user": {"ip_address": "10.0.0.1"}}, False),
        ({"user": None, "request": None}, False),
    ],
)
def test_localhost(data: dict[str, Any], expected: bool) -> None:
    assert verdict(data, localhost=True) == ("localhost" if expected else None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"request": {"url": "https://a.example/api/healthz"}}, True),
        ({"request": {"url": "https://a.example/health/ready"}}, True),
        ({"transaction": "GET /health-check/"}, True),
        ({"transaction": "/ping"}, True),
        ({"transaction": "/shop/ping"}, False),
        ({"request": {"url": "https://a.example/mental-health"}}, False),
        ({"transaction": "shop.views.health"}, False),
        (browser("kube-probe/1.29"), True),
        (browser("curl/8.0"), False),
    ],
)
def test_health_checks(data: dict[str, Any], expected: bool) -> None:
    assert verdict(data, health_checks=True) == ("health_checks" if expected else None)


def test_messages_types_and_both() -> None:
    data = error("TimeoutError", "after 3 s")
    for pattern in ("timeouterror", "after * s", "TimeoutError: after*"):
        assert verdict(data, error_messages=(pattern,)) == "error_messages"
    assert verdict(data, error_messages=("Timeout",)) is None
    said = {"logentry": {"formatted": "Disk full: /dev/sda", "message": "Disk full: %s"}}
    assert verdict(said, error_messages=("disk full*",)) == "error_messages"


def test_releases() -> None:
    assert verdict({"release": "shop@1.4.2"}, releases=("shop@1.*",)) == "releases"
    assert verdict({"release": "shop@2.0"}, releases=("shop@1.*",)) is None
    assert verdict({}, releases=("shop@1.*",)) is None


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("203.0.113.77", True),
        ("::ffff:203.0.113.77", True),
        ("203.0.114.1", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_addresses_of_sender_and_user(ip: str | None, expected: bool) -> None:
    rules = ("203.0.113.0/24", "2001:db8::/32")
    assert (verdict({}, ip, addresses=rules) == "addresses") is expected
    assert (verdict({"user": {"ip_address": ip}}, addresses=rules) == "addresses") is expected


@pytest.mark.parametrize("data", [{}, {"exception": {"values": [None, {}]}}, {"exception": 7}])
def test_what_an_event_does_not_have_is_not_filtered(data: dict[str, Any]) -> None:
    rules = FilterRules(True, tuple(LEGACY), True, True, True, ("a",), ("b",), ("203.0.113.1",))
    decide = compile_filters(rules)
    assert decide is not None
    assert decide({"platform": "javascript", **data}, None, None) is None


MANY = "\n".join(f"p{number}" for number in range(101))


@pytest.mark.parametrize("text", ["*", "a\n * * ", "x" * 201, MANY])
def test_patterns_are_bounded(text: str) -> None:
    with pytest.raises(Invalid):
        patterns(text)


@pytest.mark.parametrize("text", ["nonsense", "203.0.113.0/33", "0.0.0.0/0", "::/0"])
def test_addresses_are_checked(text: str) -> None:
    with pytest.raises(Invalid):
        addresses(text)


def test_a_comma_is_part_of_a_pattern() -> None:
    assert patterns(" a, b \n\nc\na, b") == ("a, b", "c")
