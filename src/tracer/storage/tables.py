"""The event store's tables as data. Rows are only appended and erased, never changed.

Every table has `project_id` and `frame`. Times are UTC without a zone, both ways.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is DuckDB's. A VARIANT takes and gives a dict of strings."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A row is a tuple with a value for each column, in this order."""

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]


def _columns(text: str) -> tuple[Column, ...]:
    lines = (line.split(maxsplit=1) for line in text.strip().splitlines())
    return tuple(Column(name, type_) for name, type_ in lines)


# One row for each event, without its payload: what is searched, counted and charted.
# `richness` (0 to 255) is how much context the event has.
EVENTS = Table(
    "events",
    _columns(
        """
        project_id       INTEGER
        event_id         VARCHAR
        group_hash       VARCHAR
        timestamp        TIMESTAMP
        received_at      TIMESTAMP
        level            UTINYINT
        type             VARCHAR
        platform         VARCHAR
        environment      VARCHAR
        release          VARCHAR
        dist             VARCHAR
        transaction      VARCHAR
        user_key         VARCHAR
        title            VARCHAR
        culprit          VARCHAR
        is_handled       BOOLEAN
        has_attachments  BOOLEAN
        size_bytes       INTEGER
        richness         UTINYINT
        tags             VARIANT
        frame            BIGINT
        """
    ),
    order_by=("project_id", "timestamp"),
)

# The whole event as the codec made it. Look it up by project, event id and timestamp: the last
# lets the store skip nearly all of the table. `body` is compressed already; DuckDB's own zstd
# costs nothing more and, unlike `uncompressed`, wastes no space between short and long bodies.
PAYLOADS = Table(
    "payloads",
    _columns(
        """
        project_id  INTEGER
        event_id    VARCHAR
        timestamp   TIMESTAMP
        dictionary  INTEGER
        body        BLOB USING COMPRESSION zstd
        frame       BIGINT
        """
    ),
    order_by=("project_id", "timestamp"),
)
