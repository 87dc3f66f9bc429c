"""Text that means to become markup or script, an event that has it everywhere, and what looks for
traces of it in a page."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

#: Its element, attribute and function occur nowhere else. In a page it may only be text.
EVIL = (
    "evil</title></textarea></script>\"'><xss-probe xssprobe=1><script>evil()</script>"
    "<img src=x onerror=evil()><svg/onload=evil()>{{evil()}}${evil()}`evil()`"
)
URL = "javascript:evil()//\"'><xss-probe xssprobe=1>"

_FRAME: dict[str, Any] = {
    "filename": "shop/cart.py",
    "abs_path": "/srv/shop/cart.py",
    "module": "shop.cart",
    "function": "add",
    "raw_function": "add()",
    "package": "/usr/lib/libshop.so",
    "platform": "python",
    "lineno": 12,
    "colno": 3,
    "context_line": "    raise error",
    "pre_context": ["def add(cart):", "    # here"],
    "post_context": ["", "# end"],
    "in_app": True,
    "vars": {"cart": "<Cart 7>", "nested": {"key": ["value"]}},
    "instruction_addr": "0x1000",
    "addr_mode": "rel:0",
    "image_addr": "0x0",
    "symbol_addr": "0x2000",
    "symbol": "add",
    "trust": "scan",
    "lock": {"type": 1, "address": "0x1", "package_name": "p", "class_name": "c", "thread_id": "1"},
}
_STACK: dict[str, Any] = {
    "frames": [_FRAME, {**_FRAME, "in_app": False}],
    "registers": {"rax": "1"},
}

#: Every interface of an event with every field that is text.
EVENT: dict[str, Any] = {
    "platform": "python",
    "level": "error",
    "logger": "shop.log",
    "transaction": "/checkout",
    "server_name": "web-1",
    "release": "shop@1.0",
    "dist": "7",
    "environment": "production",
    "type": "error",
    "culprit": "shop.cart in add",
    "message": "broken",
    "logentry": {"message": "broken %s", "formatted": "broken cart", "params": ["cart"]},
    "exception": {
        "values": [
            {
                "type": "StockError",
                "value": "none left",
                "module": "shop.errors",
                "thread_id": "1",
                "mechanism": {
                    "type": "generic",
                    "description": "what caught it",
                    "help_link": "https://shop.example/help",
                    "source": "__cause__",
                    "handled": False,
                    "data": {"key": "value"},
                    "meta": {
                        "signal": {"number": 11, "code": 0, "name": "SIGSEGV", "code_name": "C"},
                        "errno": {"number": 2, "name": "ENOENT"},
                    },
                },
                "stacktrace": _STACK,
                "raw_stacktrace": _STACK,
            }
        ]
    },
    "threads": {
        "values": [
            {"id": "1", "name": "main", "state": "RUNNABLE", "crashed": True, "stacktrace": _STACK}
        ]
    },
    "breadcrumbs": {
        "values": [
            {
                "type": "http",
                "category": "fetch",
                "level": "info",
                "message": "asked",
                "timestamp": 1.0,
                "event_id": "a" * 32,
                "data": {"url": "https://shop.example/", "method": "GET", "reason": "r"},
            }
        ]
    },
    "request": {
        "url": "https://shop.example/cart?a=b#c",
        "method": "POST",
        "query_string": "a=b",
        "fragment": "c",
        "cookies": {"theme": "dark"},
        "headers": {"User-Agent": "Mozilla/5.0", "Referer": "https://shop.example/", "Host": "h"},
        "data": {"field": "text", "list": ["text"]},
        "env": {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "web"},
        "inferred_content_type": "application/json",
    },
    "user": {
        "id": "42",
        "email": "ada@shop.example",
        "username": "ada",
        "name": "Ada",
        "ip_address": "127.0.0.1",
        "segment": "beta",
        "geo": {"country_code": "DE", "city": "Bonn", "region": "NRW"},
        "data": {"plan": "free"},
    },
    "contexts": {
        "browser": {"type": "browser", "name": "Firefox", "version": "130"},
        "os": {
            "name": "Linux",
            "version": "6",
            "build": "b",
            "kernel_version": "k",
            "raw_description": "r",
        },
        "device": {
            "family": "f",
            "model": "m",
            "model_id": "i",
            "arch": "x86",
            "brand": "b",
            "name": "n",
        },
        "runtime": {"name": "CPython", "version": "3.13", "raw_description": "r"},
        "app": {"app_name": "shop", "app_version": "1", "app_identifier": "i", "build_type": "b"},
        "trace": {"trace_id": "a" * 32, "span_id": "b" * 16, "op": "http", "status": "ok"},
        "gpu": {"name": "g", "vendor_name": "v", "driver_type": "d"},
        "response": {"status_code": 500, "headers": {"Server": "s"}, "data": "d"},
        "flags": {"values": [{"flag": "new-cart", "result": True}]},
        "mine": {"type": "default", "key": "value", "nested": {"deep": ["text"]}},
    },
    "tags": {"cart.kind": "large", "region": "eu"},
    "extra": {"why": "because", "more": {"list": ["text"]}},
    "modules": {"django": "5.1"},
    "fingerprint": ["same"],
    "sdk": {
        "name": "sentry.python",
        "version": "2.0.0",
        "integrations": ["django"],
        "packages": [{"name": "pypi:sentry-sdk", "version": "2"}],
    },
    "debug_meta": {
        "images": [
            {
                "type": "elf",
                "code_file": "/bin/shop",
                "debug_file": "d",
                "debug_id": "i",
                "arch": "x",
            }
        ]
    },
    "errors": [{"type": "invalid_data", "name": "n", "value": "v"}],
}

CSP = {
    "csp-report": {
        "document-uri": "https://shop.example/",
        "referrer": "https://shop.example/r",
        "violated-directive": "img-src",
        "effective-directive": "img-src",
        "original-policy": "img-src 'self'",
        "blocked-uri": "https://cdn.example/x.png",
        "source-file": "https://shop.example/app.js",
        "script-sample": "eval(1)",
        "status-code": 200,
        "disposition": "enforce",
    }
}


def poisoned(event: dict[str, Any], at_once: int = 4) -> Iterator[tuple[str, dict[str, Any]]]:
    """(places, the event with hostile text in these few), so that each text and key is one of them.

    Places of one event are far apart: what is wrong with one must not hide another.
    """
    puts = [
        (path, text)
        for path in _texts(event)
        for text in ((EVIL, URL) if _is_address(path) else (EVIL,))
    ]
    puts += [((*path, EVIL), EVIL) for path in _KEYED]
    events = -(-len(puts) // at_once)
    for first in range(events):
        changed, names = copy.deepcopy(event), []
        for path, text in puts[first::events]:
            _put(changed, path, text)
            names.append(".".join(str(step)[:20] for step in path))
        yield " ".join(names), changed


#: Objects whose keys are free.
_KEYED: tuple[tuple[Any, ...], ...] = (
    ("tags",),
    ("extra",),
    ("modules",),
    ("contexts",),
    ("contexts", "mine"),
    ("request", "headers"),
    ("request", "cookies"),
    ("request", "env"),
    ("request", "data"),
    ("user",),
    ("user", "data"),
    ("exception", "values", 0, "mechanism", "data"),
    ("exception", "values", 0, "stacktrace", "frames", 0, "vars"),
    ("breadcrumbs", "values", 0, "data"),
)


def everywhere(value: Any) -> Any:
    """The same shape with hostile text in place of every text."""
    if isinstance(value, dict):
        return {key: everywhere(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [everywhere(entry) for entry in value]
    return EVIL if isinstance(value, str) else value


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    elif isinstance(value, str):
        yield path
    for key, entry in entries:
        yield from _texts(entry, (*path, key))


def _is_address(path: tuple[Any, ...]) -> bool:
    name = str(path[-1]).lower()
    return any(word in name for word in ("url", "uri", "link", "path", "file", "referer", "source"))


def _put(place: Any, path: tuple[Any, ...], text: str) -> None:
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text


# Looking at pages ------------------------------------------------------------------------------

_ADDRESSES = {"href", "src", "action", "formaction", "poster", "data", "srcdoc", "xlink:href"}
#: Attributes that a script of the page would run or parse.
_RUN = ("on", "hx-on", "hx-vals", "hx-vars", "hx-headers", "hx-trigger", "style", "srcdoc")


class Page(HTMLParser):
    """What of a page is hostile. `text` is what a reader sees of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if "xss" in tag or "evil" in tag:
            self.wrong.append(f"<{tag}>")
        names = [name for name, _ in attributes]
        if tag == "script" and "src" not in names:
            self.wrong.append("an inline script")
        if len(set(names)) != len(names):
            self.wrong.append(f"<{tag}> has an attribute twice: {names}")
        for name, value in attributes:
            text = (value or "").strip().lower()
            if "xss" in name or "evil" in name or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}>")
            if name in _ADDRESSES and text.startswith(("javascript:", "vbscript:", "data:text")):
                self.wrong.append(f"<{tag} {name}={text[:40]!r}>")
            if "evil" in text and name.startswith(_RUN):
                self.wrong.append(f"<{tag} {name}={text[:40]!r}>")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        if "evil" in data:
            self.wrong.append("a comment")

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self.wrong.append(f"<!{decl}>")


def wrong_in(html: str) -> list[str]:
    """What of a page came from hostile text and is more than text."""
    return Page(html).wrong
