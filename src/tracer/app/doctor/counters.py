"""Counters against events, and what else must agree between meta.db and the event store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracer.app.doctor.model import ERROR, WARNING, Finding, Place, plural


def issues(place: Place) -> Iterator[Finding]:
    """The counters of every issue against its events."""
    for project_id, slug in place.reader.rows(
        "SELECT id, slug FROM projects WHERE deleted_at IS NULL ORDER BY id"
    ):
        after: int | None = 0
        while after is not None:
            looked = place.ask("doctor_counters", project_id=project_id, after=after)
            after = looked["next"]
            place.step()
            yield from _of_issues(slug, looked["differences"])


def _of_issues(slug: str, differences: list[dict[str, Any]]) -> Iterator[Finding]:
    by_issue: dict[int, list[dict[str, Any]]] = {}
    for one in differences:
        by_issue.setdefault(one["issue_id"], []).append(one)
    for issue_id, found in by_issue.items():
        parts = ", ".join(f"{o['what']} {o['counted']:,} for {o['found']:,}" for o in found)
        yield Finding(
            ERROR,
            "counters",
            f"Issue {issue_id} of {slug} is counted wrongly: {parts}.",
            "The issue list, charts and sorting by events show the wrong number.",
            "`tracer doctor --fix` counts its events anew.",
            (("recount", {"issue_id": issue_id}),),
        )


def projects(place: Place) -> Iterator[Finding]:
    """Short ids that would be given twice."""
    for project_id, slug, next_id, highest in place.reader.rows(
        """
        SELECT p.id, p.slug, p.next_short_id, max(i.short_id)
        FROM projects p
        JOIN issues i ON i.project_id = p.id
        GROUP BY p.id
        HAVING max(i.short_id) >= p.next_short_id
        """
    ):
        yield Finding(
            ERROR,
            "short-ids",
            f"{slug} would give the number {next_id} next and has issues up to {highest}.",
            "New issues of the project cannot be stored.",
            "`tracer doctor --fix` goes on after the highest number.",
            (("short_ids", {"project_id": project_id}),),
        )


def store(place: Place) -> Iterator[Finding]:
    """The event store opens, its tables agree, and every payload can be decoded."""
    found = place.ask("doctor_events")
    place.step()
    if found["events"] != found["payloads"]:
        yield Finding(
            WARNING,
            "payloads",
            f"{plural(found['events'], 'event')} and {plural(found['payloads'], 'payload')}.",
            "Some events are listed and cannot be opened, or their contents are left over.",
            "While something is being erased this passes; else restore a backup.",
        )
    known = {0, *(row[0] for row in place.reader.rows("SELECT id FROM dictionaries"))}
    missing = sorted(set(found["dictionaries"]) - known)
    if missing:
        yield Finding(
            ERROR,
            "dictionaries",
            f"Payloads were made with dictionaries that are missing: {missing}.",
            "These events are listed and counted, and their contents cannot be read.",
            "Restore a backup of meta.db that has them.",
        )
