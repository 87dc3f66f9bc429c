"""Runs the application on granian in this process and loop: signals, start, graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tracer import app
from tracer.errors import Conflict, Invalid, Unavailable
from tracer.kit import interpreter
from tracer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = logging.getLogger("tracer.serve")

BACKLOG = 1024
#: Files that are open besides connections: stores, their journals, pipes of processes.
FILES = 256
#: Requests under way get this long; the stores then have the rest of the five seconds.
DRAIN_S = 1.5
#: After this long it ends in any case: what was acknowledged is on disk.
GIVE_UP_S = 4.5


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Conflict or Invalid says why it cannot."""
    address = probe(settings.host, settings.port)
    connections = _allow_connections(settings.max_connections)
    interpreter.tune()
    _run(_serve(app.build(settings), address, connections))


def probe(host: str, port: int) -> str:
    """The numeric address to listen on; IPv4 if a name has both.

    Conflict when the port is in use, Invalid when the address is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, address = min(found, key=lambda f: f[0] != socket.AF_INET)
        with socket.socket(family, kind, proto) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            return str(address[0])
    except (OSError, OverflowError) as error:
        code = getattr(error, "errno", None)
        if code == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} on {host} is already in use; choose another --port."
            ) from None
        if code == errno.EACCES:
            raise Invalid(f"Port {port} may not be used without more rights.") from None
        raise Invalid(f"Cannot listen on {host} port {port}: {error}") from None


async def _serve(application: app.Application, address: str, connections: int) -> None:
    stopping = asyncio.Event()
    _on_signals(stopping)
    tracer = await application.site.startup()
    interpreter.settle()
    server = _server(application, address, connections)
    serving = asyncio.create_task(server.serve())
    try:
        await _until_listening(address, application.settings.port, serving)
        if application.founded is not None:
            waiting = tracer.spool.depth
            colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            data = str(application.folder.path)
            print(app.greet(application.founded, data, waiting, colour=colour), flush=True)
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({stop, serving}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not stopping.is_set():
            raise Unavailable(f"The server ended by itself: {serving.exception()}")
        log.info("stopping")
    finally:
        _end_in_any_case()
        tracer.closing = True
        tracer.live.stop()
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(serving), DRAIN_S)
        await application.site.shutdown()
        log.info("stopped")


def _server(application: app.Application, address: str, connections: int) -> Server:
    settings = application.settings
    return Server(
        application.site,
        address=address,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.idle_timeout_s * 1000, max_buffer_size=64 * 1024
        ),
        websockets=False,
        backlog=BACKLOG,
        backpressure=connections,
        log_enabled=settings.log_level == "debug",
        log_dictconfig=_GRANIAN_LOGS,
    )


_GRANIAN_LOGS: dict[str, Any] = {
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}},
}


def _end_in_any_case() -> None:
    def give_up() -> None:
        log.warning("something did not stop in time; it is ended now, nothing accepted is lost")
        os._exit(1)

    timer = threading.Timer(GIVE_UP_S, give_up)
    timer.daemon = True
    timer.start()


def _allow_connections(wanted: int) -> int:
    """Raise the limit on open files as far as it may be; how many connections fit in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted + FILES
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    if files < wanted + FILES:
        log.warning("only %d files may be open: raise the limit for %d connections", files, wanted)
    return max(files - FILES, files // 2)


def _on_signals(stopping: asyncio.Event) -> None:
    """The first signal stops gracefully, the second at once."""
    loop = asyncio.get_running_loop()

    def hear(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hear, number)


async def _until_listening(address: str, port: int, serving: asyncio.Task[None]) -> None:
    """Return once a connection is accepted; Conflict when the server ended instead."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
    for _ in range(200):
        if serving.done():
            raise Conflict(f"Cannot listen on {address} port {port}: {serving.exception()}")
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.01)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop; it has no build for Windows."""
    if sys.platform == "win32":
        asyncio.run(main)
    else:
        import uvloop

        uvloop.run(main)
