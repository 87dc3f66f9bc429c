"""What the issue page shows of values and how often each occurs. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.issues.model import Breakdown, Tag

#: Values of a breakdown by name; the others are counted.
TOP = 6
#: These have a place of their own on the page.
_SHOWN_ELSEWHERE = {"environment", "release", "level"}
#: Tags that nearly every event has tell little: they begin closed; the first of the others, open.
_COMMON = {"browser.name", "client_os.name", "os.name", "runtime.name", "device.family"}
_OPEN = 4


@dataclass(frozen=True, slots=True)
class Share:
    """A value, how many events have it, and how many percent of them that is."""

    value: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class TagFold:
    """A tag key with its most frequent values."""

    key: str
    value_count: int
    is_open: bool
    rows: list[Share]


def breakdowns(
    *, environments: Sequence[Breakdown], releases: Sequence[Breakdown]
) -> list[tuple[str, list[Share], int]]:
    """Titles, the first values, and how many more there are; what is empty is left out."""
    found = []
    for title, rows in (("Environments", environments), ("Releases", releases)):
        if rows:
            total = sum(row.event_count for row in rows) or 1
            shares = [
                Share(row.name, row.event_count, 100 * row.event_count / total)
                for row in rows[:TOP]
            ]
            found.append((title, shares, len(rows) - len(shares)))
    return found


def tag_folds(tags: Sequence[Tag]) -> list[TagFold]:
    """The tags in their order, without those shown elsewhere."""
    found: list[TagFold] = []
    special = 0
    for tag in tags:
        if tag.key in _SHOWN_ELSEWHERE:
            continue
        is_open = tag.key not in _COMMON and special < _OPEN
        special += is_open
        rows = [
            Share(value.value or "(others)", value.event_count, value.percent)
            for value in tag.values
        ]
        found.append(TagFold(tag.key, tag.value_count, is_open, rows))
    return found
