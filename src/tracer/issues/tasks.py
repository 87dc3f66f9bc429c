"""Background work on issues: erasing what a deleted issue left, forgetting what is too old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer import clock
from tracer.issues.actions import ERASE_TASK
from tracer.issues.model import DAY_MS
from tracer.kit.tasks import Every
from tracer.storage.events import Sql
from tracer.storage.tables import EVENTS, PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.kit.context import Tracer

#: An event sent again after this is stored again.
RECENT_MS = 3 * DAY_MS
#: Hourly counts are for charts of at most this length.
HOURS_MS = 90 * DAY_MS

_CHUNK = 2000
_SLICE = 10_000

DOOMED = Sql("""
    SELECT event_id
    FROM events
    WHERE project_id = $project_id AND group_hash IN $hashes AND frame <= $frame
    LIMIT $limit""")


def erase_issue(tracer: Tracer, *, project_id: int, hashes: Sequence[str], frame: int) -> None:
    """Erase the events that a deleted issue had up to a frame, their payloads and files.

    Event rows go last: they say what is still to be done if this is interrupted.
    """
    if not hashes:
        return
    while True:
        rows = tracer.events.select(
            DOOMED, project_id=project_id, hashes=list(hashes), frame=frame, limit=_CHUNK
        )
        if not rows:
            return
        event_ids = [row[0] for row in rows]
        erase_attachments(tracer, project_id, event_ids)
        tracer.events.erase(PAYLOADS, project_id, event_ids=event_ids)
        tracer.events.erase(EVENTS, project_id, event_ids=event_ids)


def erase_attachments(tracer: Tracer, project_id: int, event_ids: Sequence[str]) -> None:
    """Remove the attachments of events, and the blobs that no other attachment shares."""
    listed = msgspec.json.encode(list(event_ids)).decode()
    with tracer.meta.write(unaudited="erasing what a deleted issue left") as tx:
        blobs = tx.rows(
            """
            SELECT DISTINCT a.blob
            FROM json_each(:ids) j
            CROSS JOIN attachments a ON a.project_id = :project AND a.event_id = j.value
            """,
            project=project_id,
            ids=listed,
        )
        if not blobs:
            return
        tx.execute(
            """
            DELETE FROM attachments
            WHERE project_id = :project AND event_id IN (SELECT value FROM json_each(:ids))
            """,
            project=project_id,
            ids=listed,
        )
        for (blob,) in blobs:
            # Inside the transaction: digest puts blobs under the same lock, so none is lost.
            if not tx.value("SELECT EXISTS (SELECT 1 FROM attachments WHERE blob = :b)", b=blob):
                tracer.blobs.delete(blob)


def forget_recent(tracer: Tracer) -> None:
    """Forget the ids of events that are too old to be sent twice."""
    before = clock.now_ms() - RECENT_MS
    for (project_id,) in tracer.meta.read().rows("SELECT id FROM projects"):
        with tracer.meta.write(unaudited="forgetting ids of old events") as tx:
            tx.execute(
                "DELETE FROM recent_events WHERE project_id = :project AND received_at < :before",
                project=project_id,
                before=before,
            )
            tx.execute(
                "DELETE FROM filtered_events WHERE project_id = :project AND received_at < :before",
                project=project_id,
                before=before,
            )


def forget_hours(tracer: Tracer) -> None:
    """Forget hourly counts that no chart shows any more, some issues at a time."""
    before = clock.now_ms() - HOURS_MS
    last = tracer.meta.read().value("SELECT max(id) FROM issues") or 0
    for start in range(1, last + 1, _SLICE):
        with tracer.meta.write(unaudited="forgetting old counts") as tx:
            tx.execute(
                """
                DELETE FROM issue_hours
                WHERE issue_id BETWEEN :first AND :last AND hour_at < :before
                """,
                first=start,
                last=start + _SLICE - 1,
                before=before,
            )


TASKS = {ERASE_TASK: erase_issue}
SCHEDULE = (Every(3600, forget_recent), Every(86_400, forget_hours))
