"""Big bytes in files named by their SHA-256: attachments. Written once, never changed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import zstandard

from tracer.errors import Invalid, NotFound, Unavailable

LEVEL = 3
# Compressed only if it saves at least a tenth.
WORTH = 0.9
RETRY_AFTER_S = 10

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs: `ab/cdef…`, or `ab/cdef….zst` where zstd helps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store bytes, durably, and return their digest. The same bytes twice are stored once.

        Raises Unavailable when the disk is full.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self._find(digest) is not None:
            return digest
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(data)
        plain, zst = self._names(digest)
        try:
            if len(packed) < len(data) * WORTH:
                _write(zst, packed)
            else:
                _write(plain, data)
        except OSError as error:
            raise Unavailable(
                f"The file cannot be stored: {error.strerror}", retry_after_s=RETRY_AFTER_S
            ) from error
        return digest

    def open(self, digest: str) -> bytes:
        """The bytes. Raises NotFound, and Invalid when the file no longer has this digest."""
        path = self._find(digest)
        if path is None:
            raise NotFound("This file is no longer kept")
        data = path.read_bytes()
        if path.suffix == ".zst":
            try:
                data = zstandard.ZstdDecompressor().decompress(data)
            except zstandard.ZstdError as error:
                raise Invalid(f"The stored file {digest} is damaged: {error}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise Invalid(f"The stored file {digest} is damaged")
        return data

    def exists(self, digest: str) -> bool:
        """Whether the blob is here. Raises Invalid for what is no digest."""
        return self._find(digest) is not None

    def delete(self, digest: str) -> bool:
        """Delete a blob; False when there was none."""
        path = self._find(digest)
        if path is None:
            return False
        path.unlink(missing_ok=True)
        return True

    def _find(self, digest: str) -> Path | None:
        return next((path for path in self._names(digest) if path.exists()), None)

    def _names(self, digest: str) -> tuple[Path, Path]:
        if not _DIGEST.fullmatch(digest):
            raise Invalid("Not the name of a stored file")
        plain = self._path / digest[:2] / digest[2:]
        return plain, plain.with_name(plain.name + ".zst")


def _write(path: Path, data: bytes) -> None:
    """All of it under its name, or nothing: what a crash leaves is a `.part` file."""
    folder = path.parent
    is_new = not folder.exists()
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f"{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync(folder)
    if is_new:
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
