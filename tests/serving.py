"""A real `tracer serve` in a process of its own, and the command line, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tracer.cli import main

PASSWORD = "correct horse battery"
EMAIL = "owner@example.com"
ORGANIZATION = "acme"
PROJECT = "shop"
SCOPES = ("event:read", "event:write", "event:admin", "project:read", "project:write", "org:read")
TRACER = str(Path(sys.executable).parent / "tracer")


@dataclass
class Server:
    """One tracer on a folder of its own. `process` is None while it is not running."""

    folder: Path
    port: int
    settings: Mapping[str, object]
    dsn: str = ""
    project_id: int = 0
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    exit_code: int | None = None
    started_s: float = 0.0
    cookies: dict[str, str] = field(default_factory=dict)
    #: A command that runs the server, such as one that gives it a small disk.
    wrapper: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def key(self) -> str:
        return self.dsn.split("//")[1].split("@")[0]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def environment(self) -> dict[str, str]:
        """No settings but the chosen ones; and bytecode, as when installed."""
        chosen = {f"TRACER_{name.upper()}": str(value) for name, value in self.settings.items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        bytecode = str(Path(tempfile.gettempdir(), "tracer-bytecode"))
        return {**inherited, "PYTHONPYCACHEPREFIX": bytecode, **chosen}

    def cli(self, *arguments: str, stdin: str = "") -> Result:
        """A command of the CLI on this folder."""
        here = {"TRACER_DATA": str(self.data), "TRACER_PORT": str(self.port)}
        return cli(*arguments, stdin=stdin, env=here)

    def start(self) -> None:
        """Start serving; returns when requests are accepted and it has said so."""
        began = time.monotonic()
        where = ("--port", str(self.port), "--data", str(self.data))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, TRACER, "serve", *where],
                env=self.environment(),
                stdout=log,
                stderr=log,
            )
        while True:
            if self.process.poll() is not None or time.monotonic() - began > 30:
                raise RuntimeError("the server did not start:\n" + self.log())
            with contextlib.suppress(OSError):
                if self.get("/up")[0] == 200 and self.url in self.log():
                    break
            time.sleep(0.02)
        self.started_s = time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL, as a power cut would; nothing if it does not run."""
        if self.process is not None:
            self.process.kill()
            self.exit_code = self.process.wait()
            self.process = None

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; seconds until the process ended, its `exit_code` is kept."""
        began = time.monotonic()
        if self.process is not None:
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.exit_code = self.process.wait(20)
                self.process = None
        self.kill()
        return time.monotonic() - began

    def log(self) -> str:
        """What was printed and logged since the last start."""
        return (self.folder / "log").read_text(errors="replace")

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    @property
    def cookie(self) -> str:
        """The value of the Cookie header that a browser would send."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] = {},
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own; cookies are kept once `login` was called."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {"Cookie": self.cookie, **headers})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data

    def get(self, path: str) -> tuple[int, bytes]:
        status, _, data = self.request("GET", path)
        return status, data

    def api(self, path: str) -> Any:
        """A JSON answer of the web API."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        status, _, data = self.request("GET", path, headers=bearer)
        assert status == 200, (path, status, data[:300])
        return json.loads(data)

    def login(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Log in through the form, as a person does."""
        _, page = self.get("/login")
        csrf = re.search(rb'name="csrf" value="([^"]+)"', page)
        assert csrf is not None, page
        fields = {"csrf": csrf[1].decode(), "email": email, "password": password}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, _ = self.request("POST", "/login", urllib.parse.urlencode(fields), kind)
        assert status == 303, status

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the meta database, read beside the running server."""
        import apsw

        path = str(self.data / "meta.db")
        with contextlib.closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as meta:
            meta.set_busy_timeout(5000)
            return list(meta.execute(sql, values))

    def stored(self) -> int:
        """How many events the issues count."""
        return int(self.rows("SELECT coalesce(sum(event_count), 0) FROM issues")[0][0])

    def settle(self, events: int, limit_s: float = 60) -> float:
        """Wait until `events` are stored; seconds that it took."""
        began = time.monotonic()
        while (stored := self.stored()) < events:
            if time.monotonic() - began > limit_s:
                raise RuntimeError(f"{stored} of {events} events stored after {limit_s} s")
            time.sleep(0.05)
        return time.monotonic() - began


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cli(*arguments: str, stdin: str = "", env: Mapping[str, str] = {}) -> Result:
    """Run a `tracer` command to its end, in this process."""
    unset = {name: None for name in os.environ if name.startswith("TRACER_")}
    return CliRunner(env={**unset, **env}).invoke(main, arguments, input=stdin)


def read_json(result: Result) -> Any:
    """What a successful command printed."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@contextlib.contextmanager
def tracer(**settings: object) -> Iterator[Server]:
    """tracer on an empty folder, set up and started; settings as in `TRACER_*`."""
    folder = Path(tempfile.mkdtemp(prefix="tracer-test-"))
    server = Server(folder, free_port(), settings)
    try:
        set_up(server)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def untouched(folder: Path) -> Iterator[Server]:
    """tracer started for the first time in `folder`; nobody can log in yet."""
    server = Server(folder, free_port(), {"disk_floor_bytes": 0, "spike_floor_events": 0})
    try:
        server.start()
        yield server
    finally:
        server.kill()


def set_up(server: Server) -> None:
    """Make user, organization, project and an API token on the server's folder."""
    made = read_json(
        server.cli(
            *("setup", "--email", EMAIL, "--password-stdin", "--json"),
            *("--org", ORGANIZATION, "--project", PROJECT),
            stdin=PASSWORD,
        )
    )
    server.dsn, server.project_id = made["dsn"], int(made["project_id"])
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    create = ("token", "create", "--email", EMAIL, "--json")
    server.token = read_json(server.cli(*create, *scopes))["token"]
