"""Bytes of an event -> a dict in the wire shape, whatever an SDK sent.

msgspec checks types, limits and depth while it decodes. Only when that refuses, the JSON is decoded
again without a shape, and each attribute that does not fit is repaired by its interface.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tracer.errors import Invalid
from tracer.protocol import scalars
from tracer.protocol.interfaces.breadcrumbs import repair_breadcrumbs
from tracer.protocol.interfaces.contexts import repair_contexts
from tracer.protocol.interfaces.details import (
    repair_debug_meta,
    repair_errors,
    repair_fingerprint,
    repair_modules,
    repair_object,
    repair_sdk,
)
from tracer.protocol.interfaces.exception import repair_exceptions, repair_threads
from tracer.protocol.interfaces.message import repair_message
from tracer.protocol.interfaces.request import repair_request
from tracer.protocol.interfaces.tags import repair_tags
from tracer.protocol.interfaces.user import repair_user
from tracer.protocol.lenient import load_json
from tracer.protocol.notes import Notes
from tracer.protocol.shape import ATTRIBUTES, MAX_SHORT, MAX_TEXT, Wire, attribute
from tracer.protocol.stacktrace import repair_stack

Repair = Callable[[object, str, Notes], Any]


def _short(value: object, path: str, notes: Notes) -> str | None:
    return scalars.text(value, MAX_SHORT, path, notes)


def _text(value: object, path: str, notes: Notes) -> str | None:
    return scalars.text(value, MAX_TEXT, path, notes)


def _moment(value: object, path: str, notes: Notes) -> int | float | str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return _short(value, path, notes)


_REPAIRS: dict[str, Repair] = {
    "event_id": _short,
    "timestamp": _moment,
    "platform": _short,
    "level": _short,
    "type": _short,
    "logger": _text,
    "transaction": _text,
    "server_name": _text,
    "release": _text,
    "dist": _text,
    "environment": _text,
    "message": repair_message,
    "logentry": repair_message,
    "exception": repair_exceptions,
    "threads": repair_threads,
    "stacktrace": repair_stack,
    "breadcrumbs": repair_breadcrumbs,
    "request": repair_request,
    "user": repair_user,
    "contexts": repair_contexts,
    "tags": repair_tags,
    "modules": repair_modules,
    "sdk": repair_sdk,
    "fingerprint": repair_fingerprint,
    "debug_meta": repair_debug_meta,
    "errors": repair_errors,
}

# Names of protocol versions 2 to 6; the modern name wins when both are there.
_LEGACY = {
    "sentry.interfaces.Exception": "exception",
    "sentry.interfaces.Stacktrace": "stacktrace",
    "sentry.interfaces.Threads": "threads",
    "sentry.interfaces.Breadcrumbs": "breadcrumbs",
    "sentry.interfaces.Http": "request",
    "sentry.interfaces.User": "user",
    "sentry.interfaces.Contexts": "contexts",
    "sentry.interfaces.Message": "logentry",
    "sentry.interfaces.Query": "extra",
    "sentry.interfaces.Csp": "csp",
    "culprit": "transaction",
    "checksum": "fingerprint",
    "sdk_info": "sdk",
    "id": "event_id",
}
_IGNORED_NAMES = (
    "received version project key_id time_spent site start_timestamp spans measurements breakdowns"
    " template sentry.interfaces.Template ingest_path scraping_attempts profile_id grouping_config"
    " _meta _metrics _metrics_summary _dsc _performance_issues_spans sdkProcessingMetadata"
)
_IGNORED = frozenset(_IGNORED_NAMES.split())

_decoder = msgspec.json.Decoder(Wire)


def read_event(payload: bytes, notes: Notes) -> tuple[dict[str, Any], bool]:
    """The attributes that are there, in the wire shape, and whether there may be nulls in them.

    Raises Invalid when the payload is no JSON object.
    """
    try:
        wire = _decoder.decode(payload)
    except (ValueError, RecursionError):
        return _repaired(payload, notes), True
    data = {name: value for name in ATTRIBUTES if (value := getattr(wire, name)) is not None}
    return data, b"null" in payload


def _repaired(payload: bytes, notes: Notes) -> dict[str, Any]:
    raw = load_json(payload)
    if not isinstance(raw, dict):
        raise Invalid("an event must be a JSON object")
    data: dict[str, Any] = {}
    for key, value in raw.items():
        name = _LEGACY.get(key, key)
        if value is None or (name is not key and raw.get(name) is not None) or name in data:
            continue
        if name not in ATTRIBUTES:
            if key not in _IGNORED:
                notes.add("invalid_attribute", key, "dropped: not an attribute of events")
            continue
        try:
            found = attribute(name, value)
        except msgspec.ValidationError:
            repair: Repair = _REPAIRS.get(name, repair_object)
            found = repair(value, key, notes)
        if found is not None:
            data[name] = found
    return data
