"""Reads of dead letters: lists, groups by reason, one of them, what had to be removed.

Never writes (`burial` does) and never decodes a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import msgspec

from tracer.errors import Invalid, NotFound
from tracer.storage import counting, migrate, sqlite
from tracer.storage.spool.frames import Frame

CACHE_BYTES = 1 << 20

_COLUMNS = (
    "id, project_id, key, received_at, reason, tries, first_try_at, buried_at, size_bytes, counted,"
    " conditions, head, detail"
)
_FITS = """
    (:projects IS NULL OR project_id IN (SELECT value FROM json_each(:projects)))
    AND (:reason IS NULL OR reason = :reason)
    AND id <= coalesce(:through, 1 << 62)"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A frame that could not be digested, without its body. `received_at` is unix seconds, the
    other times unix milliseconds.

    `counted` is JSON: [data category, quantity] of what the outcomes count as this dead letter.
    `conditions` is JSON: what digest worked with when it failed. `detail` may hold secrets.
    """

    id: int
    project_id: int
    key: str
    received_at: float
    reason: str
    tries: int
    first_try_at: int
    buried_at: int
    size_bytes: int
    counted: str
    conditions: str
    head: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class Group:
    """All dead letters of a project with one reason; times are unix milliseconds."""

    project_id: int
    reason: str
    count: int
    size_bytes: int
    first_try_at: int
    last_try_at: int


@dataclass(frozen=True, slots=True)
class Removed:
    """How many dead letters had to go: `cause` is "size" or "age", `last_at` unix milliseconds."""

    project_id: int
    reason: str
    cause: str
    count: int
    size_bytes: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters: of these projects (None: all), with this reason, up to this id."""

    project_ids: tuple[int, ...] | None = None
    reason: str | None = None
    through: int | None = None

    def params(self) -> dict[str, Any]:
        ids = self.project_ids
        return {
            "projects": None if ids is None else msgspec.json.encode(ids).decode(),
            "reason": self.reason,
            "through": self.through,
        }


ALL = Wanted()


class LetterReader:
    """Reads on the connection that `here` gives."""

    def __init__(self, here: Callable[[], apsw.Connection]) -> None:
        self._here = here

    def page(
        self, wanted: Wanted = ALL, *, limit: int, before: int | None = None
    ) -> list[DeadLetter]:
        """The newest first; `before` is the id at which the last page ended."""
        rows = self._rows(
            f"""
            SELECT {_COLUMNS}
              FROM dead_letters
             WHERE {_FITS} AND id < coalesce(:before, 1 << 62)
             ORDER BY id DESC
             LIMIT :limit
            """,  # noqa: S608
            **wanted.params(),
            before=before,
            limit=limit,
        )
        return [DeadLetter(*row) for row in rows]

    def ids(self, wanted: Wanted = ALL, *, limit: int, after: int = 0) -> list[int]:
        """Ids that follow `after`, the oldest first."""
        rows = self._rows(
            f"SELECT id FROM dead_letters WHERE {_FITS} AND id > :after ORDER BY id LIMIT :limit",  # noqa: S608
            **wanted.params(),
            after=after,
            limit=limit,
        )
        return [row[0] for row in rows]

    def groups(self, wanted: Wanted = ALL) -> list[Group]:
        """By project and reason, the largest first."""
        rows = self._rows(
            f"""
            SELECT project_id, reason, count(*), sum(size_bytes), min(first_try_at), max(buried_at)
              FROM dead_letters
             WHERE {_FITS}
             GROUP BY project_id, reason
             ORDER BY 3 DESC, 6 DESC
            """,  # noqa: S608
            **wanted.params(),
        )
        return [Group(*row) for row in rows]

    def find(self, letter_id: int) -> DeadLetter | None:
        """One dead letter."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id", id=letter_id)  # noqa: S608
        return DeadLetter(*rows[0]) if rows else None

    def frame(self, letter_id: int) -> Frame | None:
        """A dead letter's frame, with its body."""
        rows = self._rows(
            """
            SELECT id, project_id, key, received_at, head, body
              FROM dead_letters
             WHERE id = :id
            """,
            id=letter_id,
        )
        return Frame(*rows[0]) if rows else None

    def count(self, wanted: Wanted = ALL) -> int:
        """How many there are."""
        rows = self._rows(f"SELECT count(*) FROM dead_letters WHERE {_FITS}", **wanted.params())  # noqa: S608
        return int(rows[0][0])

    def size_bytes(self) -> int:
        """Size of all their bodies."""
        return int(self._rows("SELECT coalesce(sum(size_bytes), 0) FROM dead_letters")[0][0])

    def waiting(self, position: int) -> tuple[int, int]:
        """Frames that wait behind a position, and their bytes."""
        sql = """
            SELECT count(*), coalesce(sum(length(head) + length(body)), 0)
              FROM frames
             WHERE id > :position
        """
        count, size = self._rows(sql, position=position)[0]
        return int(count), int(size)

    def last_frame(self) -> int:
        """Id of the newest frame there ever was; 0 when there was none."""
        sql = "SELECT max(newest, (SELECT coalesce(max(id), 0) FROM frames)) FROM marks"
        return int(self._rows(sql)[0][0])

    def newest(self) -> int:
        """The newest one's id; 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(id), 0) FROM dead_letters")[0][0])

    def removed(self, wanted: Wanted = ALL) -> list[Removed]:
        """What had to go since this store was made, the latest first."""
        rows = self._rows(
            """
            SELECT project_id, reason, cause, count, size_bytes, last_at
              FROM removed_letters
             WHERE (:projects IS NULL OR project_id IN (SELECT value FROM json_each(:projects)))
             ORDER BY last_at DESC
            """,
            projects=wanted.params()["projects"],
        )
        return [Removed(*row) for row in rows]

    def _rows(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        counting.note_query()
        return self._here().execute(sql, params).fetchall()


@contextmanager
def reading(path: Path) -> Iterator[LetterReader]:
    """The dead letters of a spool that may be open elsewhere. NotFound when there is none; Invalid
    when another version wrote it, or it is damaged."""
    if not path.is_file():
        raise NotFound(f"There is no {path}: nothing has been received in this folder yet.")
    connection = sqlite.open_reader(path, cache_bytes=CACHE_BYTES)
    try:
        version, known = connection.pragma("user_version"), len(steps())
        if version != known:
            raise Invalid(
                f"{path} has schema {version} and this program knows {known}: "
                "start the server once with the version you use"
            )
        yield LetterReader(lambda: connection)
    except apsw.Error as error:
        raise sqlite.opening_problem(error, path) from error
    finally:
        connection.close()


def waiting(path: Path, position: int) -> tuple[int, int]:
    """How many frames after a position wait in a spool file, and their bytes."""
    with reading(path) as reader:
        return reader.waiting(position)


def steps() -> list[migrate.Migration]:
    """The spool's own migrations."""
    return migrate.migrations(resources.files("tracer.storage") / "migrations" / "spool")
