"""The floor to compare with: an endpoint that only reads the body, appends it to a file and fsyncs.

Same server (granian, embedded, on uvloop), same group commit (no fixed window: the next fdatasync
starts when the last one ended), nothing else: no keys, no limits, no look at the body.

    python -m bench.floor PORT FILE
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections import deque
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


class Writer(threading.Thread):
    """Appends bodies to one file; one fdatasync for all that came in during the last."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._waiting: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._wake = threading.Event()

    async def append(self, body: bytes) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((body, done))
        self._wake.set()
        await done

    def run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(len(self._waiting))]
                os.writev(self._file, [body for body, _ in group][:1000])
                os.fdatasync(self._file)
                group[0][1].get_loop().call_soon_threadsafe(_resolve, [done for _, done in group])


def _resolve(group: list[asyncio.Future[None]]) -> None:
    for done in group:
        done.set_result(None)


def make_app(writer: Writer) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        await writer.append(body)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": b"{}"})

    return app


async def main(port: int, path: str) -> None:
    writer = Writer(path)
    writer.start()
    server = Server(make_app(writer), port=port, interface=Interfaces.ASGI, log_enabled=False)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
