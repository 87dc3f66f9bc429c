"""Walks the chain of audit entries from the anchor to the sealed end, and says where it breaks.

Only reads, in pieces, so that it works beside a running server.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tracer.kit import chain
from tracer.storage.meta import sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.storage.meta import Reader

PRUNED = "audit.prune"
_CHUNK = 5000
_TRIES = 5
_TRIGGERS = ("audit_is_append_only", "audit_is_never_replaced", "audit_is_pruned_from_the_start")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`head` is "id:hash" of the newest entry. `broken` is empty when the chain holds, else says
    why it does not, first at entry `broken_id` (None: the log as a whole)."""

    entries: int
    first_id: int
    head: str
    broken: str = ""
    broken_id: int | None = None


class _State(NamedTuple):
    """What the log says of its two ends, read in one statement."""

    head_id: int
    head_hash: bytes
    seal: bytes
    anchor_id: int
    anchor_hash: bytes
    last_id: int
    numbered: int
    triggers: int


class _Broken(Exception):
    def __init__(self, why: str, audit_id: int | None = None) -> None:
        super().__init__(why)
        self.audit_id = audit_id


def verify(
    reader: Reader, key: bytes | None, witnesses: Mapping[int, str] | None = None
) -> Verdict:
    """Check every entry. `key` is the seal's, None when its file is not there.

    `witnesses` are hashes (hex) of entries by id that were noted earlier elsewhere: each must still
    be what it was, unless retention has removed it.
    """
    for _ in range(_TRIES):
        state = _state(reader)
        try:
            count = _walk(reader, state, key, dict(witnesses or {}))
        except _Broken as error:
            # Retention may have removed what was about to be read.
            if _state(reader).anchor_id != state.anchor_id:
                continue
            return Verdict(
                state.last_id - state.anchor_id,
                state.anchor_id + 1,
                _head(state),
                str(error),
                error.audit_id,
            )
        return Verdict(count, state.anchor_id + 1, _head(state))
    return Verdict(0, 0, "", "the log is being pruned all the time; try again")


def parse_witness(text: str) -> tuple[int, str] | None:
    """ "id:hash" as `Verdict.head` has it; None when it is something else."""
    number, colon, hash_ = text.strip().partition(":")
    if not (colon and number.isascii() and number.isdigit() and len(number) < 19):
        return None
    is_hash = len(hash_) == 64 and set(hash_) <= set("0123456789abcdef")
    return (int(number), hash_) if is_hash else None


def _head(state: _State) -> str:
    return f"{state.head_id}:{bytes(state.head_hash).hex()}"


def _state(reader: Reader) -> _State:
    row = reader.row(
        f"""
        SELECT h.audit_id, h.hash, h.seal, n.audit_id, n.hash,
            coalesce((SELECT max(id) FROM audit), n.audit_id),
            coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0),
            (
                SELECT count(*)
                FROM sqlite_schema
                WHERE type = 'trigger' AND name IN {_TRIGGERS}
            )
        FROM audit_head h
        JOIN audit_anchor n
        """  # noqa: S608
    )
    if row is None:
        return _State(0, b"", b"", 0, b"", 0, 0, 0)
    return _State(*row)


def _walk(reader: Reader, state: _State, key: bytes | None, witnesses: dict[int, str]) -> int:
    """How many entries there are; raises _Broken at the first that does not fit."""
    previous, expected = bytes(state.anchor_hash), state.anchor_id + 1
    pruned: tuple[int, str] | None = None
    columns = ", ".join(chain.HASHED)
    action = chain.HASHED.index("action")
    while expected <= state.last_id:
        rows = reader.rows(
            f"""
            SELECT id, hash, {columns}
            FROM audit
            WHERE id >= :first AND id <= :last
            ORDER BY id
            LIMIT {_CHUNK}
            """,  # noqa: S608
            first=expected,
            last=state.last_id,
        )
        if not rows:
            raise _Broken(f"entry {expected} is missing", expected)
        for audit_id, hash_, *entry in rows:
            if audit_id != expected:
                raise _Broken(f"entry {expected} is missing", expected)
            if chain.chained(previous, tuple(entry)) != hash_:
                raise _Broken(
                    f"entry {audit_id} is not what was written: it was changed, put in, or what "
                    "stood before it was replaced",
                    audit_id,
                )
            if entry[action] == chain.BROKEN:
                raise _Broken(
                    f"entry {audit_id}: the server found the end of the log changed behind its "
                    "back, and went on from there",
                    audit_id,
                )
            if entry[action] == PRUNED:
                pruned = _pruned(entry)
            noted = witnesses.pop(audit_id, None)
            if noted is not None and noted != hash_.hex():
                raise _Broken(f"entry {audit_id} is not the one that was noted", audit_id)
            previous, expected = hash_, expected + 1
    _check_ends(state, key, previous, pruned)
    missing = [audit_id for audit_id in witnesses if audit_id > state.anchor_id]
    if missing:
        raise _Broken(f"entry {min(missing)} was noted and is not there", min(missing))
    return state.last_id - state.anchor_id


def _pruned(entry: list[object]) -> tuple[int, str] | None:
    """Where a pruning moved the anchor: the last entry removed and its hash."""
    after = entry[chain.HASHED.index("after")]
    try:
        found = msgspec.json.decode(str(after), type=dict[str, object])
        return int(str(found["through"])), str(found["sha256"])
    except (msgspec.MsgspecError, KeyError, ValueError):
        return None


def _check_ends(
    state: _State, key: bytes | None, last_hash: bytes, pruned: tuple[int, str] | None
) -> None:
    if state.anchor_id and pruned != (state.anchor_id, bytes(state.anchor_hash).hex()):
        raise _Broken(
            f"entries up to {state.anchor_id} are gone, and no retention run says that it "
            "removed them",
            state.anchor_id,
        )
    if state.head_id != state.last_id or bytes(state.head_hash) != last_hash:
        raise _Broken(
            f"the newest entry should be {state.head_id} and is {state.last_id}: the end was cut "
            "off or replaced",
            min(state.head_id, state.last_id + 1),
        )
    if state.numbered > state.last_id:
        raise _Broken(
            f"entry {state.numbered} was written and is missing: the end was cut off",
            state.last_id + 1,
        )
    if key is None:
        raise _Broken("the file audit.key is missing: the end cannot be checked")
    if not hmac.compare_digest(
        bytes(state.seal), sealed(key, state.head_id, bytes(state.head_hash))
    ):
        raise _Broken("the seal of the newest entry does not fit: the end was written anew")
    if state.triggers != len(_TRIGGERS):
        raise _Broken("the triggers that keep entries from being changed are gone")
