"""What the environments that a policy hides take out of sight. Never writes.

An issue all of whose environments are hidden is not there. One that has events in others too is
shown as these tell it: title, tags and releases come from events that may be seen. What counts
all environments together (events, users, times, charts) stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracer import clock
from tracer.issues.model import Activity, Breakdown, Issue, Tag, TagValue
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

#: Tags of an issue with hidden events are those of so many of its latest others.
SAMPLE = 1000
UNTOLD = "No event to be seen"

# A row of issue_environments (`{x}`) whose environment is among those of the parameter `hidden`.
_IS_HIDDEN = """
    EXISTS (
        SELECT 1
        FROM json_each(:hidden) hid
        WHERE hid.value ->> 1 = {x}.environment
            AND (hid.value ->> 0 IS NULL OR hid.value ->> 0 = {x}.project_id)
    )"""
#: Conditions on an issue `i`: it has events that may be seen; it has none that may not.
HAS_SEEN = f"""
    EXISTS (
        SELECT 1 FROM issue_environments v
        WHERE v.issue_id = i.id AND NOT {_IS_HIDDEN.format(x="v")}
    )"""  # noqa: S608
HAS_NO_HIDDEN = f"""
    NOT EXISTS (
        SELECT 1 FROM issue_environments v
        WHERE v.issue_id = i.id AND {_IS_HIDDEN.format(x="v")}
    )"""  # noqa: S608

_OF_ISSUES = "project_id = $project_id AND group_hash IN $hashes AND environment NOT IN $hidden"
TOLD = Sql(f"""
    SELECT group_hash, max(timestamp), arg_max(title, timestamp), arg_max(culprit, timestamp),
        min(timestamp), arg_min(release, timestamp), arg_max(release, timestamp)
    FROM events
    WHERE {_OF_ISSUES}
    GROUP BY group_hash""")  # noqa: S608
LATEST = Sql(f"""
    SELECT timestamp, release, tags
    FROM events
    WHERE {_OF_ISSUES}
    ORDER BY timestamp DESC
    LIMIT $limit""")  # noqa: S608


class Seen(NamedTuple):
    """Ids of issues: those that are there at all, and those of them with hidden events besides."""

    there: frozenset[int]
    touched: frozenset[int]


def parameter(reach: Reach) -> str:
    """The value of `hidden` in conditions."""
    return msgspec.json.encode(reach.hidden).decode()


def seen(reader: Reader, reach: Reach, issues: Iterable[Issue]) -> Seen:
    """Which of the issues are there for this reach, and which are so in part only."""
    ids = frozenset(issue.id for issue in issues if reach.holds(issue.project_id))
    if not reach.hidden or not ids:
        return Seen(ids, frozenset())
    rows = reader.rows(
        f"""
        SELECT e.issue_id, count(*), count(*) FILTER (WHERE {_IS_HIDDEN.format(x="e")})
        FROM json_each(:ids) j
        CROSS JOIN issue_environments e ON e.issue_id = j.value
        GROUP BY e.issue_id
        """,  # noqa: S608
        ids=str(sorted(ids)),
        hidden=parameter(reach),
    )
    there = frozenset(id_ for id_, count, hidden in rows if count > hidden)
    return Seen(there, frozenset(id_ for id_, _, hidden in rows if hidden and id_ in there))


def is_touched(reader: Reader, reach: Reach, issue: Issue) -> bool:
    """Whether some of the issue's events are hidden."""
    return bool(seen(reader, reach, [issue]).touched)


def told(tracer: Tracer, reach: Reach, issues: Sequence[Issue]) -> list[Issue]:
    """The issues with titles and releases as the events tell them that may be seen."""
    reader = tracer.meta.read()
    touched = seen(reader, reach, issues).touched
    if not touched:
        return list(issues)
    by_issue: dict[int, list[str]] = {}
    for issue_id, hash_ in reader.rows(
        """
        SELECT h.issue_id, h.hash
        FROM json_each(:ids) j
        CROSS JOIN issue_hashes h ON h.issue_id = j.value
        """,
        ids=str(sorted(touched)),
    ):
        by_issue.setdefault(issue_id, []).append(hash_)
    rows: dict[tuple[int, str], tuple[Any, ...]] = {}
    for project_id in {issue.project_id for issue in issues if issue.id in touched}:
        of_project = [i.id for i in issues if i.project_id == project_id and i.id in touched]
        found = tracer.events.select(
            TOLD,
            project_id=project_id,
            hashes=[hash_ for id_ in of_project for hash_ in by_issue.get(id_, ())],
            hidden=list(reach.hides(project_id)),
        )
        rows |= {(project_id, row[0]): row for row in found}
    return [
        _told(issue, [rows.get((issue.project_id, h)) for h in by_issue.get(issue.id, ())])
        if issue.id in touched
        else issue
        for issue in issues
    ]


def _told(issue: Issue, rows: Sequence[tuple[Any, ...] | None]) -> Issue:
    known = [row for row in rows if row is not None]
    bare = replace(issue, type="", value="", culprit="", title=UNTOLD)
    if not known:
        return replace(bare, first_release=None, last_release=None)
    first = min(known, key=lambda row: row[4])
    last = max(known, key=lambda row: row[1])
    return replace(
        bare,
        title=last[2] or UNTOLD,
        culprit=last[3] or "",
        first_release=first[5],
        last_release=last[6],
    )


def without_events(entries: Sequence[Activity]) -> list[Activity]:
    """Activity without what it says of single events."""
    return [replace(e, data={}) if e.kind == "regression" else e for e in entries]


# Numbers from the events that may be seen ---------------------------------------------------------


def releases(tracer: Tracer, reach: Reach, issue: Issue) -> list[Breakdown]:
    """As `detail.releases`, of the latest events that may be seen."""
    times: dict[str, list[int]] = {}
    for at, release, _ in _latest(tracer, reach, issue):
        if release:
            times.setdefault(release, []).append(at)
    found = [Breakdown(name, len(at), min(at), max(at)) for name, at in times.items()]
    return sorted(found, key=lambda one: (-one.last_seen_at, one.name))[:100]


def tags(tracer: Tracer, reach: Reach, issue: Issue, *, top: int) -> list[Tag]:
    """As `detail.tags`, of the latest events that may be seen."""
    keys: dict[str, dict[str, list[int]]] = {}
    for at, _, of_event in _latest(tracer, reach, issue):
        for key, value in of_event.items():
            keys.setdefault(key, {}).setdefault(value, []).append(at)
    return [_tag(key, keys[key], top=top) for key in sorted(keys)]


def tag(
    tracer: Tracer, reach: Reach, issue: Issue, key: str, *, top: int, offset: int
) -> Tag | None:
    """As `detail.tag`, of the latest events that may be seen."""
    values: dict[str, list[int]] = {}
    for at, _, of_event in _latest(tracer, reach, issue):
        if key in of_event:
            values.setdefault(of_event[key], []).append(at)
    found = _tag(key, values, top=top, offset=offset)
    return found if found.values else None


def _tag(key: str, values: dict[str, list[int]], *, top: int, offset: int = 0) -> Tag:
    counts = Counter({value: len(times) for value, times in values.items()})
    total = counts.total()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[offset : offset + top]
    return Tag(
        key,
        tuple(
            TagValue(value, count, 100 * count / total, min(values[value]), max(values[value]))
            for value, count in ordered
        ),
        len(counts),
        total,
    )


def _latest(
    tracer: Tracer, reach: Reach, issue: Issue
) -> list[tuple[int, str | None, dict[str, str]]]:
    hashes = tracer.meta.read().rows(
        "SELECT hash FROM issue_hashes WHERE issue_id = :i", i=issue.id
    )
    rows = tracer.events.select(
        LATEST,
        project_id=issue.project_id,
        hashes=[hash_ for (hash_,) in hashes],
        hidden=list(reach.hides(issue.project_id)),
        limit=SAMPLE,
    )
    return [(_ms(at), release, found or {}) for at, release, found in rows]


def _ms(moment: datetime) -> int:
    return clock.to_ms(moment.replace(tzinfo=UTC))
