"""What lies in the spool, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class NewFrame:
    """One request as it was received. `received_at` is unix seconds, `head` JSON, `body` still
    compressed as the SDK sent it."""

    project_id: int
    key: str
    received_at: float
    head: bytes
    body: bytes


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame on disk. A later one has a higher id; an id is never used twice.

    A struct, as all that goes to a digest process and comes back: pickled in about half the time.
    """

    id: int
    project_id: int
    key: str
    received_at: float
    head: bytes
    body: bytes
