"""The two servers that are measured: tracer, and the floor to compare it with."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from serving import Server, free_port, tracer

__all__ = ["Server", "floor", "tracer"]


@contextlib.contextmanager
def floor() -> Iterator[Server]:
    """The bare endpoint of `bench.floor`."""
    folder = Path(tempfile.mkdtemp(prefix="tracer-test-"))
    server = Server(folder, free_port(), {})
    server.dsn = f"http://{'0' * 32}@127.0.0.1:{server.port}/1"
    server.process = subprocess.Popen(
        [sys.executable, "-m", "bench.floor", str(server.port), str(folder / "bodies")]
    )
    try:
        _wait_port(server.port)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the floor did not come up")
