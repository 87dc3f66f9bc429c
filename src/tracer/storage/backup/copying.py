"""Copies of files and of SQLite stores at one moment. Knows no schema and no manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import apsw

from tracer.errors import Invalid, Unavailable
from tracer.storage import sqlite
from tracer.storage.backup.manifest import CHUNK_BYTES, Kept

PAGES_AT_ONCE = 1024
_CACHE_BYTES = 1 << 20

#: Told of a step, how much of it is done and how much there is (bytes, or files for blobs).
Tell = Callable[[str, int, int], None]


class Frozen:
    """A SQLite file as it is at the moment this is made; writers go on meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite.open_reader(path, cache_bytes=_CACHE_BYTES)
        self._connection.execute("BEGIN")
        # A transaction begins to see with its first read.
        self.schema = int(self._connection.pragma("user_version"))
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()

    def copy(self, to: Path, tell: Tell) -> dict[str, int]:
        """Write it as a new file, synced; how many rows each table has. Raises Unavailable."""
        size = int(self._connection.pragma("page_size"))
        try:
            target = apsw.Connection(str(to))
            try:
                with target.backup("main", self._connection, "main") as copying:
                    while not copying.done:
                        copying.step(PAGES_AT_ONCE)
                        done = copying.page_count - copying.remaining
                        tell(self._path.name, done * size, copying.page_count * size)
                # One file by itself, without a log beside it.
                target.execute("PRAGMA journal_mode = DELETE")
                counts = count(target)
            finally:
                target.close()
        except apsw.Error as error:
            raise Unavailable(f"{self._path.name} could not be copied: {error}") from error
        to.chmod(0o600)
        sync(to)
        return counts

    def close(self) -> None:
        self._connection.close()


def count(connection: apsw.Connection) -> dict[str, int]:
    """Rows by table; virtual tables are counted by those that hold their rows."""
    names = connection.execute(
        """
        SELECT name
          FROM sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'
         ORDER BY name
        """
    ).fetchall()
    found = {}
    for (name,) in names:
        row = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608
        found[str(name)] = int(row[0]) if row else 0
    return found


def copy_file(source: Path, to: Path) -> Kept:
    """Copy a file with mode 0600, synced; its size and checksum."""
    digest = hashlib.sha256()
    size = 0
    fd = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as target, source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
                size += len(chunk)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise Unavailable(f"{to} could not be written: {error.strerror}") from error
    return Kept(size, digest.hexdigest())


def sync(path: Path) -> None:
    """Have a file or folder on the disk when this returns."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def private_folder(path: Path) -> None:
    """Make a folder that is its user's alone; one that is there stays as it is. Raises Invalid."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"{path} cannot be made: {error.strerror}") from error
