"""The `attachment` item: bytes in a blob, a row that names the event they came with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.errors import Invalid
from tracer.ingest import withheld
from tracer.ingest.items import Arrival, Batch, Ended, ItemHandler
from tracer.protocol.envelope import Item

_MAX_NAME = 255
_MAX_TYPE = 100


@dataclass(frozen=True, slots=True)
class PreparedAttachment:
    """One attachment with its bytes, named for safe display (no path, no control characters)."""

    project_id: int
    event_id: str
    name: str
    content_type: str
    attachment_type: str
    frame: int
    data: bytes


def prepare(item: Item, arrival: Arrival) -> PreparedAttachment:
    """Take name and types from the item header; an attachment without an event is refused."""
    if arrival.event_id is None:
        raise Invalid("no_event_id")
    headers = item.headers
    name = _clean(headers.get("filename"), _MAX_NAME).replace("\\", "/").rsplit("/", 1)[-1]
    return PreparedAttachment(
        project_id=arrival.project_id,
        event_id=arrival.event_id,
        name=name or "attachment",
        content_type=_clean(headers.get("content_type"), _MAX_TYPE) or "application/octet-stream",
        attachment_type=_clean(headers.get("attachment_type"), _MAX_TYPE) or "event.attachment",
        frame=arrival.frame,
        data=bytes(item.payload),
    )


def store(batch: Batch, attachments: Sequence[PreparedAttachment]) -> Sequence[str | Ended | None]:
    """Write the bytes, then the row. The same bytes under the same name and event count once,
    and what came with an event that is held back or filtered goes with it."""
    fates = withheld.fates(batch, [(one.project_id, one.event_id) for one in attachments])
    return [
        fates.get((one.project_id, one.event_id)) or _store_one(batch, one) for one in attachments
    ]


def _store_one(batch: Batch, attachment: PreparedAttachment) -> str | None:
    blob = batch.blobs.put(attachment.data)
    added = batch.tx.execute(
        """
        INSERT INTO attachments (project_id, event_id, name, content_type, attachment_type,
            size_bytes, blob, frame, created_at)
        SELECT :project_id, :event_id, :name, :content_type, :attachment_type,
            :size_bytes, :blob, :frame, :now
        WHERE NOT EXISTS (
            SELECT 1
            FROM attachments
            WHERE project_id = :project_id
            AND event_id = :event_id
            AND name = :name
            AND blob = :blob
        )
        AND EXISTS (SELECT 1 FROM projects WHERE id = :project_id)
        """,
        project_id=attachment.project_id,
        event_id=attachment.event_id,
        name=attachment.name,
        content_type=attachment.content_type,
        attachment_type=attachment.attachment_type,
        size_bytes=len(attachment.data),
        blob=blob,
        frame=attachment.frame,
        now=batch.tx.now_ms,
    )
    return None if added else "duplicate"


def _clean(value: object, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isprintable())[:limit].strip()


HANDLER = ItemHandler(prepare, store)
