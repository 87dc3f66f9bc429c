"""An `event` item to a PreparedEvent: decoded, scrubbed, grouped, encoded. Pure, may be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from tracer.grouping import group
from tracer.ingest.items import Arrival, Unwanted
from tracer.protocol.envelope import Item
from tracer.protocol.event import Event, decode_event
from tracer.storage.codec import Codec


class PreparedEvent(msgspec.Struct):
    """An event ready to be stored: what its issue counts, and its two event-store rows.

    Times are unix milliseconds; `hashes` has the primary first.
    """

    project_id: int
    event_id: str
    hashes: tuple[str, ...]
    timestamp_ms: int
    received_ms: int
    level: int
    platform: str
    environment: str
    release: str | None
    user_key: str | None
    tags: dict[str, str]
    title: str
    culprit: str
    type: str
    value: str
    is_handled: bool
    grouping_version: int
    event_row: tuple[Any, ...]
    payload_row: tuple[Any, ...]


def prepare(item: Item, arrival: Arrival) -> PreparedEvent | Unwanted:
    """Decode, filter, scrub and group one item. Raises Invalid when it is no event."""
    payload = bytes(item.payload)
    event = decode_event(
        payload,
        project_id=arrival.project_id,
        envelope=arrival.headers,
        received_at=arrival.received_at,
        client_ip=arrival.client_ip,
        user_agent=arrival.user_agent,
    )
    if arrival.unwanted is not None:
        reason = arrival.unwanted(event.data, arrival.client_ip, arrival.user_agent)
        if reason is not None:
            return Unwanted(event.event_id, reason)
    arrival.scrubber.event(event)
    return prepare_event(
        event,
        arrival.codec,
        frame=arrival.frame,
        size_bytes=len(payload),
        has_attachments=arrival.attachment_count > 0,
    )


def prepare_event(
    event: Event, codec: Codec, *, frame: int, size_bytes: int, has_attachments: bool = False
) -> PreparedEvent:
    """Group and encode a decoded and scrubbed event. Never raises for one that was decoded."""
    grouping = group(event)
    primary = grouping.hashes[0]
    data = event.data
    data["grouping"] = {
        "version": grouping.version,
        "hashes": grouping.hashes,
        "components": grouping.components,
    }
    dictionary, body = codec.encode(msgspec.json.encode(data))
    timestamp = _naive(event.timestamp)
    event_row = (
        event.project_id,
        event.event_id,
        primary,
        timestamp,
        _naive(event.received_at),
        event.level,
        event.type,
        event.platform,
        event.environment,
        event.release,
        event.dist,
        event.transaction,
        event.user_key,
        grouping.title,
        grouping.culprit,
        grouping.is_handled,
        has_attachments,
        size_bytes,
        richness(data, has_attachments),
        event.tags,
        frame,
    )
    return PreparedEvent(
        project_id=event.project_id,
        event_id=event.event_id,
        hashes=grouping.hashes,
        timestamp_ms=int(event.timestamp * 1000),
        received_ms=int(event.received_at * 1000),
        level=event.level,
        platform=event.platform,
        environment=event.environment,
        release=event.release,
        user_key=event.user_key,
        tags=event.tags,
        title=grouping.title,
        culprit=grouping.culprit,
        type=grouping.type,
        value=grouping.value,
        is_handled=grouping.is_handled,
        grouping_version=grouping.version,
        event_row=event_row,
        payload_row=(event.project_id, event.event_id, timestamp, dictionary, body, frame),
    )


def richness(data: Mapping[str, Any], has_attachments: bool) -> int:
    """How much an event helps whoever reads it, 0 to 255: what "recommended" goes by."""
    score = 15 if has_attachments else 0
    exceptions = (data.get("exception") or {}).get("values") or ()
    frames = [
        frame
        for exception in exceptions
        for frame in ((exception.get("stacktrace") or {}).get("frames") or ())
    ]
    if frames:
        score += 60
        score += 15 if any(frame.get("context_line") for frame in frames) else 0
        score += 30 if any(frame.get("vars") for frame in frames) else 0
    score += min(2 * len((data.get("breadcrumbs") or {}).get("values") or ()), 40)
    score += min(3 * len(data.get("contexts") or ()), 20)
    for key, points in _POINTS:
        if data.get(key):
            score += points
    return min(score, 255)


_POINTS = (("request", 25), ("user", 20), ("release", 10), ("extra", 10), ("transaction", 5))


def _naive(unix_s: float) -> datetime:
    # Event-store columns are timestamps without a zone, always UTC.
    return datetime.fromtimestamp(unix_s, UTC).replace(tzinfo=None)
