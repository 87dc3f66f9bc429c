"""Replaying and discarding dead letters. Each is recorded in the audit log before it is done: the
two stores have no transaction in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.ingest.letters import head_of_replay
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx
    from tracer.storage.spool import DeadLetter, Spool
    from tracer.storage.spool.letters import Wanted

#: More than so many at once are for a background task.
AT_ONCE = 200


def record_one(tx: Tx, verb: str, letter: DeadLetter, **values: Any) -> None:
    """Note what is about to be done to one dead letter."""
    audit.record(
        tx,
        f"dead_letter.{verb}",
        "dead_letter",
        letter.id,
        name=letter.reason,
        project_id=letter.project_id,
        after={"tries": letter.tries, **values},
    )


def record_many(tx: Tx, spool: Spool, verb: str, asked: Wanted, **values: Any) -> int:
    """Note what is about to be done, an entry for each project and reason; to how many."""
    groups = spool.letters.read.groups(asked)
    for group in groups:
        audit.record(
            tx,
            f"dead_letter.{verb}",
            "dead_letter",
            name=group.reason,
            project_id=group.project_id,
            after={"letters": group.count, "through": asked.through, **values},
        )
    return sum(group.count for group in groups)


def replay_one(spool: Spool, letter: DeadLetter) -> int | None:
    """Put it back to what waits for digest; the id of the new frame, None when it is gone."""
    return spool.letters.exhume(letter.id, head_of_replay(letter))


def replay_some(spool: Spool, asked: Wanted, *, limit: int = AT_ONCE) -> int:
    """Replay the oldest of those that fit; how many. They leave, so call it again for the rest."""
    letters = spool.letters.read
    count = 0
    for letter_id in letters.ids(asked, limit=limit):
        letter = letters.find(letter_id)
        if letter is not None and replay_one(spool, letter) is not None:
            count += 1
    return count


def discard_some(spool: Spool, asked: Wanted, *, limit: int = AT_ONCE) -> int:
    """Delete the oldest of those that fit for good; how many."""
    return spool.letters.discard(spool.letters.read.ids(asked, limit=limit))
