"""Requests as the server hands them to the application: in process, without a client's manners.

Nothing is normalised on the way: paths, header values and bodies arrive as they are written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from tracer.kit.site import Site

HOST = "testserver"
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` are lower-case names with their values, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value under a name, or ""."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value under a name."""
        return [value for key, value in self.headers if key == name]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Door:
    """Asks one application, one request after the other."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """No further requests."""
        self._loop.close()

    def ask(
        self,
        method: str,
        target: str,
        headers: Headers = (),
        *,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        body: bytes = b"",
        address: str = "127.0.0.1",
    ) -> Answer:
        """The answer to one request; a live one is left as soon as it begins."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        kind = ""
        if form is not None:
            body = urlencode(form, doseq=True).encode()
            kind = "application/x-www-form-urlencoded"
        elif json is not None:
            body, kind = msgspec.json.encode(json), "application/json"
        given = {name.lower() for name, _ in pairs}
        if kind and "content-type" not in given:
            pairs.append(("content-type", kind))
        if "host" not in given:
            pairs.insert(0, ("host", HOST))
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in pairs],
            "client": (address, 40000),
        }
        return self._loop.run_until_complete(_exchange(self._site, scope, body))


async def _exchange(site: Site, scope: dict[str, Any], body: bytes) -> Answer:
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    status, headers, chunks = 0, (), []
    # An answer that does not end is left once it has begun.
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = tuple(
                (k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in message["headers"]
            )
            if ("content-type", "text/event-stream") in [(k, v[:17]) for k, v in headers]:
                over.set()
        else:
            chunks.append(message.get("body", b""))

    await site(scope, receive, send)
    return Answer(status, headers, b"".join(chunks))
