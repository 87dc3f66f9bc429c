"""What the API of issues takes and gives, shaped like Sentry's. Ids are strings, dates ISO 8601."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tracer import clock
from tracer.issues.model import MAX_COMMENT, RESOLVED, Activity, Issue, Tag, TagValue
from tracer.protocol.categories import LEVEL_NAMES

Status = Literal["unresolved", "resolved", "ignored", "resolvedInNextRelease", "archived"]
Point = tuple[int, int]


class ProjectRef(msgspec.Struct):
    """The project of an issue."""

    id: str
    slug: str
    name: str
    platform: str


class UserRef(msgspec.Struct):
    """Somebody who can log in."""

    type: str
    id: str
    name: str
    email: str | None = None


class StatusDetails(msgspec.Struct, rename="camel", omit_defaults=True):
    """How it was resolved. Only an event of a release after `inRelease` opens it again.

    `inNextRelease` stands for the project's newest release.
    """

    in_release: str | None = None
    in_next_release: bool | None = None


class Metadata(msgspec.Struct):
    """What the title is made of."""

    title: str
    type: str
    value: str


class IssueSummary(msgspec.Struct, rename="camel"):
    """An issue as lists show it; `count` is a number as text. With an environment chosen, counts
    and times are of that environment. `stats` has (unix seconds, events) by period."""

    id: str
    short_id: str
    title: str
    culprit: str
    permalink: str
    level: str
    status: Literal["unresolved", "resolved", "ignored"]
    substatus: str
    status_details: StatusDetails
    type: Literal["error", "default"]
    platform: str
    project: ProjectRef
    metadata: Metadata
    assigned_to: UserRef | None
    is_unhandled: bool
    count: str
    user_count: int
    first_seen: datetime
    last_seen: datetime
    stats: dict[str, list[Point]]
    logger: str | None = None
    num_comments: int = 0
    annotations: list[str] = []
    has_seen: bool = True
    is_bookmarked: bool = False
    is_public: bool = False
    is_subscribed: bool = False
    share_id: str | None = None


class ReleaseRef(msgspec.Struct):
    """A release by its version."""

    version: str


class TagShare(msgspec.Struct, rename="camel"):
    """One value of a tag and how many of the issue's events have it."""

    key: str
    name: str
    value: str
    count: int
    first_seen: datetime
    last_seen: datetime


class TagInfo(msgspec.Struct, rename="camel"):
    """A tag key over an issue. Values beyond the first 1,000 of a key count as one, ""."""

    key: str
    name: str
    unique_values: int
    total_values: int
    top_values: list[TagShare]


class Note(msgspec.Struct, rename="camel"):
    """An entry of an issue's activity; a comment has the type `note` and its text in `data`."""

    id: str
    type: str
    user: UserRef | None
    data: dict[str, Any]
    date_created: datetime


class IssueDetail(IssueSummary, rename="camel", kw_only=True):
    """An issue with its activity and tags."""

    activity: list[Note]
    tags: list[TagInfo]
    first_release: ReleaseRef | None
    last_release: ReleaseRef | None


class IssueUpdate(msgspec.Struct, rename="camel"):
    """Fields that are not named stay. `assignedTo` is a user's id, "user:<id>" or e-mail; null or
    "" for nobody. `snoozeDuration` is accepted; an archived issue stays so until it is opened."""

    status: Status | UnsetType = UNSET
    status_details: StatusDetails | UnsetType = UNSET
    assigned_to: Annotated[str, msgspec.Meta(max_length=320)] | UnsetType | None = UNSET
    snooze_duration: float | UnsetType | None = UNSET


class BulkResult(msgspec.Struct, rename="camel", omit_defaults=True):
    """What was set; `ids` are the issues it was done to."""

    ids: list[str]
    status: str | UnsetType = UNSET
    status_details: StatusDetails | UnsetType = UNSET
    assigned_to: UserRef | UnsetType | None = UNSET


class NoteText(msgspec.Struct):
    """A comment to be written."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_COMMENT)]


class HashEvent(msgspec.Struct, rename="camel"):
    """The last event with a hash."""

    event_id: str = msgspec.field(name="eventID")
    date_created: datetime


class HashInfo(msgspec.Struct, rename="camel"):
    """A group hash that leads to the issue."""

    id: str
    latest_event: HashEvent | None


def issue_summary(
    issue: Issue, project: ProjectRef, base_url: str, stats: dict[str, list[Point]]
) -> IssueSummary:
    """An issue for a list."""
    return IssueSummary(**_fields(issue, project, base_url, stats))


def issue_detail(
    issue: Issue,
    project: ProjectRef,
    base_url: str,
    stats: dict[str, list[Point]],
    *,
    activity: list[Activity],
    tags: list[Tag],
) -> IssueDetail:
    """An issue by itself."""
    comments = sum(entry.kind == "comment" for entry in activity)
    fields = _fields(issue, project, base_url, stats) | {"num_comments": comments}
    return IssueDetail(
        **fields,
        activity=[note(entry) for entry in activity],
        tags=[tag_info(tag) for tag in tags],
        first_release=ReleaseRef(issue.first_release) if issue.first_release else None,
        last_release=ReleaseRef(issue.last_release) if issue.last_release else None,
    )


def _fields(
    issue: Issue, project: ProjectRef, base_url: str, stats: dict[str, list[Point]]
) -> dict[str, Any]:
    return {
        "id": str(issue.id),
        "short_id": issue.name,
        "title": issue.title,
        "culprit": issue.culprit,
        "permalink": f"{base_url}/issues/{issue.id}/",
        "level": LEVEL_NAMES.get(issue.level, "error"),
        "status": issue.status_name,
        "substatus": "regressed" if issue.is_regressed else issue.status_name,
        "status_details": StatusDetails(in_release=issue.resolved_in)
        if issue.status == RESOLVED and issue.resolved_in
        else StatusDetails(),
        "type": "error" if issue.type else "default",
        "platform": issue.platform,
        "project": project,
        "metadata": Metadata(issue.title, issue.type, issue.value),
        "assigned_to": UserRef("user", str(issue.assignee_id), issue.assignee or "")
        if issue.assignee_id is not None
        else None,
        "is_unhandled": not issue.is_handled,
        "count": str(issue.event_count),
        "user_count": issue.user_count,
        "first_seen": clock.from_ms(issue.first_seen_at),
        "last_seen": clock.from_ms(issue.last_seen_at),
        "stats": stats,
    }


def note(entry: Activity) -> Note:
    """An entry of the activity; what people wrote is called a note."""
    user = None
    if entry.user_id is not None:
        user = UserRef("user", str(entry.user_id), entry.user or "")
    return Note(
        id=str(entry.id),
        type="note" if entry.kind == "comment" else entry.kind,
        user=user,
        data=entry.data,
        date_created=clock.from_ms(entry.created_at),
    )


def tag_info(tag: Tag) -> TagInfo:
    """A tag key with its values."""
    shares = [tag_share(tag.key, value) for value in tag.values]
    return TagInfo(tag.key, tag.key, tag.value_count, tag.event_count, shares)


def tag_share(key: str, value: TagValue) -> TagShare:
    """One value of a tag key."""
    return TagShare(
        key=key,
        name=value.value or "(other values)",
        value=value.value,
        count=value.event_count,
        first_seen=clock.from_ms(value.first_seen_at),
        last_seen=clock.from_ms(value.last_seen_at),
    )
