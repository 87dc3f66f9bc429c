"""Sends envelopes to a DSN over one connection, as an SDK does."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from tracer import __version__, clock
from tracer.errors import Unavailable
from tracer.protocol.dsn import Dsn

_TIMEOUT_S = 30.0
_TRIES = 5

Items = list[tuple[dict[str, Any], bytes]]


class Sender:
    """One connection to the server behind a DSN."""

    def __init__(self, dsn: Dsn) -> None:
        self._place = f"{dsn.scheme}://{dsn.host}"
        self._path = f"{dsn.path.rstrip('/')}/api/{dsn.project_id}/envelope/"
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "Content-Encoding": "gzip",
            "User-Agent": f"tracer.demo/{__version__}",
            "X-Sentry-Auth": "Sentry sentry_version=7, "
            f"sentry_client=tracer.demo/{__version__}, sentry_key={dsn.public_key}",
        }
        secure = dsn.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(dsn.host, timeout=_TIMEOUT_S)

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def send(self, event_id: str, items: Items) -> None:
        """One envelope; waits and repeats while the server is busy. Raises Unavailable."""
        body = gzip.compress(_envelope(event_id, items), 1)
        for attempt in range(_TRIES):
            status, answer, wait_s = self._post(body)
            if status == 200:
                return
            if status not in (429, 503):
                raise Unavailable(f"{self._place} refused an event: {status} {answer}")
            time.sleep(min(wait_s, 1 + attempt))
        raise Unavailable(f"{self._place} is too busy to take more: {answer}")

    def _post(self, body: bytes) -> tuple[int, str, float]:
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read().decode("utf-8", "replace")[:300]
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._place} cannot be reached: {error}") from None
        wait = response.headers.get("Retry-After", "1")
        return response.status, answer, float(wait) if wait.isdigit() else 1.0


def _envelope(event_id: str, items: Items) -> bytes:
    sent_at = datetime.fromtimestamp(clock.now_s(), UTC).isoformat()
    lines = [json.dumps({"event_id": event_id, "sent_at": sent_at}).encode()]
    for headers, payload in items:
        lines += [json.dumps({**headers, "length": len(payload)}).encode(), payload]
    return b"\n".join(lines) + b"\n"
