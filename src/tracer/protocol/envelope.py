"""Envelope and item framing with its limits: bytes -> headers and payload slices.

Payloads are slices of the body and are not looked into: what they mean is for their features.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from tracer.errors import Invalid, TooLarge
from tracer.protocol.encoding import decode_body
from tracer.protocol.lenient import load_json

KIB = 1 << 10
MIB = 1 << 20
SIZE_LIMITS_URL = "https://develop.sentry.dev/sdk/envelopes/#size-limits"

_MAX_HEADER_BYTES = 64 * KIB

# Relay's defaults, smaller where a small machine could not hold them. An event may be four times
# Relay's size: what is too much in it is trimmed later, instead of losing the event.
_PER_TYPE: dict[str, int] = {
    "event": 4 * MIB,
    "transaction": 4 * MIB,
    "feedback": 4 * MIB,
    "user_report": 100 * KIB,
    "client_report": 100 * KIB,
    "check_in": 100 * KIB,
    "session": 100 * KIB,
    "sessions": 10 * MIB,
    "attachment": 50 * MIB,
    "log": 12 * MIB,
    "span": 12 * MIB,
    "trace_metric": 12 * MIB,
    "profile": 50 * MIB,
    "profile_chunk": 50 * MIB,
    "profile_chunk_ui": 50 * MIB,
    "replay_event": 4 * MIB,
    "replay_recording": 10 * MIB,
    "replay_video": 50 * MIB,
    "unreal_report": 50 * MIB,
}
_DEFAULT_BYTES = 4 * MIB
_MAX_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most items of an envelope, and the most bytes of an item by its type."""

    items: int = _MAX_ITEMS
    per_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(_PER_TYPE))
    default_bytes: int = _DEFAULT_BYTES

    @classmethod
    def within(cls, envelope_bytes: int) -> Limits:
        """The defaults, none of them above the size of a whole envelope."""
        return cls(
            per_type={name: min(size, envelope_bytes) for name, size in _PER_TYPE.items()},
            default_bytes=min(_DEFAULT_BYTES, envelope_bytes),
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `payload` is a slice of the envelope's bytes: `bytes(item.payload)` copies it."""

    type: str
    headers: dict[str, Any]
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Envelope:
    """One parsed envelope. `headers["event_id"]`, if there, is 32 hex digits."""

    headers: dict[str, Any]
    items: list[Item]

    @property
    def event_id(self) -> str | None:
        """32 lower-case hex digits."""
        found: str | None = self.headers.get("event_id")
        return found

    @property
    def sent_at(self) -> float | None:
        """Unix seconds by the client's clock; None when absent or unreadable."""
        return _unix_seconds(self.headers.get("sent_at"))

    @property
    def dsn(self) -> str | None:
        """The DSN of a tunnelled envelope, not yet parsed."""
        found = self.headers.get("dsn")
        return found if isinstance(found, str) else None


def parse_envelope(data: bytes, limits: Limits) -> Envelope:
    """Frame a decoded body, after https://develop.sentry.dev/sdk/envelopes/ and Relay's leniency.

    Raises Invalid when it is malformed, TooLarge when an item or their number passes a limit. Blank
    lines where an item header is expected are skipped.
    """
    end = _line_end(data, 0)
    headers = _json_object(data, 0, end, "envelope header")
    event_id = headers.get("event_id")
    if event_id is not None:
        headers["event_id"] = parse_event_id(event_id)
    view = memoryview(data)
    size = len(data)
    items: list[Item] = []
    position = end + 1
    while position < size:
        end = _line_end(data, position)
        if end - position < 2 and not data[position:end].strip():
            position = end + 1
            continue
        item_headers = _json_object(data, position, end, "item header")
        start = min(end + 1, size)
        stop = _payload_end(data, start, item_headers.get("length"))
        items.append(_item(item_headers, view[start:stop], limits))
        if len(items) > limits.items:
            raise TooLarge(f"envelope has more than {limits.items} items")
        position = stop + 1
    return Envelope(headers, items)


def join_envelope(envelope: Envelope) -> bytes:
    """The bytes that `parse_envelope` takes apart into this envelope."""
    parts: list[bytes | memoryview] = [msgspec.json.encode(envelope.headers), b"\n"]
    for item in envelope.items:
        headers = {**item.headers, "length": len(item.payload)}
        parts += [msgspec.json.encode(headers), b"\n", item.payload, b"\n"]
    return b"".join(parts)


def parse_store(data: bytes, content_type: str, limits: Limits) -> Envelope:
    """A body of the legacy store endpoint as an envelope of one item.

    JSON, base64(JSON) or base64(zlib(JSON)); a real envelope when the content type says so. The
    item's type follows the payload's `type`.
    """
    if "x-sentry-envelope" in content_type.lower():
        return parse_envelope(data, limits)
    payload = _store_json(data, limits)
    event = load_json(payload)
    if not isinstance(event, dict):
        raise Invalid("event is not a JSON object")
    kind = event.get("type")
    item_type = kind if kind in ("transaction", "feedback") else "event"
    headers: dict[str, Any] = {}
    event_id = event.get("event_id")
    if event_id is not None:
        headers["event_id"] = parse_event_id(event_id)
    item_headers = {"type": item_type, "content_type": "application/json"}
    return Envelope(headers, [_item(item_headers, memoryview(payload), limits)])


def parse_event_id(value: object) -> str:
    """32 lower-case hex digits out of an id with or without dashes; Invalid otherwise."""
    if isinstance(value, str):
        text = value if len(value) == 32 else value.replace("-", "")
        try:
            # fromhex passes over blanks, so the length is asked of both sides
            if len(text) == 32 and len(bytes.fromhex(text)) == 16:
                return text.lower()
        except ValueError:
            pass
    raise Invalid("invalid event id")


def _line_end(data: bytes, start: int) -> int:
    end = data.find(b"\n", start)
    return len(data) if end < 0 else end


def _json_object(data: bytes, start: int, end: int, what: str) -> dict[str, Any]:
    if end - start > _MAX_HEADER_BYTES:
        raise TooLarge(f"{what} is too large")
    try:
        value = load_json(data[start:end])
    except Invalid as problem:
        raise Invalid(f"invalid {what}: {problem.detail}") from None
    if not isinstance(value, dict):
        raise Invalid(f"invalid {what}: not a JSON object")
    return value


def _payload_end(data: bytes, start: int, length: object) -> int:
    if length is None:
        return _line_end(data, start)
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise Invalid("invalid item header: length is not a number of bytes")
    stop = start + length
    if stop > len(data):
        raise Invalid(f"unexpected end of envelope: an item of {length} bytes is cut off")
    if stop < len(data) and data[stop] != 0x0A:
        raise Invalid("missing newline after an item's payload")
    return stop


def _item(headers: dict[str, Any], payload: memoryview, limits: Limits) -> Item:
    kind = headers.get("type")
    if not isinstance(kind, str):
        raise Invalid("invalid item header: no type")
    if len(payload) > limits.per_type.get(kind, limits.default_bytes):
        raise TooLarge(f"envelope exceeded size limits for type {kind[:40]!r} ({SIZE_LIMITS_URL})")
    return Item(kind, headers, payload)


def _unix_seconds(value: object) -> float | None:
    seconds: float | None = None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    return float(seconds) if seconds is not None and 0 <= seconds < 1e11 else None


def _store_json(data: bytes, limits: Limits) -> bytes:
    """raven-node and raven-ruby send base64(zlib(JSON)) without saying so in any header."""
    body = data.strip()
    if body.startswith(b"{") or not body:
        return body
    try:
        packed = base64.b64decode(body, validate=False)
    except (binascii.Error, ValueError):
        raise Invalid("body is neither JSON nor base64") from None
    if packed.startswith(b"{"):
        return packed
    return decode_body(packed, "deflate", limits.per_type.get("event", limits.default_bytes))
