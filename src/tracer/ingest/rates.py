"""The rate limit of a project key: how many events it takes in a window. Pure but for the count.

As with Sentry it is about errors, messages and security reports. Whatever else comes, such as
sessions and check-ins, is let through, also out of an envelope whose event is over the limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracer.ingest.outcomes import RATE_LIMITED, Refusals
from tracer.protocol.categories import ITEM_CATEGORY, category_of

if TYPE_CHECKING:
    from tracer.projects.keys import KeyCache, ProjectKey
    from tracer.protocol.envelope import Item

REASON: Final = "key_rate_limit"
CATEGORIES: Final = ("default", "error", "security")

EVENTS: Final = frozenset(kind for kind, held in ITEM_CATEGORY.items() if held in CATEGORIES)
#: What belongs to an event goes with it.
_LOST: Final = EVENTS | {"attachment"}


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that is reached: items of the types `lost` are not taken for `wait_s` seconds."""

    wait_s: int
    lost: frozenset[str]
    keeps_some: bool


def exceeded(keys: KeyCache, key: ProjectKey, items: Iterable[Item]) -> Exceeded | None:
    """Counts the events of one envelope. None when all of it may be taken."""
    if key.rate is None:
        return None
    types = [item.type for item in items]
    events = sum(kind in EVENTS for kind in types)
    wait_s = keys.over_rate(key, events) if events else 0
    if not wait_s:
        return None
    return Exceeded(wait_s, _LOST, any(kind not in _LOST for kind in types))


def count_lost(refusals: Refusals, project_id: int, items: Iterable[Item]) -> None:
    """Counts the items of an envelope of which nothing is taken."""
    for item in items:
        refusals.count(project_id, REASON, category=category_of(item.type), outcome=RATE_LIMITED)
