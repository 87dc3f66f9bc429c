"""Reading meta.db from another process, beside a running server or without one. Never writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from tracer.errors import Invalid, NotFound
from tracer.storage import migrate, sqlite
from tracer.storage.meta import READER_CACHE_BYTES, Reader


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """A Reader of the file. NotFound when there is none; Invalid when another version wrote it."""
    if not path.is_file():
        raise NotFound(f"There is no {path}: nothing has been stored in this folder yet.")
    connection = sqlite.open_reader(path, cache_bytes=READER_CACHE_BYTES)
    try:
        version, known = connection.pragma("user_version"), len(migrate.migrations())
        if version != known:
            raise Invalid(
                f"{path} has schema {version} and this program knows {known}: "
                "start the server once with the version you use"
            )
        yield Reader(connection)
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    finally:
        connection.close()


@contextmanager
def reading_any(path: Path) -> Iterator[Reader]:
    """A Reader of a file of any version that nobody writes, such as one of a backup. Invalid."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    try:
        yield Reader(connection)
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    finally:
        connection.close()


def schema_of(path: Path) -> int:
    """The schema that a SQLite file has; 0 when there is none. Raises Invalid."""
    if not path.is_file():
        return 0
    connection = sqlite.open_reader(path, cache_bytes=READER_CACHE_BYTES)
    try:
        return int(connection.pragma("user_version"))
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    finally:
        connection.close()
