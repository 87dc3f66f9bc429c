"""A frame to be read by people: its headers and items, decoded and scrubbed by a project's rules.

What cannot be scrubbed is not shown. Pure; hostile frames are for a process of their own (`solo`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tracer.errors import Problem
from tracer.ingest.prepare import Workshop, open_frame
from tracer.protocol.categories import ITEM_CATEGORY
from tracer.protocol.envelope import Item
from tracer.protocol.event import decode_event
from tracer.protocol.lenient import load_json
from tracer.protocol.scrub import Scrubber, ScrubRules, compile_rules
from tracer.storage.spool import Frame

#: Item types whose payload is bytes to keep, not JSON to read.
_BYTES = frozenset(
    ("attachment", "replay_recording", "profile_chunk", "view_hierarchy", "minidump", "statsd")
)
_SHOWN_ITEMS = 100


class ItemLook(msgspec.Struct):
    """One item. `content` is None where `note` says why it is not shown."""

    type: str
    category: str
    size_bytes: int
    headers: dict[str, Any]
    content: Any = None
    note: str = ""


class Look(msgspec.Struct):
    """A frame. `note` says what could not be read; `request` is what the endpoint noted."""

    request: dict[str, Any]
    headers: dict[str, Any]
    items: list[ItemLook]
    note: str = ""


def look(frame: Frame, rules: ScrubRules, workshop: Workshop) -> Look:
    """The frame without its secrets. Never raises for what is in it."""
    scrubber = compile_rules(rules)
    request = _request(frame, scrubber, rules)
    try:
        envelope, head = open_frame(frame, workshop)
    except Problem as problem:
        return Look(request, {}, [], f"It cannot be opened: {scrubbed(problem.detail, scrubber)}")
    except Exception as error:
        return Look(request, {}, [], f"It cannot be opened: {type(error).__name__}")
    items = [
        _item(item, frame, envelope.headers, head, scrubber)
        for item in envelope.items[:_SHOWN_ITEMS]
    ]
    left = len(envelope.items) - len(items)
    note = f"{left} more items are not shown." if left > 0 else ""
    return Look(request, scrubbed(dict(envelope.headers), scrubber), items, note)


def scrubbed(value: Any, scrubber: Scrubber) -> Any:
    """Any JSON value without its secrets; changed in place where it is a container."""
    holder = {"extra": {"it": value}}
    scrubber(holder)
    return holder["extra"]["it"]


def _request(frame: Frame, scrubber: Scrubber, rules: ScrubRules) -> dict[str, Any]:
    try:
        head = load_json(frame.head)
    except Problem:
        return {}
    if not isinstance(head, dict):
        return {}
    head.pop("replay", None)
    if rules.scrub_ip:
        head.pop("ip", None)
    found: dict[str, Any] = scrubbed(head, scrubber)
    return found


def _item(
    item: Item,
    frame: Frame,
    headers: Mapping[str, Any],
    head: Mapping[str, Any],
    scrubber: Scrubber,
) -> ItemLook:
    payload = bytes(item.payload)
    shown = ItemLook(
        item.type,
        ITEM_CATEGORY.get(item.type, "unknown"),
        len(payload),
        scrubbed(dict(item.headers), scrubber),
    )
    if item.type in _BYTES:
        shown.note = "Bytes are not shown."
        return shown
    try:
        value = load_json(payload)
    except Problem:
        shown.note = "It is not JSON, so it cannot be scrubbed and is not shown."
        return shown
    if item.type == "event":
        value = _event(payload, frame, headers, head, scrubber) or value
    shown.content = scrubbed(value, scrubber)
    return shown


def _event(
    payload: bytes,
    frame: Frame,
    headers: Mapping[str, Any],
    head: Mapping[str, Any],
    scrubber: Scrubber,
) -> dict[str, Any] | None:
    """An event as it would be stored; None when it is none."""
    try:
        event = decode_event(
            payload,
            project_id=frame.project_id,
            envelope=headers,
            received_at=frame.received_at,
            client_ip=head.get("ip"),
            user_agent=head.get("ua"),
        )
        scrubber.event(event)
    except Exception:
        # Whatever is wrong with it is why it lies here: the plain JSON is shown instead.
        return None
    return event.data
