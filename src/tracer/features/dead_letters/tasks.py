"""Background work on dead letters: replaying and discarding many, removing what is too old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracer.features.dead_letters import actions
from tracer.kit.tasks import Every
from tracer.storage.spool.letters import Wanted

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def replay(
    tracer: Tracer, project_ids: Sequence[int] | None, reason: str | None, through: int
) -> None:
    """Replay all that were there when it was asked for."""
    asked = _wanted(project_ids, reason, through)
    while not tracer.closing and actions.replay_some(tracer.spool, asked):
        pass


def discard(
    tracer: Tracer, project_ids: Sequence[int] | None, reason: str | None, through: int
) -> None:
    """Discard all that were there when it was asked for."""
    asked = _wanted(project_ids, reason, through)
    while not tracer.closing and actions.discard_some(tracer.spool, asked):
        pass


def expire(tracer: Tracer) -> None:
    """Remove what is older than the setting says; the spool counts it."""
    tracer.spool.letters.expire()


def _wanted(project_ids: Sequence[int] | None, reason: str | None, through: int) -> Wanted:
    return Wanted(None if project_ids is None else tuple(project_ids), reason, through)


def rest(tracer: Tracer) -> None:
    """End the process that opens dead letters, when nobody looks at any."""
    tracer.solo.rest()


SCHEDULE = (Every(600, expire), Every(30, rest))
