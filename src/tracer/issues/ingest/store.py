"""A batch of prepared events into SQLite: duplicates out, hash to issue, counters, regressions.

All writes are gathered over the batch, so that an issue's row is written once however many of its
events came. Runs in the digest thread only; reads nothing but the open transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tracer.ingest.items import Batch, Ended
from tracer.issues.facts import IssueCreated, IssueRegressed, IssuesChanged
from tracer.issues.ingest import discards, rollups
from tracer.issues.ingest.prepare import PreparedEvent
from tracer.issues.ingest.spikes import hold_back
from tracer.issues.model import RESOLVED, UNRESOLVED, is_later_release
from tracer.storage.meta import Tx
from tracer.storage.tables import EVENTS, PAYLOADS

DUPLICATE = "duplicate"
PROJECT_DELETED = "project_deleted"


@dataclass(slots=True)
class Group:
    """An issue and its events of this batch. `origin` is the event that made it, if one did."""

    id: int
    project_id: int
    status: int
    status_at: int
    resolved_in: str | None
    regressed_at: int | None
    level: int
    is_handled: bool
    first_seen_at: int
    last_seen_at: int
    event_count: int
    user_count: int
    first_release: str | None
    last_release: str | None
    origin: PreparedEvent | None = None
    short_id: int = 0
    regressed_by: PreparedEvent | None = None
    events: list[PreparedEvent] = field(default_factory=list)


def store(batch: Batch, events: Sequence[PreparedEvent]) -> Sequence[str | Ended | None]:
    """Store events in their order of arrival; for each, None or why it was not stored."""
    tx = batch.tx
    reasons = discards.end(batch, events, _refusals(tx, events))
    kept = [event for event, reason in zip(events, reasons, strict=True) if reason is None]
    if not kept:
        return reasons
    groups = _groups(tx, kept)
    reasons = hold_back(batch, groups, events, reasons)
    groups = [group for group in groups if group.events]
    stored = [(group, event) for group in groups for event in group.events]
    for group in groups:
        for event in group.events:
            _count(tx, group, event)
    users = rollups.new_users(tx, groups)
    _write_new(tx, [group for group in groups if group.origin is not None])
    _write_known(tx, [group for group in groups if group.origin is None])
    _write_hashes(tx, groups)
    tx.execute(
        """
        INSERT INTO recent_events (project_id, event_id, issue_id, received_at)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3
        FROM json_each(:rows)
        """,
        rows=_json([(e.project_id, e.event_id, group.id, e.received_ms) for group, e in stored]),
    )
    rollups.write(tx, groups, users)
    _write_activity(tx, groups)
    _emit(tx, groups)
    batch.append(EVENTS, [event.event_row for _, event in stored])
    batch.append(PAYLOADS, [event.payload_row for _, event in stored])
    return reasons


def _refusals(tx: Tx, events: Sequence[PreparedEvent]) -> list[str | Ended | None]:
    pairs = [(event.project_id, event.event_id) for event in events]
    projects = {
        row[0]
        for row in tx.rows(
            """
            SELECT p.id
            FROM json_each(:ids) j
            CROSS JOIN projects p ON p.id = j.value
            WHERE p.deleted_at IS NULL
            """,
            ids=_json(sorted({project for project, _ in pairs})),
        )
    }
    seen = {
        pairs[row[0]]
        for row in tx.rows(
            """
            SELECT j.key
            FROM json_each(:pairs) j
            CROSS JOIN recent_events r
                ON r.project_id = j.value ->> 0 AND r.event_id = unhex(j.value ->> 1)
            """,
            pairs=_json(pairs),
        )
    }
    reasons: list[str | Ended | None] = []
    for pair in pairs:
        if pair[0] not in projects:
            reasons.append(PROJECT_DELETED)
        elif pair in seen:
            reasons.append(DUPLICATE)
        else:
            seen.add(pair)
            reasons.append(None)
    return reasons


# Hash to issue ----------------------------------------------------------------------------------


def _groups(tx: Tx, events: Sequence[PreparedEvent]) -> list[Group]:
    """The events by issue, in order of arrival; an event none of whose hashes is known makes one.

    There is no cache of hashes: one indexed read a batch is cheap, and never wrong after a merge
    or a deletion.
    """
    keys = {(event.project_id, hash_) for event in events for hash_ in event.hashes}
    ordered = list(keys)
    rows = tx.rows(
        """
        SELECT j.key, h.issue_id
        FROM json_each(:keys) j
        CROSS JOIN issue_hashes h ON h.project_id = j.value ->> 0 AND h.hash = j.value ->> 1
        """,
        keys=_json(ordered),
    )
    issue_ids = {ordered[place]: issue_id for place, issue_id in rows}
    groups = _load(tx, sorted(set(issue_ids.values())))
    next_id = (tx.value("SELECT seq FROM sqlite_sequence WHERE name = 'issues'") or 0) + 1
    for event in events:
        known = (issue_ids.get((event.project_id, hash_)) for hash_ in event.hashes)
        issue_id = next((found for found in known if found is not None), None)
        if issue_id is None:
            issue_id, next_id = next_id, next_id + 1
            groups[issue_id] = _new_group(tx, issue_id, event)
        for hash_ in event.hashes:
            issue_ids.setdefault((event.project_id, hash_), issue_id)
        groups[issue_id].events.append(event)
    # An issue that only a later hash led to may have got no event.
    return [group for group in groups.values() if group.events]


def _load(tx: Tx, issue_ids: Sequence[int]) -> dict[int, Group]:
    found = tx.load(
        Group,
        """
        SELECT i.id, i.project_id, i.status, i.status_at, i.resolved_in, i.regressed_at, i.level,
            i.is_handled, i.first_seen_at, i.last_seen_at, i.event_count, i.user_count,
            i.first_release, i.last_release
        FROM json_each(:ids) j
        CROSS JOIN issues i ON i.id = j.value
        """,
        ids=_json(issue_ids),
    )
    return {group.id: group for group in found}


def _new_group(tx: Tx, issue_id: int, event: PreparedEvent) -> Group:
    return Group(
        issue_id,
        event.project_id,
        UNRESOLVED,
        tx.now_ms,
        None,
        None,
        event.level,
        event.is_handled,
        event.timestamp_ms,
        event.timestamp_ms,
        0,
        0,
        event.release,
        event.release,
        origin=event,
    )


# Counting and the rule of regression ------------------------------------------------------------


def _count(tx: Tx, group: Group, event: PreparedEvent) -> None:
    at = event.timestamp_ms
    group.event_count += 1
    group.is_handled = group.is_handled and event.is_handled
    if at < group.first_seen_at:
        group.first_seen_at = at
        group.first_release = event.release or group.first_release
    if at >= group.last_seen_at:
        group.last_seen_at = at
        group.level = event.level
        group.last_release = event.release or group.last_release
    if group.status == RESOLVED and _reopens(tx, group, event):
        group.status = UNRESOLVED
        group.status_at = tx.now_ms
        group.regressed_at = tx.now_ms
        group.resolved_in = None
        group.regressed_by = event


def _reopens(tx: Tx, group: Group, event: PreparedEvent) -> bool:
    """Whether an event brings its resolved issue back.

    Not one that is older than the resolution. Of an issue resolved in a release only one from a
    later release: the fix ships with the next one. An event without a release proves nothing then.
    """
    if event.timestamp_ms < group.status_at:
        return False
    if group.resolved_in is None:
        return True
    if event.release is None:
        return False
    seen = dict(
        tx.rows(
            """
            SELECT version, first_seen_at
            FROM releases
            WHERE project_id = :project AND version IN (:release, :resolved_in)
            """,
            project=group.project_id,
            release=event.release,
            resolved_in=group.resolved_in,
        )
    )
    return is_later_release(
        event.release,
        group.resolved_in,
        seen_at=seen.get(event.release),
        than_seen_at=seen.get(group.resolved_in),
    )


# Writing ----------------------------------------------------------------------------------------


def _number(tx: Tx, groups: Sequence[Group]) -> None:
    """Give new issues the next short ids of their projects."""
    new: dict[int, list[Group]] = {}
    for group in groups:
        new.setdefault(group.project_id, []).append(group)
    for project_id, of_project in new.items():
        first = tx.value("SELECT next_short_id FROM projects WHERE id = :id", id=project_id)
        for place, group in enumerate(of_project):
            group.short_id = first + place
        tx.execute(
            "UPDATE projects SET next_short_id = next_short_id + :count WHERE id = :id",
            id=project_id,
            count=len(of_project),
        )


def _write_new(tx: Tx, groups: Sequence[Group]) -> None:
    if not groups:
        return
    _number(tx, groups)
    tx.many(
        """
        INSERT INTO issues (
            id, project_id, short_id, title, culprit, type, value, platform, level, is_handled,
            status, status_at, first_seen_at, last_seen_at, event_count, user_count,
            first_release, last_release, grouping_version
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (
                group.id,
                group.project_id,
                group.short_id,
                origin.title,
                origin.culprit,
                origin.type,
                origin.value,
                origin.platform,
                group.level,
                group.is_handled,
                group.status,
                group.status_at,
                group.first_seen_at,
                group.last_seen_at,
                group.event_count,
                group.user_count,
                group.first_release,
                group.last_release,
                origin.grouping_version,
            )
            for group in groups
            if (origin := group.origin)
        ],
    )
    tx.many(
        "INSERT INTO issue_text (rowid, text) VALUES (?, ?)",
        [
            (group.id, "\n".join((origin.title, origin.culprit, origin.type, origin.value)))
            for group in groups
            if (origin := group.origin)
        ],
    )


def _write_known(tx: Tx, groups: Sequence[Group]) -> None:
    tx.many(
        """
        UPDATE issues
        SET status = ?, status_at = ?, resolved_in = ?, regressed_at = ?, level = ?,
            is_handled = ?, first_seen_at = ?, last_seen_at = ?, event_count = ?, user_count = ?,
            first_release = ?, last_release = ?
        WHERE id = ?
        """,
        [
            (
                group.status,
                group.status_at,
                group.resolved_in,
                group.regressed_at,
                group.level,
                group.is_handled,
                group.first_seen_at,
                group.last_seen_at,
                group.event_count,
                group.user_count,
                group.first_release,
                group.last_release,
                group.id,
            )
            for group in groups
        ],
    )
    tx.many(
        "UPDATE issue_environments SET status = ? WHERE issue_id = ?",
        [(group.status, group.id) for group in groups if group.regressed_by is not None],
    )


def _write_hashes(tx: Tx, groups: Sequence[Group]) -> None:
    # OR IGNORE keeps a hash where it is: only a merge moves it.
    tx.many(
        "INSERT OR IGNORE INTO issue_hashes (project_id, hash, issue_id) VALUES (?, ?, ?)",
        {
            (group.project_id, hash_, group.id): None
            for group in groups
            for event in group.events
            for hash_ in event.hashes
        },
    )


def _write_activity(tx: Tx, groups: Sequence[Group]) -> None:
    rows = [
        (group.id, "first_seen", "{}", group.first_seen_at)
        for group in groups
        if group.origin is not None
    ]
    rows += [
        (
            group.id,
            "regression",
            _json({"event_id": event.event_id, "release": event.release}),
            event.timestamp_ms,
        )
        for group in groups
        if (event := group.regressed_by) is not None
    ]
    tx.many(
        "INSERT INTO issue_activity (issue_id, kind, data, created_at) VALUES (?, ?, ?, ?)", rows
    )


def _emit(tx: Tx, groups: Sequence[Group]) -> None:
    created: dict[int, int] = {}
    for group in groups:
        created.setdefault(group.project_id, 0)
        if group.origin is not None:
            created[group.project_id] += 1
            tx.emit(IssueCreated(group.project_id, group.id))
        elif group.regressed_by is not None:
            tx.emit(IssueRegressed(group.project_id, group.id))
    for project_id, count in created.items():
        tx.emit(IssuesChanged(project_id, count))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
