"""What is counted for each issue besides its row: environments, releases, hours, users, tags.

Counts are gathered over a batch first, then written with one statement a table. Tags, by far the
most rows, are written in one step: SQLite lets go of the GIL at each, and requests take it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tracer.issues.model import HOUR_MS, MAX_TAG_VALUES, OTHER_VALUES

if TYPE_CHECKING:
    from tracer.issues.ingest.store import Group
    from tracer.storage.meta import Tx

K = TypeVar("K")

#: (issue id, user key, environment)
UserSeen = tuple[int, str, str]
#: First seen, last seen, events: the tail of a row, gathered over the batch.
Span = list[int]
#: (issue id, key, value, first seen, last seen, events)
TagSeen = tuple[int | str, ...]


def new_users(tx: Tx, groups: Sequence[Group]) -> list[UserSeen]:
    """Who is new to an issue in an environment; `user_count` of the groups grows by those new at
    all."""
    seen = {
        (group.id, event.user_key, event.environment): None
        for group in groups
        for event in group.events
        if event.user_key is not None
    }
    if not seen:
        return []
    pairs = list({(issue_id, user_key): None for issue_id, user_key, _ in seen})
    rows = tx.rows(
        """
        SELECT u.issue_id, u.user_key, u.environment
        FROM json_each(:pairs) j
        CROSS JOIN issue_users u ON u.issue_id = j.value ->> 0 AND u.user_key = j.value ->> 1
        """,
        pairs=_json(pairs),
    )
    known = set(rows)
    met = {(issue_id, user_key) for issue_id, user_key, _ in rows}
    added = Counter(issue_id for issue_id, user_key in pairs if (issue_id, user_key) not in met)
    for group in groups:
        group.user_count += added.get(group.id, 0)
    return [user for user in seen if user not in known]


def write(tx: Tx, groups: Sequence[Group], users: Sequence[UserSeen]) -> None:
    """Write all that is counted for the batch. The rows of its issues are there already."""
    _write_environments(tx, groups, users)
    _write_releases(tx, groups)
    _write_hours(tx, groups)
    tx.many("INSERT INTO issue_users (issue_id, user_key, environment) VALUES (?, ?, ?)", users)
    _write_tags(tx, groups)
    _write_projects(tx, groups)


def _write_environments(tx: Tx, groups: Sequence[Group], users: Sequence[UserSeen]) -> None:
    user_counts = Counter((issue_id, environment) for issue_id, _, environment in users)
    rows = []
    for group in groups:
        spans: dict[str, Span] = {}
        for event in group.events:
            _extend(spans, event.environment, event.timestamp_ms)
        for environment, span in spans.items():
            count = user_counts.get((group.id, environment), 0)
            rows.append((group.id, environment, group.project_id, group.status, *span, count))
    tx.many(
        """
        INSERT INTO issue_environments (
            issue_id, environment, project_id, status, first_seen_at, last_seen_at, event_count,
            user_count
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (issue_id, environment) DO UPDATE
        SET first_seen_at = min(first_seen_at, excluded.first_seen_at),
            last_seen_at = max(last_seen_at, excluded.last_seen_at),
            event_count = event_count + excluded.event_count,
            user_count = user_count + excluded.user_count
        """,
        rows,
    )


def _write_releases(tx: Tx, groups: Sequence[Group]) -> None:
    of_issues: dict[tuple[int, str], Span] = {}
    of_projects: dict[tuple[int, str], Span] = {}
    for group in groups:
        for event in group.events:
            if event.release is not None:
                _extend(of_issues, (group.id, event.release), event.timestamp_ms)
                _extend(of_projects, (group.project_id, event.release), event.timestamp_ms)
    for table, owner, name, spans in (
        ("issue_releases", "issue_id", "release", of_issues),
        ("releases", "project_id", "version", of_projects),
    ):
        tx.many(
            f"""
            INSERT INTO {table} ({owner}, {name}, first_seen_at, last_seen_at, event_count)
            VALUES (?, ?, ?, ?, ?)
            ON CONFLICT ({owner}, {name}) DO UPDATE
            SET first_seen_at = min(first_seen_at, excluded.first_seen_at),
                last_seen_at = max(last_seen_at, excluded.last_seen_at),
                event_count = event_count + excluded.event_count
            """,  # noqa: S608
            [(*key, *span) for key, span in spans.items()],
        )


def _write_hours(tx: Tx, groups: Sequence[Group]) -> None:
    counts = Counter(
        (group.id, event.timestamp_ms - event.timestamp_ms % HOUR_MS, event.environment)
        for group in groups
        for event in group.events
    )
    tx.many(
        """
        INSERT INTO issue_hours (issue_id, hour_at, environment, event_count)
        VALUES (?, ?, ?, ?)
        ON CONFLICT (issue_id, hour_at, environment) DO UPDATE
        SET event_count = event_count + excluded.event_count
        """,
        [(*key, count) for key, count in counts.items()],
    )


def _write_tags(tx: Tx, groups: Sequence[Group]) -> None:
    rows: list[TagSeen] = []
    for group in groups:
        spans: dict[tuple[str, str], Span] = {}
        for event in group.events:
            for tag in event.tags.items():
                if tag[1]:
                    _extend(spans, tag, event.timestamp_ms)
        rows += [(group.id, key, value, *span) for (key, value), span in spans.items()]
    changed = tx.execute(
        """
        UPDATE issue_tags
        SET first_seen_at = min(first_seen_at, j.first_at),
            last_seen_at = max(last_seen_at, j.last_at),
            event_count = event_count + j.events
        FROM (
            SELECT value ->> 0 AS issue_id, value ->> 1 AS key, value ->> 2 AS value,
                value ->> 3 AS first_at, value ->> 4 AS last_at, value ->> 5 AS events
            FROM json_each(:rows)
        ) j
        WHERE issue_tags.issue_id = j.issue_id
            AND issue_tags.key = j.key
            AND issue_tags.value = j.value
        """,
        rows=_json(rows),
    )
    if changed < len(rows):
        _add_tags(tx, rows)


def _add_tags(tx: Tx, rows: Sequence[TagSeen]) -> None:
    """Write those of the rows whose value was not there: the others are counted already.

    A new value is added while its key has room; OTHER_VALUES stands for all that come later.
    """
    missing = tx.value(
        """
        SELECT json_group_array(j.key)
        FROM json_each(:rows) j
        WHERE NOT EXISTS (
            SELECT 1
            FROM issue_tags t
            WHERE t.issue_id = j.value ->> 0 AND t.key = j.value ->> 1 AND t.value = j.value ->> 2
        )
        """,
        rows=_json(rows),
    )
    new = [rows[place] for place in msgspec.json.decode(missing)]
    room = _room(tx, list({(row[0], row[1]): None for row in new}))
    for place, (issue_id, key, *rest) in enumerate(new):
        room[issue_id, key] -= 1
        if room[issue_id, key] < 0:
            new[place] = (issue_id, key, OTHER_VALUES, *rest[1:])
    tx.execute(
        """
        INSERT INTO issue_tags (issue_id, key, value, first_seen_at, last_seen_at, event_count)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
        FROM json_each(:rows)
        WHERE true
        ON CONFLICT (issue_id, key, value) DO UPDATE
        SET first_seen_at = min(first_seen_at, excluded.first_seen_at),
            last_seen_at = max(last_seen_at, excluded.last_seen_at),
            event_count = event_count + excluded.event_count
        """,
        rows=_json(new),
    )


def _room(tx: Tx, keys: Sequence[tuple[int | str, ...]]) -> dict[tuple[int | str, ...], int]:
    """How many values each tag key of an issue may still get."""
    counts = tx.value(
        f"""
        SELECT json_group_array((
            SELECT count(*)
            FROM (
                SELECT 1
                FROM issue_tags t
                WHERE t.issue_id = j.value ->> 0 AND t.key = j.value ->> 1
                LIMIT {MAX_TAG_VALUES}
            )
        ))
        FROM json_each(:keys) j
        """,  # noqa: S608
        keys=_json(keys),
    )
    return {
        key: MAX_TAG_VALUES - count
        for key, count in zip(keys, msgspec.json.decode(counts), strict=True)
    }


def _write_projects(tx: Tx, groups: Sequence[Group]) -> None:
    environments: dict[tuple[int, str], int] = {}
    received: dict[int, int] = {}
    for group in groups:
        for event in group.events:
            key = (group.project_id, event.environment)
            environments[key] = min(environments.get(key, event.timestamp_ms), event.timestamp_ms)
            received.setdefault(group.project_id, event.received_ms)
    tx.many(
        "INSERT OR IGNORE INTO environments (project_id, name, first_seen_at) VALUES (?, ?, ?)",
        [(*key, at) for key, at in environments.items()],
    )
    tx.many(
        "UPDATE projects SET first_event_at = ? WHERE id = ? AND first_event_at IS NULL",
        [(at, project_id) for project_id, at in received.items()],
    )


def _extend(spans: dict[K, Span], key: K, at: int) -> None:
    span = spans.get(key)
    if span is None:
        spans[key] = [at, at, 1]
        return
    span[2] += 1
    if at < span[0]:
        span[0] = at
    elif at > span[1]:
        span[1] = at


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
