"""The control socket between a command and a running server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracer.errors import Conflict, Invalid
from tracer.kit.control import Control, call


def refuse(**_: Any) -> dict[str, Any]:
    raise Invalid("Not like this.")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "control.sock"
    commands = {"echo": lambda **given: given, "refuse": refuse, "bug": lambda: {"x": 1 / 0}}
    control = Control(path, commands)
    control.start()
    yield path
    control.stop()
    assert not path.exists()


def test_command_is_answered_with_its_result(path: Path) -> None:
    assert call(path, "echo", a=1, b=["ü"]) == {"a": 1, "b": ["ü"]}


def test_only_the_owner_may_connect(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_refusal_comes_back_with_its_reason(path: Path) -> None:
    with pytest.raises(Conflict, match="Not like this"):
        call(path, "refuse")
    with pytest.raises(Conflict, match="does not know"):
        call(path, "shutdown")


def test_bug_is_logged_there_and_told_here(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Conflict, match="log says why"):
        call(path, "bug")
    assert "division by zero" in caplog.text
    assert call(path, "echo") == {}


@pytest.mark.parametrize(
    "line", [b"\n", b"nonsense\n", b"[]\n", b'{"command": 7}\n', b"x" * 70_000]
)
def test_nonsense_does_not_end_it(
    path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(line)
        connection.recv(1000)
    assert call(path, "echo", a=1) == {"a": 1}


def test_nobody_listening_is_none(tmp_path: Path) -> None:
    assert call(tmp_path / "control.sock", "echo") is None
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead.sock"))
    dead.close()
    assert call(tmp_path / "dead.sock", "echo") is None


def test_long_paths_work(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    control = Control(folder / "control.sock", {"echo": lambda **given: given})
    control.start()
    assert call(folder / "control.sock", "echo", a=1) == {"a": 1}
    control.stop()
