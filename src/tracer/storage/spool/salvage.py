"""A damaged spool file: what can still be read moves to a new one, the damaged one is set aside.

Row by row, so that a damaged page costs only what lies on it. What is lost is named, never guessed.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from tracer import clock
from tracer.storage import migrate, sqlite

#: What SQLite raises when a file is not as it wrote it.
DAMAGED = (apsw.CorruptError, apsw.NotADBError)
#: A file up to this size is checked page by page at each start, about 0.1 s.
CHECK_BYTES = 64 << 20
#: After so many ids in a row that cannot be read, about two seconds, the rest is given up.
_FAILURES = 100_000
_COMMIT_ROWS = 500
_RANGES_SHOWN = 20

log = logging.getLogger(__name__)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """What became of a damaged spool. `lost` are ranges of frame ids, first and last; None when
    nobody can know how many there were; there may be more of them where the end is lost. `aside`
    is the damaged file."""

    aside: Path
    reason: str
    frames: int
    letters: int
    lost: tuple[tuple[int, int], ...] | None
    is_end_lost: bool = False

    @property
    def text(self) -> str:
        """In one line, for logs and people."""
        if self.lost is None:
            lost = "nobody can know how many are lost"
        elif not self.lost:
            lost = "no waiting frame is known to be lost"
        else:
            count = sum(last - first + 1 for first, last in self.lost)
            shown = ", ".join(
                str(first) if first == last else f"{first}-{last}"
                for first, last in self.lost[:_RANGES_SHOWN]
            )
            more = ", …" if len(self.lost) > _RANGES_SHOWN else ""
            lost = f"{count} frames are lost: {shown}{more}"
        if self.is_end_lost and self.lost is not None:
            lost += "; the last ones cannot be read, so there may be more"
        return (
            f"The spool was damaged ({self.reason}): {self.frames} waiting frames and "
            f"{self.letters} dead letters were kept, {lost}. "
            f"The damaged file is now {self.aside}"
        )


def ask_for_check(path: Path) -> None:
    """Have the next start check the file whatever its size."""
    with contextlib.suppress(OSError):
        _wish(path).touch()


def check(connection: apsw.Connection, path: Path) -> None:
    """Raises CorruptError when a small file is not whole. A large one is checked only when that was
    asked for: a start must not wait for gigabytes."""
    size = connection.pragma("page_count") * connection.pragma("page_size")
    if size <= CHECK_BYTES or _wish(path).exists():
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            said = str(found[0]) if found else "quick_check failed"
            raise apsw.CorruptError(" ".join(said.rpartition("***")[2].split()))
    _wish(path).unlink(missing_ok=True)


def _wish(path: Path) -> Path:
    return path.with_name(path.name + ".check")


def salvage(
    path: Path, steps: list[migrate.Migration], page_bytes: int, reason: BaseException
) -> Damage:
    """Put a new file with all that can be read in the place of a damaged one, and log the loss.

    No connection may be open. A crash on the way leaves the damaged file where it was.
    """
    aside = _free_name(path)
    beside = path.with_name(path.name + ".new")
    for name in ("", "-wal", "-shm"):
        beside.with_name(beside.name + name).unlink(missing_ok=True)
    new = sqlite.open_writer(beside, cache_bytes=1 << 20, page_bytes=page_bytes)
    try:
        migrate.migrate(new, beside, steps)
        damage = _copy(path, new, aside, str(reason))
        new.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        new.close()
    _exchange(path, beside, aside)
    log.error("%s", damage.text)
    return damage


def _exchange(path: Path, beside: Path, aside: Path) -> None:
    os.link(path, aside)
    for name in ("-wal", "-shm"):
        log_file = path.with_name(path.name + name)
        if log_file.exists():
            # It belongs to the damaged file: beside the new one SQLite would replay it.
            log_file.replace(aside.with_name(aside.name + name))
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy(path: Path, new: apsw.Connection, aside: Path, reason: str) -> Damage:
    """Copy all rows that can be read."""
    tables = [row[0] for row in new.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    kept: dict[str, list[int]] = {}
    marks: Row | None = None
    is_end_lost = False
    with contextlib.closing(apsw.Connection(str(path))) as old:
        old.set_busy_timeout(sqlite.BUSY_TIMEOUT_MS)
        for table in tables:
            columns = _columns(old, new, table)
            if columns:
                kept[table] = _store(new, table, columns, _rows(old, table, columns))
        with contextlib.suppress(apsw.Error):
            marks = old.execute("SELECT newest, forgotten FROM marks").fetchone()
        try:
            old.execute("SELECT id FROM frames ORDER BY id DESC LIMIT 1").fetchone()
        except apsw.Error:
            is_end_lost = True
    frames, letters = sorted(kept.get("frames", ())), kept.get("dead_letters", ())
    return Damage(aside, reason, len(frames), len(letters), _lost(frames, marks), is_end_lost)


def _columns(old: apsw.Connection, new: apsw.Connection, table: str) -> list[str]:
    """The columns that both files have; none when the old one's schema cannot be read."""
    named = f"SELECT name FROM pragma_table_info('{table}')"  # noqa: S608
    try:
        known = {row[0] for row in old.execute(named)}
    except apsw.Error:
        return []
    return [row[0] for row in new.execute(named) if row[0] in known]


def _rows(old: apsw.Connection, table: str, columns: list[str]) -> Iterator[Row]:
    """All rows that can be read. Where one cannot, the scan begins anew at the ids that follow:
    those on the same page fail as well, those on the next do not."""
    what = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED"  # noqa: S608
    if "id" not in columns:
        with contextlib.suppress(apsw.Error):
            yield from old.execute(what)
        return
    sql = f"{what} WHERE id >= ? ORDER BY id"
    begin, failures = -(1 << 63), 0
    while failures < _FAILURES:
        try:
            for row in old.execute(sql, (begin,)):
                yield row
                begin, failures = row[0] + 1, 0
            return
        except apsw.Error:
            begin, failures = max(begin, _before(old, table)) + 1, failures + 1


def _before(old: apsw.Connection, table: str) -> int:
    """An id that no row comes before."""
    if table != "frames":
        return 0
    try:
        row = old.execute("SELECT forgotten FROM marks").fetchone()
    except apsw.Error:
        return 0
    return int(row[0]) if row else 0


def _store(new: apsw.Connection, table: str, columns: list[str], rows: Iterable[Row]) -> list[int]:
    """The first column of each row that was stored."""
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    stored: list[int] = []
    batch: list[Row] = []

    def flush() -> None:
        with new:
            for row in batch:
                # A damaged value may break a rule of its column: the others are kept.
                with contextlib.suppress(apsw.ConstraintError, apsw.MismatchError):
                    new.execute(sql, row)
                    stored.append(row[0])
        batch.clear()

    for row in rows:
        batch.append(row)
        if len(batch) >= _COMMIT_ROWS:
            flush()
    flush()
    return stored


def _lost(frames: list[int], marks: Row | None) -> tuple[Row, ...] | None:
    """Ranges of ids that must have been there: ids follow each other without a gap."""
    if marks is None:
        return None
    newest, forgotten = marks
    ranges = []
    before = forgotten
    for number in frames:
        if number > before + 1:
            ranges.append((before + 1, number - 1))
        before = max(before, number)
    if newest > before:
        ranges.append((before + 1, newest))
    return tuple(ranges)


def _free_name(path: Path) -> Path:
    moment = clock.now().strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        more = "" if number == 1 else f"-{number}"
        aside = path.with_name(f"{path.name}.damaged-{moment}{more}")
        if not aside.exists():
            return aside
    raise FileExistsError(f"{path.parent} holds a thousand damaged files")
