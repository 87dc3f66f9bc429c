"""What a package declares to have an item type digested: one pure function and one that writes.

`prepare` may run in a worker process: it takes and returns plain, picklable data and does no I/O.
`store` runs in the digest thread inside the batch's one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.ingest.filters import Filter
from tracer.protocol.envelope import Item
from tracer.protocol.scrub import Scrubber
from tracer.storage.blobs import Blobs
from tracer.storage.codec import Codec
from tracer.storage.meta import Tx
from tracer.storage.tables import Table

if TYPE_CHECKING:
    from tracer.ingest.spikes import Spikes


class Unwanted(NamedTuple):
    """What `prepare` gives for an event that a filter does not want; `reason` is its name."""

    event_id: str
    reason: str


class Ended(NamedTuple):
    """An item's fate where it is neither stored nor invalid."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of an item besides its own bytes; the same for all items of a frame.

    `received_at` is in unix seconds. `event_id` is the envelope header's, 32 hexadecimal digits.
    """

    project_id: int
    frame: int
    received_at: float
    headers: Mapping[str, Any]
    event_id: str | None
    sent_at: float | None
    client_ip: str | None
    user_agent: str | None
    attachment_count: int
    scrubber: Scrubber
    codec: Codec
    unwanted: Filter | None = None


@dataclass(slots=True)
class Batch:
    """The open transaction of one batch of frames, and the event-store rows it has gathered.

    `held` are the (project id, event id) that a spike or a filter keeps from being stored, with
    their fate; events are stored before all other items.
    """

    tx: Tx
    blobs: Blobs
    rows: dict[Table, list[tuple[Any, ...]]] = field(default_factory=dict)
    outcomes: dict[tuple[int, str, str, str], int] = field(default_factory=dict)
    spikes: Spikes | None = None
    held: dict[tuple[int, str], Ended] = field(default_factory=dict)

    def append(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows for the event store: written before the transaction commits, all or none."""
        self.rows.setdefault(table, []).extend(rows)

    def count(
        self, project_id: int, category: str, outcome: str, reason: str = "", quantity: int = 1
    ) -> None:
        """Count `quantity` items of a data category under an outcome and its reason."""
        key = (project_id, category, outcome, reason)
        self.outcomes[key] = self.outcomes.get(key, 0) + quantity


@dataclass(frozen=True, slots=True)
class ItemHandler:
    """How one item type is digested.

    `prepare(item, arrival)` returns anything picklable, or `Unwanted`, or raises `Invalid` with the
    reason.
    `store(batch, prepared)` writes all prepared items of the batch, in their order of arrival, and
    returns for each `None` (stored), the reason why it is invalid, such as "duplicate", or `Ended`.
    """

    prepare: Callable[[Item, Arrival], Any]
    store: Callable[[Batch, Sequence[Any]], Sequence[str | Ended | None]]
