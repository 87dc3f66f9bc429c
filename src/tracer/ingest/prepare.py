"""Frames to prepared items: decompress, take the envelope apart, decode, scrub, group. Pure.

Runs in the digest thread or in a worker process; everything passed in and out can be pickled.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from tracer import priority
from tracer.errors import Problem
from tracer.ingest import outcomes
from tracer.ingest.filters import compile_filters
from tracer.ingest.items import Arrival, ItemHandler, Unwanted
from tracer.ingest.posts import Post, Posts
from tracer.kit import interpreter
from tracer.protocol.categories import (
    CONTAINERS,
    ITEM_CATEGORY,
    UNKNOWN_CATEGORY,
    category_of,
)
from tracer.protocol.encoding import decode_body
from tracer.protocol.envelope import Envelope, Item, Limits, parse_envelope, parse_store
from tracer.protocol.filter_rules import ProjectRules
from tracer.protocol.lenient import load_json
from tracer.protocol.scrub import Scrubber, ScrubRules, compile_rules
from tracer.storage.codec import Codec
from tracer.storage.spool import Frame

_MAX_QUANTITY = 100_000
_REASON = re.compile(r"[a-z_]{1,40}\Z")


class PreparedItem(msgspec.Struct, frozen=True):
    """One item on its way: either `value` for its handler's `store`, or already an outcome. The
    `value` of a filtered event is its id."""

    type: str
    category: str
    quantity: int
    value: Any = None
    outcome: str | None = None
    reason: str = ""


class PreparedFrame(msgspec.Struct, frozen=True):
    """All items of a frame in order, or the failure that sends the frame to the dead letters.

    `accepted` is what the endpoint counted, by data category.
    """

    frame: int
    project_id: int
    items: tuple[PreparedItem, ...] = ()
    failure: tuple[str, str] | None = None
    accepted: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Workshop:
    """What preparing needs besides the frames: handlers by item type, limits, the payload codec."""

    handlers: Mapping[str, ItemHandler]
    limits: Limits
    max_decoded_bytes: int
    codec: Codec


def prepare_frame(frame: Frame, rules: ProjectRules | None, workshop: Workshop) -> PreparedFrame:
    """Prepare one frame; `rules` is `None` when its project is gone. Never raises."""
    try:
        envelope, head = open_frame(frame, workshop)
        if rules is None:
            items = [_ended(item, outcomes.INVALID, "project_deleted") for item in envelope.items]
        else:
            arrival = _arrival(frame, envelope, head, rules, workshop.codec)
            limited = head.get("limited", {})
            items = [
                _ended(item, outcomes.RATE_LIMITED, limited[item.type])
                if item.type in limited
                else _prepare_item(item, arrival, workshop.handlers)
                for item in envelope.items
            ]
        accepted = _accepted(head) or quantities(envelope.items)
        return PreparedFrame(frame.id, frame.project_id, tuple(items), accepted=accepted)
    except Problem as problem:
        # The endpoint accepted this frame, so a refusal here is a fault of ours to look into.
        return failed(frame, type(problem).__name__, problem.detail)
    except Exception as error:
        return failed(frame, type(error).__name__, traceback.format_exc(limit=-8))


def failed(frame: Frame, reason: str, detail: str) -> PreparedFrame:
    """A frame for the dead letters."""
    try:
        accepted = _accepted(load_json(frame.head))
    except Problem:
        accepted = {}
    return PreparedFrame(
        frame.id,
        frame.project_id,
        failure=(reason, detail),
        accepted=accepted or {UNKNOWN_CATEGORY: 1},
    )


def open_frame(frame: Frame, workshop: Workshop) -> tuple[Envelope, dict[str, Any]]:
    """The envelope of a frame and what the endpoint noted about its request."""
    head = load_json(frame.head)
    data = decode_body(frame.body, head.get("encoding", ""), workshop.max_decoded_bytes)
    if head.get("kind") == "store":
        envelope = parse_store(data, head.get("content_type", ""), workshop.limits)
        envelope.headers.setdefault("event_id", head.get("event_id"))
        return envelope, head
    return parse_envelope(data, workshop.limits), head


def quantities(items: Iterable[Item]) -> dict[str, int]:
    """How many things of each data category some items hold."""
    counts: dict[str, int] = {}
    for item in items:
        category = category_of(item.type)
        counts[category] = counts.get(category, 0) + quantity_of(item)
    return counts


def quantity_of(item: Item) -> int:
    """How many things of its data category an item holds; containers say it in `item_count`."""
    if item.type not in CONTAINERS:
        return 1
    count = item.headers.get("item_count")
    if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= _MAX_QUANTITY:
        return count
    return 1


def _accepted(head: Any) -> dict[str, int]:
    """What the endpoint noted of a frame's items; empty for frames that it did not count."""
    items = head.get("items") if isinstance(head, dict) else None
    return dict(items) if isinstance(items, dict) else {}


def _arrival(
    frame: Frame, envelope: Envelope, head: Mapping[str, Any], rules: ProjectRules, codec: Codec
) -> Arrival:
    return Arrival(
        project_id=frame.project_id,
        frame=frame.id,
        received_at=frame.received_at,
        headers=envelope.headers,
        event_id=envelope.event_id,
        sent_at=envelope.sent_at,
        client_ip=head.get("ip"),
        user_agent=head.get("ua"),
        attachment_count=sum(item.type == "attachment" for item in envelope.items),
        scrubber=_scrubber(rules.scrub),
        codec=codec,
        unwanted=compile_filters(rules.filters),
    )


def _prepare_item(
    item: Item, arrival: Arrival, handlers: Mapping[str, ItemHandler]
) -> PreparedItem:
    handler = handlers.get(item.type)
    if handler is None:
        if item.type in ITEM_CATEGORY:
            return _ended(item, outcomes.UNSUPPORTED, item.type)
        return _ended(item, outcomes.UNKNOWN_TYPE, "")
    try:
        value = handler.prepare(item, arrival)
    except Problem as problem:
        return _ended(item, outcomes.INVALID, _reason(problem))
    if isinstance(value, Unwanted):
        return PreparedItem(
            *(item.type, category_of(item.type), 1), value.event_id, outcomes.FILTERED, value.reason
        )
    return PreparedItem(item.type, category_of(item.type), 1, value)


def _reason(problem: Problem) -> str:
    # Reasons are counted for ever: a sentence that quotes the input must not become one.
    return problem.detail if _REASON.match(problem.detail) else "malformed"


def _ended(item: Item, outcome: str, reason: str) -> PreparedItem:
    return PreparedItem(item.type, category_of(item.type), quantity_of(item), None, outcome, reason)


@lru_cache(maxsize=1024)
def _scrubber(rules: ScrubRules) -> Scrubber:
    return compile_rules(rules)


# Worker processes -------------------------------------------------------------------------------

_workshop: Workshop | None = None
_post: Post | None = None


def start_worker(
    handlers: Mapping[str, ItemHandler],
    max_decoded_bytes: int,
    dictionaries: Mapping[int, bytes],
    posts: Posts | None = None,
) -> None:
    """Runs once in each worker process. A codec has native state, so each builds its own.

    With `posts` it is one of several that work in the background; without, somebody waits for it.
    """
    global _workshop, _post
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if posts is not None:
        priority.lower_process()
        _post = posts.take()
    threading.Thread(target=_end_with_server, daemon=True).start()
    _workshop = Workshop(handlers, Limits(), max_decoded_bytes, Codec(dictionaries))
    interpreter.tune()
    interpreter.settle()


def workshop() -> Workshop:
    """What a worker prepares with. In a worker process only."""
    assert _workshop is not None
    return _workshop


def ready() -> bool:
    """True, from a worker that is up."""
    return _workshop is not None


def _end_with_server() -> None:
    """A server that was killed closes nothing: its workers must notice themselves."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)


def prepare_in_worker(
    frames: Sequence[Frame], rules: Mapping[int, ProjectRules]
) -> list[PreparedFrame]:
    """`prepare_frame` over a chunk, in a worker process."""
    found, prepared = workshop(), []
    assert _post is not None
    for frame in frames:
        _post.at(frame.id)
        prepared.append(prepare_frame(frame, rules.get(frame.project_id), found))
    _post.at(0)
    return prepared
