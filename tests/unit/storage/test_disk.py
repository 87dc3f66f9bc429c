"""The floor of the file systems that hold the data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracer.storage.disk import Floor

GIB = 1 << 30


def a_disk(monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
    status = list(os.statvfs("/"))
    status[1], status[2], status[4] = 4096, total // 4096, free // 4096
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(status))


@pytest.mark.parametrize(
    ("total", "free", "is_low"),
    [
        (4 * GIB, GIB // 4, False),
        (4 * GIB, GIB // 6, True),
        (500 * GIB, 3 * GIB, False),
        (500 * GIB, GIB, True),
    ],
)
def test_the_less_of_bytes_and_share_is_the_floor(monkeypatch, tmp_path, total, free, is_low):
    a_disk(monkeypatch, total, free)
    floor = Floor([tmp_path], 2 * GIB, 5)
    found = floor.look()
    assert (found is not None) is is_low
    assert floor.low is found
    if found is not None:
        assert str(tmp_path) in found.text


def test_space_must_come_back_to_more_than_the_floor(monkeypatch, tmp_path):
    floor = Floor([tmp_path], 2 * GIB, 100)
    seen = []
    for free in (GIB, 2 * GIB + 4096, 2 * GIB + GIB // 4, 2 * GIB + 4096):
        a_disk(monkeypatch, 100 * GIB, free)
        seen.append(floor.look() is not None)
    assert seen == [True, True, False, False]


def test_a_second_file_system_counts_too(monkeypatch, tmp_path):
    here = tmp_path.stat().st_dev
    other = next(p for p in map(Path, ("/dev/shm", "/", "/proc")) if p.stat().st_dev != here)
    real = os.statvfs
    full = list(real(other))
    full[4] = 0

    def statvfs(path):
        return os.statvfs_result(full) if Path(path) == other else real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    link = tmp_path / "blobs"
    link.symlink_to(other)
    assert Floor([tmp_path], 1, 100).look() is None
    found = Floor([tmp_path, other], GIB, 100).look()
    assert found is not None
    assert found.path == other


def test_a_file_that_is_not_made_yet_is_looked_for_in_its_folder(tmp_path):
    assert Floor([tmp_path / "not" / "there.db"], 0, 5).look() is None


def test_a_file_system_that_cannot_be_asked_is_low(monkeypatch, tmp_path):
    def broken(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    found = Floor([tmp_path], 1, 5).look()
    assert found is not None
    assert "Input/output error" in found.text
