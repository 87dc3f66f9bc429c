"""Inbound filters: which decoded event a project does not want, and by which filter. Pure.

An event is looked at before it is scrubbed. Patterns are globs that are matched in linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from tracer.ingest.filter_patterns import (
    CRAWLERS,
    EXTENSION_MESSAGES,
    EXTENSION_SCHEMES,
    PROBE_PATHS,
    PROBES,
)
from tracer.protocol import filter_rules as names
from tracer.protocol.filter_rules import LEGACY, FilterRules
from tracer.protocol.interfaces.request import header
from tracer.protocol.user_agent import parse_user_agent

Data = Mapping[str, Any]
#: (normalised event, address of who sent it, User-Agent of who sent it) -> whether it is unwanted
Test = Callable[[Data, str | None, str | None], bool]
#: The same for all filters: the name of the first that does not want it, or None.
Filter = Callable[[Data, str | None, str | None], str | None]

_MAX_TEXT = 2000
_MAX_AGENT = 512
_LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1", "0.0.0.0", "[::1]"))  # noqa: S104


@lru_cache(maxsize=1024)
def compile_filters(rules: FilterRules) -> Filter | None:
    """What a project's rules decide; None when they filter nothing."""
    tests: list[tuple[str, Test]] = []
    if rules.addresses:
        tests.append((names.ADDRESSES, _addresses(rules.addresses)))
    if rules.localhost:
        tests.append((names.LOCALHOST, _is_local))
    if rules.releases:
        tests.append((names.RELEASES, _releases(rules.releases)))
    if rules.web_crawlers:
        tests.append((names.WEB_CRAWLERS, _is_of_crawler))
    if rules.legacy_browsers:
        tests.append((names.LEGACY_BROWSERS, _legacy(frozenset(rules.legacy_browsers))))
    if rules.health_checks:
        tests.append((names.HEALTH_CHECKS, _is_health_check))
    if rules.browser_extensions:
        tests.append((names.BROWSER_EXTENSIONS, _is_of_extension))
    if rules.error_messages:
        tests.append((names.ERROR_MESSAGES, _messages(rules.error_messages)))
    if not tests:
        return None

    def decide(data: Data, address: str | None, agent: str | None) -> str | None:
        for name, test in tests:
            if test(data, address, agent):
                return name
        return None

    return decide


# Globs ------------------------------------------------------------------------------------------


def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a text, once `folded`, is what a pattern with `*` describes, as a whole. Linear."""
    pieces = folded(pattern).split("*")

    def matches(text: str) -> bool:
        first, last = pieces[0], pieces[-1]
        if len(pieces) == 1:
            return text == first
        end = len(text) - len(last)
        if len(first) > end or not text.startswith(first) or not text.endswith(last):
            return False
        place = len(first)
        for piece in pieces[1:-1]:
            place = text.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    return matches


def folded(text: str) -> str:
    """A text without regard to case, cut to what is looked at."""
    return text[:_MAX_TEXT].casefold()


def _messages(patterns: tuple[str, ...]) -> Test:
    tests = [glob(pattern) for pattern in patterns]

    def test(data: Data, _address: str | None, _agent: str | None) -> bool:
        texts = [folded(text) for text in _texts(data)]
        return any(matches(text) for text in texts for matches in tests)

    return test


def _texts(data: Data) -> Iterator[str]:
    """What an event says: each error's type, its value and both, and the message."""
    for exception in _exceptions(data):
        type_, value = exception.get("type") or "", exception.get("value") or ""
        if type_:
            yield type_
        if value:
            yield value
        if type_ and value:
            yield f"{type_}: {value}"
    entry = data.get("logentry")
    if isinstance(entry, Mapping):
        for key in ("formatted", "message"):
            if isinstance(entry.get(key), str):
                yield entry[key]


def _exceptions(data: Data) -> Iterator[Mapping[str, Any]]:
    holder = data.get("exception")
    values = holder.get("values") if isinstance(holder, Mapping) else None
    for exception in values or ():
        if isinstance(exception, Mapping):
            yield exception


def _releases(patterns: tuple[str, ...]) -> Test:
    tests = [glob(pattern) for pattern in patterns]

    def test(data: Data, _address: str | None, _agent: str | None) -> bool:
        release = data.get("release")
        if not release:
            return False
        text = folded(str(release))
        return any(matches(text) for matches in tests)

    return test


# Addresses --------------------------------------------------------------------------------------


def _addresses(entries: tuple[str, ...]) -> Test:
    networks = [ip_network(entry, strict=False) for entry in entries]

    def test(data: Data, address: str | None, _agent: str | None) -> bool:
        return any(
            found.version == network.version and found in network
            for found in (_parsed(address), _parsed(_user_address(data)))
            if found is not None
            for network in networks
        )

    return test


def _user_address(data: Data) -> str | None:
    user = data.get("user")
    found = user.get("ip_address") if isinstance(user, Mapping) else None
    return found if isinstance(found, str) else None


def _parsed(text: str | None) -> IPv4Address | IPv6Address | None:
    if not text:
        return None
    try:
        found = ip_address(text[:64].strip())
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_local(data: Data, _address: str | None, _agent: str | None) -> bool:
    found = _parsed(_user_address(data))
    if found is not None and found.is_loopback:
        return True
    host = _url(data)[0]
    return host in _LOCAL_HOSTS or host.endswith(".localhost")


def _url(data: Data) -> tuple[str, str]:
    """Host and path of the request; empty where it has none."""
    request = data.get("request")
    url = request.get("url") if isinstance(request, Mapping) else None
    if not isinstance(url, str) or not url:
        return "", ""
    try:
        parts = urlsplit(url[:_MAX_TEXT])
        return (parts.hostname or "").lower(), parts.path
    except ValueError:
        return "", ""


# User agents ------------------------------------------------------------------------------------


def _agent_of(data: Data, sender: str | None) -> str:
    request = data.get("request")
    found = header(request, "User-Agent") if isinstance(request, dict) else None
    return (found or sender or "")[:_MAX_AGENT]


def _is_of_crawler(data: Data, _address: str | None, agent: str | None) -> bool:
    return _crawls(_agent_of(data, agent))


@lru_cache(maxsize=4096)
def _crawls(agent: str) -> bool:
    return CRAWLERS.search(agent) is not None


def _legacy(chosen: frozenset[str]) -> Test:
    def test(data: Data, _address: str | None, agent: str | None) -> bool:
        return legacy_browser(_agent_of(data, agent)) in chosen

    return test


@lru_cache(maxsize=4096)
def legacy_browser(agent: str) -> str | None:
    """The id of the browser that a User-Agent names, if it is a legacy one."""
    parsed = parse_user_agent(agent)
    name = "opera_mini" if "Opera Mini" in agent else _BROWSERS.get(parsed.browser or "")
    version = parsed.browser_version
    if name == "opera_mini":
        version = agent.partition("Opera Mini/")[2]
    elif name == "android":
        version = parsed.system_version
    elif parsed.browser == "Opera" and "Version/" in agent:
        # Opera 10 to 12 say 9.80 and their version behind.
        version = agent.partition("Version/")[2]
    major = (version or "").partition(".")[0]
    if name is None or not (major.isascii() and major.isdigit()):
        return None
    return name if int(major[:9]) < LEGACY[name] else None


_BROWSERS = {
    "IE": "ie",
    "Edge": "edge",
    "Edge Mobile": "edge",
    "Safari": "safari",
    "Mobile Safari": "safari",
    "Firefox": "firefox",
    "Firefox Mobile": "firefox",
    "Chrome": "chrome",
    "Chrome Mobile": "chrome",
    "Opera": "opera",
    "Opera Mobile": "opera",
    "Android": "android",
}


def _is_health_check(data: Data, _address: str | None, agent: str | None) -> bool:
    path = _url(data)[1]
    if path and PROBE_PATHS.fullmatch(path):
        return True
    transaction = data.get("transaction")
    # "GET /healthz" as well as "/healthz".
    name = transaction[:_MAX_TEXT].rpartition(" ")[2] if isinstance(transaction, str) else ""
    if "/" in name and PROBE_PATHS.fullmatch(name):
        return True
    return _probes(_agent_of(data, agent))


@lru_cache(maxsize=4096)
def _probes(agent: str) -> bool:
    return PROBES.search(agent) is not None


def _is_of_extension(data: Data, _address: str | None, _agent: str | None) -> bool:
    """An error thrown by an extension's script, or one that only they cause."""
    if data.get("platform") != "javascript":
        return False
    for exception in _exceptions(data):
        value = exception.get("value")
        if isinstance(value, str) and EXTENSION_MESSAGES.search(value[:_MAX_TEXT]):
            return True
        stack = exception.get("stacktrace")
        frames = stack.get("frames") if isinstance(stack, Mapping) else None
        # The last frame threw: an extension that merely wraps a page's function stands before it.
        if frames and isinstance(frames[-1], Mapping):
            source = frames[-1].get("abs_path") or frames[-1].get("filename") or ""
            if str(source).lower().startswith(EXTENSION_SCHEMES):
                return True
    return False
