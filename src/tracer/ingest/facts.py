"""What has happened while events came in: past tense, ids only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpikeBegan:
    """A project got more errors in an hour than its threshold."""

    project_id: int
    spike_id: int


@dataclass(frozen=True, slots=True)
class SpikeEnded:
    """A spike is over."""

    project_id: int
    spike_id: int
