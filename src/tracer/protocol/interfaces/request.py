"""The HTTP request an event happened in: URL, headers, cookies, body, environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_MESSAGE, MAX_PATH, MAX_SHORT, MAX_TEXT
from tracer.protocol.trim import shallow

MAX_PAIRS = 200
MAX_BODY = 256 * 1024  # characters; a longer text body stays text
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"

Pairs = list[list[str]]


def finish_request(data: dict[str, Any], notes: Notes) -> None:
    """Headers, cookies and query become pairs, the URL gives up its query and fragment.

    A `Cookie` header becomes `cookies`; a body that is JSON or a form becomes data.
    """
    request = data.get("request")
    if request is None:
        return
    scalars.without_nulls(request)
    headers = request.get("headers")
    if headers:
        request["headers"] = _headers(headers, request, notes)
    _finish_url(request)
    query = request.get("query_string")
    if query:
        request["query_string"] = _query_pairs(query, notes)
    cookies = request.get("cookies")
    if cookies:
        request["cookies"] = _cookie_pairs(cookies, notes)
    for key in ("headers", "query_string", "cookies", "env", "fragment", "data"):
        if key in request and request[key] in ("", [], {}):
            del request[key]
    method = request.get("method")
    if method is not None and not _METHOD.fullmatch(method):
        if _METHOD.fullmatch(method.strip().upper()):
            request["method"] = method.strip().upper()
        else:
            notes.add("invalid_data", "request.method", "not an HTTP method", method)
            del request["method"]
    if type(request.get("data")) is str:
        _finish_body(request, notes)
    if not request:
        del data["request"]


def header(request: dict[str, Any] | None, name: str) -> str | None:
    """The value of a header of a finished request; `name` as `User-Agent`."""
    if request is not None:
        for found, value in request.get("headers", ()):
            if found == name:
                return str(value)
    return None


def _finish_url(request: dict[str, Any]) -> None:
    url = request.get("url")
    if not url:
        request.pop("url", None)
        return
    if "#" in url:
        url, _, fragment = url.partition("#")
        request.setdefault("fragment", fragment)
    if "?" in url:
        url, _, query = url.partition("?")
        if not request.get("query_string"):
            request["query_string"] = query
    request["url"] = url


@lru_cache(maxsize=1024)
def header_name(name: str) -> str:
    """`user-agent` as `User-Agent`."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.strip().split("-"))


def _headers(
    headers: dict[str, str | None] | Pairs, request: dict[str, Any], notes: Notes
) -> Pairs:
    pairs: Pairs = []
    for pair in _items(headers):
        if len(pair) != 2 or not pair[0]:
            notes.add("invalid_data", "request.headers", "expected a name and a value")
            continue
        raw, value = pair[0], pair[1]
        name = header_name(raw) if len(raw) <= MAX_SHORT else raw[:MAX_SHORT]
        if name == "Cookie" and not request.get("cookies"):
            if value:
                request["cookies"] = value
        elif value is not None:
            pairs.append([name, value])
    return _limited(pairs, "request.headers", notes)


def _items(value: dict[str, str | None] | Pairs) -> Iterable[Sequence[str | None]]:
    return value.items() if isinstance(value, dict) else value


def _query_pairs(query: str | dict[str, Any] | Pairs, notes: Notes) -> Pairs:
    pairs: Pairs = []
    if type(query) is str:
        for part in query.lstrip("?").split("&", MAX_PAIRS + 1):
            if part:
                key, _, value = part.partition("=")
                pairs.append([_unquoted(key), _unquoted(value)])
    elif type(query) is dict:
        for key, value in query.items():
            for one in value if type(value) is list else (value,):
                pairs.append(
                    [key, scalars.text(one, MAX_TEXT, "request.query_string", notes) or ""]
                )
    else:
        pairs = [[pair[0] or "", pair[1] or ""] for pair in query if len(pair) == 2]
    return _limited(pairs, "request.query_string", notes)


def _unquoted(text: str) -> str:
    return unquote_plus(text, errors="replace") if "%" in text or "+" in text else text


def _cookie_pairs(cookies: str | dict[str, str | None] | Pairs, notes: Notes) -> Pairs:
    pairs: Pairs = []
    if isinstance(cookies, str):
        for part in cookies.split(";", MAX_PAIRS + 1):
            key, _, value = part.strip().partition("=")
            if key:
                pairs.append([key, value.strip('"')])
    else:
        for pair in _items(cookies):
            if len(pair) == 2 and pair[0]:
                pairs.append([pair[0], pair[1] or ""])
    return _limited(pairs, "request.cookies", notes)


def _limited(pairs: Pairs, path: str, notes: Notes) -> Pairs:
    if len(pairs) > MAX_PAIRS:
        notes.add("too_many", path, f"only the first {MAX_PAIRS} kept")
        return pairs[:MAX_PAIRS]
    return pairs


def _finish_body(request: dict[str, Any], notes: Notes) -> None:
    """A text body as what it encodes, by its first character and the content type."""
    body = request["data"]
    content_type = (header(request, "Content-Type") or "").partition(";")[0].strip().lower()
    if len(body) > MAX_BODY:
        return
    if body[:1] in ("{", "[") and (not content_type or content_type.endswith("json")):
        try:
            request["data"] = shallow(msgspec.json.decode(body), "request.data", notes)
        except (ValueError, RecursionError):
            return
        request.setdefault("inferred_content_type", _JSON)
    elif content_type == _FORM and "=" in body:
        pairs = _query_pairs(body, notes)
        request["data"] = dict(pairs)
        request.setdefault("inferred_content_type", _FORM)


def repair_request(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """An object with every field in one of its accepted forms."""
    if isinstance(value, str):
        value = {"url": value}
    raw = scalars.mapping(value, path, notes)
    if raw is None:
        return None
    limits = {
        "url": MAX_PATH,
        "method": MAX_SHORT,
        "fragment": MAX_PATH,
        "inferred_content_type": MAX_SHORT,
    }
    request = scalars.texts(raw, limits, path, notes)
    query = raw.get("query_string")
    if isinstance(query, str):
        request["query_string"] = scalars.text(query, MAX_MESSAGE, f"{path}.query_string", notes)
    elif isinstance(query, dict):
        request["query_string"] = shallow(query, f"{path}.query_string", notes)
    elif query is not None:
        request["query_string"] = _text_pairs(query, MAX_TEXT, f"{path}.query_string", notes)
    cookies = raw.get("cookies")
    if isinstance(cookies, str):
        request["cookies"] = scalars.text(cookies, MAX_MESSAGE, f"{path}.cookies", notes)
    elif cookies is not None:
        request["cookies"] = _text_pairs(cookies, MAX_MESSAGE, f"{path}.cookies", notes)
    headers = raw.get("headers")
    if headers is not None:
        request["headers"] = _text_pairs(headers, MAX_MESSAGE, f"{path}.headers", notes)
    if raw.get("data") is not None:
        request["data"] = shallow(raw["data"], f"{path}.data", notes)
    environ = scalars.mapping(raw.get("env"), f"{path}.env", notes)
    if environ is not None:
        request["env"] = shallow(environ, f"{path}.env", notes)
    return request


def _text_pairs(value: object, limit: int, path: str, notes: Notes) -> Pairs:
    """Pairs of text out of an object, pairs, or values that are lists (repeated headers)."""
    if isinstance(value, list):
        items = [one for one in value if isinstance(one, list) and len(one) == 2]
        if len(items) < len(value):
            notes.add("invalid_data", path, "expected pairs of a name and a value")
    else:
        items = [list(one) for one in (scalars.mapping(value, path, notes) or {}).items()]
    pairs: Pairs = []
    for name, one in items[: MAX_PAIRS + 1]:
        whole = one
        if isinstance(one, list):
            whole = ", ".join(scalars.plain(part) or "" for part in one)
        key = scalars.text(name, MAX_SHORT, path, notes)
        found = scalars.text(whole, limit, path, notes)
        if key and found is not None:
            pairs.append([key, found])
    return pairs
