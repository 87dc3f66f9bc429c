"""Content-addressed files."""

from __future__ import annotations

import hashlib
import os
import resource
from pathlib import Path

import pytest

from tracer.errors import Invalid, NotFound, Unavailable
from tracer.storage.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def files(blobs: Blobs, folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("data", "suffix"),
    [(b"", ""), (b"x", ""), (b"log line\n" * 5000, ".zst"), (os.urandom(50_000), "")],
    ids=["empty", "tiny", "text", "random"],
)
def test_bytes_come_back_and_are_compressed_where_it_helps(
    blobs: Blobs, tmp_path: Path, data: bytes, suffix: str
) -> None:
    digest = blobs.put(data)

    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.open(digest) == data
    assert blobs.exists(digest)
    (path,) = files(blobs, tmp_path)
    assert path.relative_to(tmp_path / "blobs") == Path(digest[:2], digest[2:] + suffix)
    assert path.stat().st_size <= len(data)


def test_the_same_bytes_are_stored_once(blobs: Blobs, tmp_path: Path) -> None:
    first = blobs.put(b"same" * 100)
    (path,) = files(blobs, tmp_path)
    written = path.stat().st_mtime_ns
    assert blobs.put(b"same" * 100) == first
    (path,) = files(blobs, tmp_path)
    assert path.stat().st_mtime_ns == written


def test_a_deleted_blob_is_gone_and_can_be_put_again(blobs: Blobs) -> None:
    digest = blobs.put(b"x")
    assert blobs.delete(digest) is True
    assert blobs.delete(digest) is False
    assert not blobs.exists(digest)
    with pytest.raises(NotFound):
        blobs.open(digest)
    assert blobs.put(b"x") == digest
    assert blobs.open(digest) == b"x"


@pytest.mark.parametrize(
    "name", ["", "ab", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "a/" * 32]
)
def test_only_digests_name_files(blobs: Blobs, name: str) -> None:
    for use in (blobs.open, blobs.exists, blobs.delete):
        with pytest.raises(Invalid):
            use(name)


@pytest.mark.parametrize("data", [b"log line\n" * 5000, os.urandom(5000)], ids=["zst", "plain"])
def test_a_damaged_file_is_not_served(blobs: Blobs, tmp_path: Path, data: bytes) -> None:
    digest = blobs.put(data)
    (path,) = files(blobs, tmp_path)
    changed = bytearray(path.read_bytes())
    changed[-2] ^= 0xFF
    path.write_bytes(changed)
    with pytest.raises(Invalid, match=f"{digest} is damaged"):
        blobs.open(digest)


def test_a_full_disk_leaves_nothing_behind(blobs: Blobs, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    data = os.urandom(300_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(Unavailable) as refusal:
            blobs.put(data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refusal.value.retry_after_s
    assert files(blobs, tmp_path) == []
    assert blobs.open(blobs.put(data)) == data
