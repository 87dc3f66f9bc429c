"""Which events of a batch a spike keeps from being stored: those of issues that are known already.

Runs inside the batch's transaction, after the events were given to their issues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracer.ingest.items import Ended
from tracer.ingest.outcomes import RATE_LIMITED
from tracer.ingest.spikes import FIRST_EVENTS, REASON
from tracer.issues.model import RESOLVED

if TYPE_CHECKING:
    from tracer.ingest.items import Batch
    from tracer.issues.ingest.prepare import PreparedEvent
    from tracer.issues.ingest.store import Group

_HELD = Ended(RATE_LIMITED, REASON)


def hold_back(
    batch: Batch,
    groups: Sequence[Group],
    events: Sequence[PreparedEvent],
    reasons: list[str | Ended | None],
) -> list[str | Ended | None]:
    """Takes the events that are too many out of their groups. Gives `reasons` with theirs."""
    spikes = batch.spikes
    if spikes is None:
        return reasons
    held: list[PreparedEvent] = []
    by_project: dict[int, list[Group]] = {}
    for group in groups:
        by_project.setdefault(group.project_id, []).append(group)
    for project_id, of_project in by_project.items():
        coming = sum(len(group.events) for group in of_project)
        room = spikes.room(batch.tx, project_id, coming)
        surplus = [] if room is None else _surplus(of_project, room)
        spikes.count(batch.tx, project_id, coming - len(surplus), len(surplus))
        held += surplus
    if not held:
        return reasons
    batch.held.update({(event.project_id, event.event_id): _HELD for event in held})
    ids = {id(event) for event in held}
    return [
        _HELD if id(event) in ids else reason for event, reason in zip(events, reasons, strict=True)
    ]


def _surplus(groups: Sequence[Group], room: int) -> list[PreparedEvent]:
    held: list[PreparedEvent] = []
    for group in groups:
        free = max(0, FIRST_EVENTS - group.event_count)
        if group.status == RESOLVED:
            # One that comes back after its fix is news, however well it is known.
            free = max(free, 1)
        kept = min(len(group.events), max(free, room))
        room = max(0, room - kept)
        held += group.events[kept:]
        del group.events[kept:]
    return held
