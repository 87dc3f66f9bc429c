"""Starting, killing and stopping a real `tracer serve`, for end-to-end tests and benchmarks."""

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
        chosen = {f"TRACER_{name.upper()}": str(value) for name, value in self.settings.items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_")}
        own = {"TRACER_DATA": str(self.data), "TRACER_PORT": str(self.port)}
        return {**inherited, **own, **chosen}

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A command of the CLI on this folder."""
        return subprocess.run(
            [TRACER, *arguments],
            input=given,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self) -> None:
        """Start serving; returns when requests are accepted."""
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, TRACER, "serve"], env=self.environment(), stdout=log, stderr=log
            )
        while True:
            if self.process.poll() is not None or time.monotonic() - began > 30:
                raise RuntimeError("the server did not start:\n" + self.log())
            with contextlib.suppress(OSError):
                if self.get("/up")[0] == 200:
                    break
            time.sleep(0.02)
        self.started_s = time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> float:
        """SIGTERM; seconds until the process ended."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None
        return time.monotonic() - began

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] = {},
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own; cookies are kept once `login` was called."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, {"Cookie": cookies, **headers})
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

    def login(self) -> None:
        """Log in through the form, as a person does."""
        _, page = self.get("/login")
        csrf = re.search(rb'name="csrf" value="([^"]+)"', page)
        assert csrf is not None, page
        fields = {"csrf": csrf[1].decode(), "email": EMAIL, "password": PASSWORD}
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


@contextlib.contextmanager
def tracer(*, start: bool = True, **settings: object) -> Iterator[Server]:
    """tracer on an empty folder, set up with a user and a project; settings as in `TRACER_*`."""
    folder = Path(tempfile.mkdtemp(prefix="tracer-test-"))
    server = Server(folder, free_port(), settings)
    try:
        set_up(server)
        if start:
            server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def set_up(server: Server) -> None:
    """Make user, organization, project and an API token on an empty folder."""
    setup = server.run(
        *f"setup --email {EMAIL} --password-stdin --json".split(),
        *f"--org {ORGANIZATION} --project {PROJECT}".split(),
        given=PASSWORD,
    )
    assert setup.returncode == 0, setup.stderr
    made = json.loads(setup.stdout)
    server.dsn, server.project_id = made["dsn"], int(made["project_id"])
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    token = server.run("token", "create", "--email", EMAIL, "--json", *scopes)
    assert token.returncode == 0, token.stderr
    server.token = json.loads(token.stdout)["token"]
