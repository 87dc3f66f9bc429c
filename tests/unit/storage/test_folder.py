"""The data folder and its lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.errors import Conflict, Invalid
from tracer.storage.folder import Folder, Holder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "deep" / "data")
    yield folder
    folder.unlock()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_folder_is_made_for_its_owner_only(folder: Folder) -> None:
    assert folder.is_new
    assert not folder.path.exists()
    folder.lock("http://127.0.0.1:9000")
    assert {mode(folder.path), mode(folder.blobs), mode(folder.temp)} == {0o700}


def test_an_empty_folder_is_closed_to_others_and_a_foreign_one_left_as_it_is(
    tmp_path: Path,
) -> None:
    for name in ("empty", "home"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    (tmp_path / "home" / "letter.txt").write_text("x")
    for name, expected in (("empty", 0o700), ("home", 0o755)):
        folder = Folder(tmp_path / name)
        folder.lock()
        assert mode(folder.path) == expected
        folder.unlock()


def test_a_second_holder_is_told_who_has_it(folder: Folder) -> None:
    folder.lock("http://127.0.0.1:9000")
    with pytest.raises(Conflict) as refusal:
        Folder(folder.path).lock("http://127.0.0.1:9001")
    assert refusal.value.detail == (
        f"The data folder {folder.path} is already in use by "
        f"tracer (pid {os.getpid()}, http://127.0.0.1:9000)"
    )
    assert Folder(folder.path).holder() == Holder(os.getpid(), "http://127.0.0.1:9000")


def test_the_url_can_be_named_later(folder: Folder) -> None:
    folder.lock()
    folder.name_holder("http://a-rather-long-name.example.com:9000")
    folder.name_holder("http://b")
    assert folder.holder() == Holder(os.getpid(), "http://b")


def test_a_folder_let_go_can_be_held_again(folder: Folder) -> None:
    folder.lock("http://a")
    folder.unlock()
    assert folder.holder() is None
    other = Folder(folder.path)
    other.lock("http://b")
    other.unlock()


def test_a_killed_process_holds_nothing(folder: Folder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tracer.storage.folder import Folder\n"
        f"Folder(Path({str(folder.path)!r})).lock('http://child')\n"
        "print('held', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert folder.holder() == Holder(child.pid, "http://child")
    with pytest.raises(Conflict, match=f"pid {child.pid}, http://child"):
        folder.lock()

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    assert folder.holder() is None
    folder.lock("http://a")


def test_nobody_holds_a_folder_that_is_not_there(folder: Folder) -> None:
    assert folder.holder() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Invalid, match=r"file/data cannot be written: Not a directory"):
        Folder(tmp_path / "file" / "data").lock()


def test_scratch_files_of_the_last_run_are_gone_after_lock(folder: Folder) -> None:
    folder.lock()
    (folder.temp / "left.tmp").write_text("x")
    folder.unlock()
    folder.lock()
    assert not list(folder.temp.iterdir())


def test_the_secret_is_made_once_and_kept_private(folder: Folder) -> None:
    folder.lock()
    secret = folder.secret()
    assert len(secret) == 32
    assert folder.secret() == Folder(folder.path).secret() == secret
    assert mode(folder.path / "secret") == 0o600
