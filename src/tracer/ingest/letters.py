"""Dead letters as ingest knows them: what was counted for one, under what conditions it failed,
and the note in a frame's head that says it is one's replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

import tracer
from tracer import grouping
from tracer.ingest import outcomes
from tracer.protocol.scrub import ScrubRules
from tracer.storage.spool import Burial

if TYPE_CHECKING:
    from tracer.ingest.prepare import PreparedFrame
    from tracer.projects.keys import ProjectSettings
    from tracer.storage.meta import Tx
    from tracer.storage.spool import DeadLetter, Frame, Spool

Counted = list[tuple[str, int]]

#: The name in a frame's head; a byte string so that other frames are told apart without decoding.
_NOTE = "replay"
_NOTE_BYTES = b'"replay"'


class Replay(msgspec.Struct, frozen=True):
    """What a replayed frame's head says of the dead letter it was."""

    letter: int
    reason: str
    tries: int
    first_try_at: int
    buried_at: int
    counted: Counted


class _Head(msgspec.Struct):
    replay: Replay | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What digest works with: program, grouping rules, what the project scrubs (None: no such
    project)."""

    tracer: str
    grouping: int
    scrub: ScrubRules | None


def conditions(project: ProjectSettings | None) -> Conditions:
    """The conditions of this program and of a project as it is now."""
    scrub = None if project is None else project.scrub
    return Conditions(tracer.__version__, grouping.VERSION, scrub)


def bury(
    spool: Spool, frame: Frame, prepared: PreparedFrame, project: ProjectSettings | None
) -> None:
    """Put a frame that failed to the dead letters, with all that helps to find out why."""
    if prepared.failure is None:
        raise ValueError(f"frame {frame.id} did not fail")
    reason, detail = prepared.failure
    before = replay_of(frame)
    spool.letters.bury(
        frame,
        Burial(
            reason=reason,
            detail=detail,
            tries=1 if before is None else before.tries + 1,
            first_try_at=None if before is None else before.first_try_at,
            counted=_json(list(prepared.accepted.items())),
            conditions=_json(conditions(project)),
        ),
    )


def replay_of(frame: Frame) -> Replay | None:
    """The dead letter that this frame was before; None for nearly all frames."""
    if _NOTE_BYTES not in frame.head:
        return None
    try:
        return msgspec.json.decode(frame.head, type=_Head).replay
    except msgspec.MsgspecError:
        return None


def head_of_replay(letter: DeadLetter) -> bytes:
    """The head of a letter's frame for its replay."""
    try:
        head = msgspec.json.decode(letter.head, type=dict[str, Any])
    except msgspec.MsgspecError:
        # What cannot be read now cannot be read then: it fails again, and nothing is hidden.
        return letter.head
    head[_NOTE] = Replay(
        letter.id,
        letter.reason,
        letter.tries,
        letter.first_try_at,
        letter.buried_at,
        msgspec.json.decode(letter.counted, type=Counted),
    )
    return msgspec.json.encode(head)


def take_back(tx: Tx, frames: Sequence[Frame]) -> None:
    """Uncount what replayed frames were counted as when they became dead letters: their items have
    one outcome, the new one. In the transaction that counts that."""
    for frame in frames:
        replay = replay_of(frame)
        if replay is None:
            continue
        for category, quantity in replay.counted:
            outcomes.take_back(
                tx,
                (frame.project_id, category, outcomes.DEAD_LETTER, replay.reason),
                quantity,
                since_ms=replay.buried_at,
            )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
