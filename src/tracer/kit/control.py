"""The control socket: how a command beside a running server has the server do the work.

One JSON object a line, on a unix socket in the data folder that only its owner may open.
"""

from __future__ import annotations

import logging
import os
import pwd
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tracer.errors import Conflict, Problem, Unavailable
from tracer.kit import audit

log = logging.getLogger("tracer.control")

MAX_BYTES = 64 * 1024
CALL_TIMEOUT_S = 30.0
_MAX_PATH = 100
_CREDENTIALS = struct.Struct("3i")  # process, user and group, as Linux tells them

Command = Callable[..., Mapping[str, Any]]


class Control:
    """Answers commands on one thread, one at a time."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = dict(commands)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._is_stopping = False

    def start(self) -> None:
        """Listen. The folder's lock must be held, so that a socket found here is a dead one's."""
        self._path.unlink(missing_ok=True)
        with _address(self._path) as address:
            self._socket.bind(address)
        self._path.chmod(0o600)
        self._socket.listen(8)
        self._thread.start()

    def stop(self) -> None:
        """Finish the command at hand and close."""
        self._is_stopping = True
        try:
            with _connect(self._path, 1.0):
                pass
        except OSError:
            log.debug("the control socket was gone")
        self._thread.join(5)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while not self._is_stopping:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(CALL_TIMEOUT_S)
                try:
                    line = _read_line(connection)
                    if line:
                        answer = self._answer(line, _peer(connection))
                        connection.sendall(msgspec.json.encode(answer) + b"\n")
                except OSError:
                    log.debug("a command went away")

    def _answer(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
            command = self._commands.get(str(request.pop("command", "")))
            if command is None:
                return {"error": "The running server does not know this command."}
            return {"result": _run_as(uid, command, request)}
        except Problem as problem:
            return {"error": problem.detail}
        except Exception:
            log.exception("a command failed")
            return {"error": "The command failed; the server's log says why."}


def run(command: Command, **arguments: Any) -> Mapping[str, Any]:
    """Run a command here; what it changes is recorded as the doing of this process's user."""
    return _run_as(os.getuid(), command, arguments)


def _run_as(uid: int, command: Command, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who is told by the system, not by environment variables, which anybody may set."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"  # as in containers, which know no names
    with audit.acting(audit.Acting("cli", name=name)):
        return command(**arguments)


def call(path: Path, command: str, **arguments: Any) -> Any:
    """Have the running server do it. None when no server listens; Conflict is what it refuses."""
    try:
        connection = _connect(path, CALL_TIMEOUT_S)
    except OSError:
        return None
    with connection:
        try:
            connection.sendall(msgspec.json.encode({"command": command, **arguments}) + b"\n")
            answer = msgspec.json.decode(_read_line(connection) or b"{}", type=dict[str, Any])
        except (OSError, msgspec.DecodeError):
            raise Unavailable("The running server did not answer.") from None
    if "error" in answer:
        raise Conflict(answer["error"])
    if "result" not in answer:
        raise Unavailable("The running server did not answer.")
    return answer["result"]


def _peer(connection: socket.socket) -> int:
    """The user id of who runs the command, where the system tells it; else this process's."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.getuid()
    found = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(found)[1]
    return uid


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        with _address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A socket path short enough for the kernel: a long one goes by the folder's descriptor."""
    if len(os.fsencode(path)) <= _MAX_PATH or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _read_line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) <= MAX_BYTES:
        chunk = connection.recv(8192)
        if not chunk:
            break
        data += chunk
    return data
