"""Whether a SQLite file is whole, told by SQLite itself, beside whoever writes it. Never writes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import apsw

from tracer.errors import Problem
from tracer.storage import sqlite
from tracer.storage.meta import READER_CACHE_BYTES

_MOST = 20


def faults(path: Path) -> list[str]:
    """What `PRAGMA quick_check` and the foreign keys say against a file, at most 20 of each; none
    when it is whole. Unreadable files are a fault too."""
    try:
        connection = sqlite.open_reader(path, cache_bytes=READER_CACHE_BYTES)
    except Problem as problem:
        return [problem.detail]
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_MOST})")]
        broken = list(islice(connection.execute("PRAGMA foreign_key_check"), _MOST))
    except apsw.Error as error:
        return [str(error)]
    finally:
        connection.close()
    keys = [
        f"row {row} of {table} refers to a missing {parent}" for table, row, parent, _ in broken
    ]
    return [text for text in found if text != "ok"] + keys
