"""Issues and what is shown of them: records, statuses, the rules of regression. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

UNRESOLVED: Final = 0
RESOLVED: Final = 1
IGNORED: Final = 2

#: Names as in search and in the API; the UI says "archived" for ignored.
STATUSES: Final = {"unresolved": UNRESOLVED, "resolved": RESOLVED, "ignored": IGNORED}
STATUS_NAMES: Final = {number: name for name, number in STATUSES.items()}

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

#: Distinct values kept for each tag key of an issue; further ones are counted under OTHER_VALUES.
MAX_TAG_VALUES: Final = 1000
OTHER_VALUES: Final = ""

MAX_COMMENT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue. Every `_at` is unix milliseconds; `level` and `status` are numbers."""

    id: int
    project_id: int
    project_slug: str
    short_id: int
    title: str
    culprit: str
    type: str
    value: str
    platform: str
    level: int
    is_handled: int
    status: int
    status_at: int
    resolved_in: str | None
    regressed_at: int | None
    assignee_id: int | None
    assignee: str | None
    first_seen_at: int
    last_seen_at: int
    event_count: int
    user_count: int
    first_release: str | None
    last_release: str | None
    grouping_version: int

    @property
    def name(self) -> str:
        """The short id as people say it: `SHOP-12`."""
        return f"{self.project_slug.upper()}-{self.short_id}"

    @property
    def status_name(self) -> str:
        return STATUS_NAMES[self.status]

    @property
    def is_regressed(self) -> bool:
        """Whether it is open because it came back."""
        return self.status == UNRESOLVED and self.regressed_at is not None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Events of an issue in one environment or release."""

    name: str
    event_count: int
    first_seen_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class TagValue:
    """One value of a tag and its share of the key's events; `value` "" stands for all others."""

    value: str
    event_count: int
    percent: float
    first_seen_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag key over an issue: its top values, how many there are, how many events carry it."""

    key: str
    values: tuple[TagValue, ...]
    value_count: int
    event_count: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that happened to an issue. `kind` is one of: first_seen, regression, resolved,
    unresolved, ignored, assigned, unassigned, comment. `data` depends on the kind."""

    id: int
    kind: str
    data: dict[str, Any]
    created_at: int
    user_id: int | None
    user: str | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as the event store's narrow table holds it; `level` is a number."""

    event_id: str
    project_id: int
    group_hash: str
    timestamp: datetime
    received_at: datetime
    level: int
    type: str
    platform: str
    environment: str
    release: str | None
    dist: str | None
    transaction: str | None
    user_key: str | None
    title: str
    culprit: str
    is_handled: bool
    has_attachments: bool
    size_bytes: int
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class EventHead:
    """What the page of an event says of it beside its payload; `level` is a number."""

    event_id: str
    project_id: int
    timestamp: datetime
    level: int
    environment: str
    release: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The ids of the events around one, within its issue; `position` counts from 1 = the oldest."""

    first: str | None
    previous: str | None
    next: str | None
    last: str | None
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with an event."""

    id: int
    project_id: int
    event_id: str
    name: str
    content_type: str
    attachment_type: str
    size_bytes: int
    blob: str
    created_at: int


_VERSION = re.compile(
    r"(?:(?P<package>[^@\s]+)@)?v?(?P<major>\d{1,9})(?:\.(?P<minor>\d{1,9}))?(?:\.(?P<patch>\d{1,9}))?"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z"
)

#: Numbers, then 1 for a release or 0 and the identifiers for a pre-release.
Version = tuple[tuple[int, int, int], int, tuple[tuple[int, int, str], ...]]


def parse_version(release: str) -> tuple[str, Version] | None:
    """The package and the comparable semantic version of "package@1.2.3-rc.1+build".

    None for what is no version, such as a commit hash. Precedence: semver.org 2.0.0, section 11.
    """
    match = _VERSION.match(release)
    # A lone number is a build counter or a date, and seven digits may be a commit.
    if match is None or (match["minor"] is None and match["package"] is None):
        return None
    numbers = (int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0))
    identifiers = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in (match["pre"] or "").split(".")
        if part
    )
    return match["package"] or "", (numbers, 0 if identifiers else 1, identifiers)


def is_later_release(
    release: str, than: str, *, seen_at: int | None, than_seen_at: int | None
) -> bool:
    """Whether `release` came after `than`: by version if both are versions of one package, else
    by when they were first seen (unix ms; None = not seen yet, which is latest)."""
    if release == than:
        return False
    mine, other = parse_version(release), parse_version(than)
    if mine is not None and other is not None and mine[0] == other[0]:
        return mine[1] > other[1]
    if than_seen_at is None:
        return False
    return seen_at is None or seen_at > than_seen_at


@dataclass(frozen=True, slots=True)
class Discarded:
    """An issue that was deleted and whose kind is filtered out since. `event_count` are the events
    filtered since then."""

    id: int
    project_id: int
    project_slug: str
    short_id: int
    title: str
    culprit: str
    level: int
    environments: str
    discarded_by: str | None
    discarded_at: int
    event_count: int
    last_seen_at: int | None

    @property
    def name(self) -> str:
        """The short id that it had."""
        return f"{self.project_slug.upper()}-{self.short_id}"
