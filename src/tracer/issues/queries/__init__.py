"""Reads of issues: one, pages of them, their numbers, and their events in the event store."""

from __future__ import annotations

from tracer.issues.queries.around import find_around, neighbours
from tracer.issues.queries.detail import (
    activity,
    attachment,
    attachments,
    comment,
    comment_counts,
    environments,
    hashes,
    newest_release,
    releases,
    tag,
    tags,
)
from tracer.issues.queries.discarded import discarded, discarded_page
from tracer.issues.queries.events import (
    clean_event_id,
    events_of_issue,
    events_of_project,
    find_event,
    find_project_event,
    issue_id_of,
    issue_ids_of,
    latest_by_hash,
    payload,
)
from tracer.issues.queries.filters import Filters
from tracer.issues.queries.hidden import told
from tracer.issues.queries.hours import sparklines_14d, sparklines_24h
from tracer.issues.queries.moments import parse_period
from tracer.issues.queries.page import PAGE_SIZE, SORTS, Cursor, Page, page
from tracer.issues.queries.rows import (
    counted_in,
    current_issue,
    issue,
    issue_by_name,
    issues_by_id,
)

__all__ = [
    "PAGE_SIZE",
    "SORTS",
    "Cursor",
    "Filters",
    "Page",
    "activity",
    "attachment",
    "attachments",
    "clean_event_id",
    "comment",
    "comment_counts",
    "counted_in",
    "current_issue",
    "discarded",
    "discarded_page",
    "environments",
    "events_of_issue",
    "events_of_project",
    "find_around",
    "find_event",
    "find_project_event",
    "hashes",
    "issue",
    "issue_by_name",
    "issue_id_of",
    "issue_ids_of",
    "issues_by_id",
    "latest_by_hash",
    "neighbours",
    "newest_release",
    "page",
    "parse_period",
    "payload",
    "releases",
    "sparklines_14d",
    "sparklines_24h",
    "tag",
    "tags",
    "told",
]
