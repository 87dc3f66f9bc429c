"""What an event store must do, whatever engine is below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tracer.storage.tables import Table

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Sql:
    """A SELECT in the subset that column stores share, with `$name` parameters.

    A tag is `tags['name']::VARCHAR`; `column IN $list` takes a list. Values never go into the text.
    """

    text: str


class EventStore(Protocol):
    """Append-only rows. Safe to use from many threads; one append or erasure at a time."""

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the tables, and add the columns that are missing. Never drops anything."""

    def append(self, batch: Mapping[Table, Sequence[Row]]) -> None:
        """Store rows of several tables in one transaction, durable on return.

        Raises Unavailable when the disk is at fault; then none of them is stored, or all are
        (`forget_from` makes sure before a second try).
        """

    def select(self, sql: Sql, /, **params: Any) -> list[Row]:
        """All rows of a query. Raises Unavailable when it takes too long."""
        ...

    def memory_bytes(self) -> int:
        """Memory that the store holds now."""
        ...

    def renew_if_due(self) -> bool:
        """Give back memory that grows with what is appended, if there is enough of it and nobody
        reads just now; whether that was done. Appends and reads wait meanwhile, for a moment."""
        ...

    def forget_from(self, frame: int) -> int:
        """Delete the rows that this frame and later ones brought; return how many there were."""
        ...

    def erase(
        self,
        table: Table,
        project_id: int,
        *,
        group_hashes: Sequence[str] | None = None,
        event_ids: Sequence[str] | None = None,
    ) -> int:
        """Delete a project's rows, of certain groups or events only if given; return how many."""
        ...

    def close(self) -> None:
        """Write everything back. Only when no thread uses the store any more."""
