"""A server in a process of its own, for what only a process can show, and the command line."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tracer.cli import main

START_S = 20.0


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cli(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a `tracer` command to its end, in this process."""
    wanted = {name: None for name in os.environ if name.startswith("TRACER_")}
    runner = CliRunner(env={**wanted, **(env or {})})
    return runner.invoke(main, arguments, input=stdin)


def clean_environment() -> dict[str, str]:
    """The environment without any setting of tracer, and with bytecode, as when installed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "tracer-bytecode"))}


class Served:
    """`tracer serve` in a process of its own; `banner` is what it printed."""

    def __init__(self, data: Path, *flags: str) -> None:
        self.port = free_port()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tracer", "serve", "--port", str(self.port)),
                *("--data", str(data), *flags),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment() | {"TRACER_DISK_FLOOR_BYTES": "0"},
        )
        self.banner = ""
        self.errors = ""
        self._wait()
        self.ready_s = time.monotonic() - self.started

    def _wait(self) -> None:
        while time.monotonic() < self.started + START_S:
            if self.process.poll() is not None:
                out, err = self.process.communicate()
                raise AssertionError(f"the server ended: {out}{err}")
            try:
                if self.get("/up").status == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the server did not start")

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def get(self, path: str, **headers: str) -> Any:
        """GET on a new connection, the body read into `.text`."""
        return self.request("GET", path, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            response.text = response.read().decode()  # type: ignore[attr-defined]
            return response
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        self.banner, self.errors = self.process.communicate(timeout=20)
        return self.process.returncode

    def kill(self) -> None:
        """End it without ceremony, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def login(server: Served, email: str, password: str) -> str:
    """Log in through the form; the value for the Cookie header."""
    form = server.get("/login")
    visit = form.headers["set-cookie"].partition(";")[0]
    token = re.search(r'X-CSRF-Token": ?"([^"]+)"', form.text)
    assert token, form.text
    answer = server.request(
        "POST",
        "/login",
        f"email={email}&password={password}".encode(),
        {
            "Cookie": visit,
            "X-CSRF-Token": token[1],
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    assert answer.status == 303, answer.text
    return str(answer.headers["set-cookie"].partition(";")[0])


def read_json(result: Result) -> Any:
    """What a successful command printed."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
