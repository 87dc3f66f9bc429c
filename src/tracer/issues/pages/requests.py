"""The HTTP request of an event, as a table and as a curl command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

#: curl makes these itself, and a copied length would be wrong.
_NOT_COPIED = {"host", "content-length", "connection", "accept-encoding"}
_FILTERED = "[Filtered]"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is known of the request; pairs are (name, value)."""

    method: str
    url: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    cookies: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    body: str
    curl: str


def http_request(data: dict[str, Any]) -> HttpRequest | None:
    """The request of a normalised event; None when it has none."""
    request = data.get("request")
    if not request:
        return None
    body = request.get("data")
    return HttpRequest(
        method=request.get("method") or "GET",
        url=request.get("url") or "",
        query=_pairs(request.get("query_string")),
        headers=_pairs(request.get("headers")),
        cookies=_pairs(request.get("cookies")),
        environment=_pairs(request.get("env")),
        body=body if isinstance(body, str) else _json(body),
        curl=curl(request) if request.get("url") else "",
    )


def curl(request: dict[str, Any]) -> str:
    """A command that repeats the request. Removed values stay removed: fill them in before use."""
    parts = ["curl", shlex.quote(_address(request))]
    method = request.get("method") or "GET"
    if method != "GET":
        parts.insert(1, f"-X {shlex.quote(method)}")
    headers = [
        (name, value)
        for name, value in _pairs(request.get("headers"))
        if name.lower() not in _NOT_COPIED
    ]
    cookies = _pairs(request.get("cookies"))
    if cookies and not any(name.lower() == "cookie" for name, _ in headers):
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies)))
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers]
    body = request.get("data")
    if body:
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
        parts.append(f"--data-raw {shlex.quote(text)}")
    return " \\\n  ".join(parts)


def _address(request: dict[str, Any]) -> str:
    url: str = request["url"]
    query = _pairs(request.get("query_string"))
    if query and "?" not in url:
        url += "?" + urlencode(query)
    return url


def _pairs(value: Any) -> list[tuple[str, str]]:
    pairs = value.items() if isinstance(value, dict) else value or ()
    return [(str(name), _plain(entry)) for name, entry in pairs]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _json(value) if value is not None else ""


def _json(value: Any) -> str:
    if value is None:
        return ""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
