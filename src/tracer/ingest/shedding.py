"""What is refused while the spool is too full: the least important first, by data category.

Decided in the request from what is in memory. Each item so refused is counted once, as
`rate_limited: backpressure`; SDKs are told which categories not to send, and for how long.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracer.errors import RateLimited
from tracer.ingest.outcomes import RATE_LIMITED, Refusals
from tracer.ingest.prepare import quantity_of
from tracer.ingest.signatures import Signatures
from tracer.protocol.categories import UNKNOWN_CATEGORY, category_of
from tracer.protocol.encoding import encode_zstd
from tracer.protocol.envelope import Envelope, Item, join_envelope
from tracer.storage.spool import LEVELS

if TYPE_CHECKING:
    from tracer.ingest.intake import Intake
    from tracer.storage.spool import Load

REASON: Final = "backpressure"
#: SDKs stay away for so long, each for another time, so that they do not come back together.
WAIT_S: Final = (15, 45)

#: A load that wavers between levels is not worth a line each time.
SAY_EVERY_S: Final = 60.0

#: What a level refuses besides the levels before it: its name, and its data categories.
STEPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("attachments", ("attachment", UNKNOWN_CATEGORY)),
    ("replays", ("replay",)),
    ("profiles", ("profile", "profile_chunk", "profile_chunk_ui")),
    (
        "transactions, spans, logs and metrics",
        ("transaction", "span", "log_item", "trace_metric", "metric_bucket"),
    ),
    ("sessions and check-ins", ("session", "monitor")),
    ("errors of known issues", ("error", "default", "security")),
    ("new errors, feedback and all else", ()),
)
_KNOWN_ERRORS: Final = 6
_LEVEL_OF: Final = {
    category: level for level, (_, held) in enumerate(STEPS, 1) for category in held
}

log = logging.getLogger("tracer.ingest")


class Shed(RateLimited):
    """Nothing of an envelope is taken. `limits` is the value of X-Sentry-Rate-Limits."""

    def __init__(self, limits: str, wait_s: int) -> None:
        super().__init__("too much is waiting to be digested", retry_after_s=wait_s)
        self.limits = limits


@dataclass(frozen=True, slots=True)
class Relief:
    """What is left of a request. `body` is None when nothing was taken out of it; `limits` is the
    value of X-Sentry-Rate-Limits, "" when SDKs may send everything."""

    envelope: Envelope
    body: bytes | None
    limits: str


class Shedding:
    """Decides by the spool's level. Remembers which errors passed; used on the event loop only."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._seen = Signatures()

    async def relieve(self, level: int, project_id: int, envelope: Envelope) -> Relief:
        """Take out of an envelope what the level refuses, and count it. Shed when nothing is left.

        A body that lost items is written anew, compressed with zstd: attachments that were
        refused must not lie in the spool all the same.
        """
        kept = self._kept(level, project_id, envelope.items)
        if len(kept) < len(envelope.items):
            count(self._intake.refusals, project_id, envelope.items, kept)
        wait_s = random.randint(*WAIT_S)  # noqa: S311
        limits = limits_of(level, wait_s)
        if not kept and (envelope.items or level >= LEVELS):
            raise Shed(limits, wait_s)
        if len(kept) == len(envelope.items):
            return Relief(envelope, None, limits)
        rest = Envelope(envelope.headers, kept)
        body = await self._intake.aside(
            sum(len(item.payload) for item in kept), lambda: encode_zstd(join_envelope(rest))
        )
        return Relief(rest, body, limits)

    def _kept(self, level: int, project_id: int, items: Sequence[Item]) -> list[Item]:
        if level >= LEVELS:
            return []
        kept = []
        for item in items:
            begins = _LEVEL_OF.get(category_of(item.type), LEVELS)
            if begins == _KNOWN_ERRORS and item.type == "event":
                # Asked on every level: what passes below the sixth is what is known on it.
                is_known = self._seen.is_known(project_id, item.payload)
                if level < _KNOWN_ERRORS or not is_known:
                    kept.append(item)
            elif begins > level:
                kept.append(item)
        return kept


def limits_of(level: int, wait_s: int) -> str:
    """The value of X-Sentry-Rate-Limits on a level. Errors are never named before the last one: a
    new one must come through. No category means all."""
    if level <= 0:
        return ""
    named: list[str] = []
    if level < LEVELS:
        for _, held in STEPS[: min(level, _KNOWN_ERRORS - 1)]:
            named += [category for category in held if category != UNKNOWN_CATEGORY]
    return f"{wait_s}:{';'.join(named)}:organization:{REASON}"


def refused_at(level: int) -> tuple[str, ...]:
    """What a level refuses, in words; nothing on level 0."""
    if level >= LEVELS:
        return ("everything",)
    return tuple(name for name, _ in STEPS[:level])


def count(refusals: Refusals, project_id: int, items: Sequence[Item], kept: Sequence[Item]) -> None:
    """Count the items of an envelope that are not among those kept."""
    taken = {id(item) for item in kept}
    for item in items:
        if id(item) not in taken:
            refusals.count(
                project_id,
                REASON,
                quantity_of(item),
                category=category_of(item.type),
                outcome=RATE_LIMITED,
            )


class Announcer:
    """Logs new levels of the spool: each that is higher than what was said last, the others once a
    minute, and that it is over."""

    def __init__(self) -> None:
        self._level = 0
        self._said_at = 0.0

    def __call__(self, load: Load) -> None:
        now = time.monotonic()
        if not load.level:
            log.warning("The spool has room again: everything is accepted")
        elif load.level > self._level or now - self._said_at >= SAY_EVERY_S:
            log.warning(
                "The spool is %.0f %% full by %s (%d frames, %d MiB, oldest %.0f s): "
                "refused now: %s",
                load.share * 100,
                load.measure,
                load.frames,
                load.waiting_bytes >> 20,
                load.age_s,
                ", ".join(refused_at(load.level)),
            )
        else:
            return
        self._level, self._said_at = load.level, now
