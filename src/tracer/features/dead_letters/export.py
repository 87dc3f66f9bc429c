"""Dead letters as JSON: what was noted about one, and its content without its secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.features.dead_letters.changes import conditions_of
from tracer.ingest.letters import Conditions
from tracer.ingest.look import Look, scrubbed
from tracer.protocol.scrub import ScrubRules, compile_rules

if TYPE_CHECKING:
    from tracer.ingest.solo import Solo
    from tracer.storage.spool import DeadLetter, LetterReader
    from tracer.storage.spool.letters import Wanted

RulesOf = Callable[[int], ScrubRules | None]
CHUNK = 50


class Row(msgspec.Struct, rename="camel"):
    """A dead letter, as commands and exports show it. `detail` is the stack, scrubbed."""

    id: str
    project_id: str
    reason: str
    detail: str
    tries: int
    date_received: datetime
    first_try: datetime
    last_try: datetime
    size_bytes: int
    conditions: Conditions | None


class Whole(Row, rename="camel"):
    """With its content; None where that cannot or may not be shown, and `note` says why."""

    content: Look | None = None
    note: str = ""


def row(letter: DeadLetter, rules: ScrubRules | None) -> dict[str, Any]:
    """The fields of a Row."""
    return {
        "id": str(letter.id),
        "project_id": str(letter.project_id),
        "reason": letter.reason,
        "detail": detail(letter, rules),
        "tries": letter.tries,
        "date_received": clock.from_ms(int(letter.received_at * 1000)),
        "first_try": clock.from_ms(letter.first_try_at),
        "last_try": clock.from_ms(letter.buried_at),
        "size_bytes": letter.size_bytes,
        "conditions": conditions_of(letter),
    }


def detail(letter: DeadLetter, rules: ScrubRules | None) -> str:
    """Why it failed, without the secrets that an exception's text may quote."""
    return without_secrets(letter.detail, rules)


def without_secrets(text: str, rules: ScrubRules | None) -> str:
    """A text by the rules of a project; by the defaults where it is gone."""
    return str(scrubbed(text, compile_rules(rules or ScrubRules())))


def whole(
    letter: DeadLetter, letters: LetterReader, solo: Solo, rules: ScrubRules | None, withheld: str
) -> Whole:
    """A letter with its content, unless `withheld` says why not."""
    if withheld:
        return Whole(**row(letter, rules), note=withheld)
    frame = letters.frame(letter.id)
    found = None if frame is None else solo.look(frame, rules)
    note = "" if found is not None else "It cannot be shown: looking at it dies or takes too long."
    return Whole(**row(letter, rules), content=found, note=note)


def lines(
    letters: LetterReader,
    asked: Wanted,
    solo: Solo,
    rules_of: RulesOf,
    withheld: Callable[[int], str] = lambda _: "",
) -> Iterator[bytes]:
    """All that fit as JSON Lines, the oldest first."""
    after = 0
    while ids := letters.ids(asked, limit=CHUNK, after=after):
        for letter_id in ids:
            letter = letters.find(letter_id)
            if letter is None:
                continue
            project_id = letter.project_id
            found = whole(letter, letters, solo, rules_of(project_id), withheld(project_id))
            yield msgspec.json.encode(found) + b"\n"
        after = ids[-1]
