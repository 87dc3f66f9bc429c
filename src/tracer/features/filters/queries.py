"""Reads for the filters' page: what was filtered by day, and a dry run over stored events.
Never writes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.features.filters.model import Example, Trial
from tracer.ingest.filters import compile_filters
from tracer.ingest.outcomes import FILTERED
from tracer.kit.permissions import Permission
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.ingest.filters import Filter
    from tracer.kit.context import Req, Tracer
    from tracer.projects.model import Project
    from tracer.protocol.filter_rules import FilterRules
    from tracer.storage.meta import Reader

DAY_MS = 86_400_000
#: A dry run looks at so many events, of so many days, for so long, and shows so many of them.
SAMPLE = 1000
DAYS = 7
LIMIT_S = 4.0
EXAMPLES = 10
#: Statements for the page on all stores, who asks and whether they may included.
QUERY_BUDGET = 14

_CHUNK = 100

LATEST = Sql("""
    SELECT event_id, timestamp, group_hash, title
    FROM events
    WHERE project_id = $project_id AND timestamp >= $since AND environment NOT IN $hidden
    ORDER BY timestamp DESC
    LIMIT $limit""")
PAYLOADS = Sql("""
    SELECT event_id, dictionary, body
    FROM payloads
    WHERE project_id = $project_id AND event_id IN $event_ids AND timestamp >= $since""")


def by_day(reader: Reader, project_id: int, *, now_ms: int) -> dict[str, list[int]]:
    """Filtered events of the last seven days (UTC, today last) by filter."""
    today = now_ms - now_ms % DAY_MS
    first = today - (DAYS - 1) * DAY_MS
    rows = reader.rows(
        """
        SELECT reason, (hour_at - :first) / :day, sum(quantity)
        FROM outcomes
        WHERE project_id = :project AND hour_at >= :first AND category = 'error'
            AND outcome = :filtered
        GROUP BY 1, 2
        """,
        project=project_id,
        first=first,
        day=DAY_MS,
        filtered=FILTERED,
    )
    found: dict[str, list[int]] = {}
    for reason, day, count in rows:
        if 0 <= day < DAYS:
            found.setdefault(reason, [0] * DAYS)[day] += count
    return found


def dry_run(req: Req, project: Project, rules: FilterRules) -> Trial:
    """What the rules would have filtered of the latest stored events that may be seen.

    Stored events are scrubbed: what was removed from one cannot be looked at any more. Examples are
    for those alone who may read events.
    """
    trial, tracer = Trial(), req.tracer
    wanted = compile_filters(rules)
    since = datetime.fromtimestamp(clock.now_ms() / 1000 - DAYS * 86_400, UTC).replace(tzinfo=None)
    rows = tracer.events.select(
        LATEST,
        project_id=project.id,
        since=since,
        hidden=list(req.reach.hides(project.id)) or [""],
        limit=SAMPLE,
    )
    ends = time.monotonic() + LIMIT_S
    hits: list[tuple[str, tuple[Any, ...]]] = []
    for start in range(0, len(rows), _CHUNK):
        if time.monotonic() > ends:
            trial.is_cut = True
            break
        chunk = rows[start : start + _CHUNK]
        trial.looked += len(chunk)
        trial.since_ms = _ms(chunk[-1][1])
        if wanted is not None:
            hits += _hits(tracer, project.id, chunk, wanted)
    trial.counts.update(name for name, _ in hits)
    if req.actor.can(Permission.EVENT_READ, project.id):
        trial.examples = _examples(tracer, project.id, hits)
    return trial


def _hits(
    tracer: Tracer, project_id: int, rows: list[tuple[Any, ...]], wanted: Filter
) -> list[tuple[str, tuple[Any, ...]]]:
    payloads = tracer.events.select(
        PAYLOADS,
        project_id=project_id,
        event_ids=[row[0] for row in rows],
        since=rows[-1][1],
    )
    names = {}
    for event_id, dictionary, body in payloads:
        data = msgspec.json.decode(tracer.codec.decode(dictionary, bytes(body)))
        names[event_id] = wanted(data, None, None)
    return [(name, row) for row in rows if (name := names.get(row[0])) is not None]


def _examples(
    tracer: Tracer, project_id: int, hits: list[tuple[str, tuple[Any, ...]]]
) -> list[Example]:
    """The latest of each filter and issue."""
    chosen = {(name, row[2]): row for name, row in reversed(hits)}
    latest = sorted(chosen.items(), key=lambda entry: entry[1][1], reverse=True)[:EXAMPLES]
    issues = dict(
        tracer.meta.read().rows(
            """
            SELECT h.hash, h.issue_id
            FROM json_each(:hashes) j
            CROSS JOIN issue_hashes h ON h.project_id = :project AND h.hash = j.value
            """,
            hashes=msgspec.json.encode([hash_ for (_, hash_), _ in latest]).decode(),
            project=project_id,
        )
    )
    return [
        Example(row[0], name, row[3], _ms(row[1]), issues.get(hash_))
        for (name, hash_), row in latest
    ]


def _ms(moment: datetime) -> int:
    return clock.to_ms(moment.replace(tzinfo=UTC))
