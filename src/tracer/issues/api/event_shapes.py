"""Events as the API gives them, shaped like Sentry's: `entries` hold the parts of the payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tracer.issues.model import EventRow, Neighbours


class Pair(msgspec.Struct):
    """A tag of an event."""

    key: str
    value: str


class EventUser(msgspec.Struct):
    """The user an event happened to, as far as it is known."""

    id: str | None = None
    email: str | None = None
    username: str | None = None
    ip_address: str | None = None
    name: str | None = None


class EventSummary(msgspec.Struct, rename="camel"):
    """An event as lists show it."""

    id: str
    event_id: str = msgspec.field(name="eventID")
    group_id: str | None = msgspec.field(name="groupID")
    project_id: str = msgspec.field(name="projectID")
    title: str
    culprit: str
    location: str | None
    message: str
    platform: str
    user: EventUser | None
    tags: list[Pair]
    date_created: datetime
    date_received: datetime
    event_type: str = msgspec.field(name="event.type")


class Entry(msgspec.Struct):
    """A part of an event: exception, threads, message, breadcrumbs, request, debugmeta, csp."""

    type: str
    data: Any


class EventDetail(EventSummary, rename="camel", kw_only=True):
    """A whole event. `entries` is empty when its payload is no longer kept."""

    entries: list[Entry]
    contexts: dict[str, Any]
    context: dict[str, Any]
    packages: dict[str, Any]
    sdk: Any
    metadata: dict[str, str]
    errors: list[Any]
    fingerprints: list[str]
    release: dict[str, str] | None
    dist: str | None
    size: int
    next_event_id: str | None = msgspec.field(name="nextEventID", default=None)
    previous_event_id: str | None = msgspec.field(name="previousEventID", default=None)


def event_summary(event: EventRow, issue_id: int | None) -> EventSummary:
    """An event for a list."""
    return EventSummary(**_fields(event, issue_id, _user_of_key(event.user_key)))


def event_detail(
    event: EventRow,
    issue_id: int | None,
    data: Mapping[str, Any] | None,
    around: Neighbours | None = None,
) -> EventDetail:
    """An event with its payload (None when it is no longer kept) and its neighbours."""
    data = data or {}
    user = _user(data.get("user")) or _user_of_key(event.user_key)
    values = (data.get("exception") or {}).get("values") or [{}]
    return EventDetail(
        **_fields(event, issue_id, user),
        entries=list(_entries(data)),
        contexts=data.get("contexts") or {},
        context=data.get("extra") or {},
        packages=data.get("modules") or {},
        sdk=data.get("sdk"),
        metadata={
            "title": event.title,
            "type": str(values[-1].get("type") or ""),
            "value": str(values[-1].get("value") or ""),
        },
        errors=data.get("errors") or [],
        fingerprints=list((data.get("grouping") or {}).get("hashes") or [event.group_hash]),
        release={"version": event.release} if event.release else None,
        dist=event.dist,
        size=event.size_bytes,
        next_event_id=around.next if around else None,
        previous_event_id=around.previous if around else None,
    )


def _fields(event: EventRow, issue_id: int | None, user: EventUser | None) -> dict[str, Any]:
    return {
        "id": event.event_id,
        "event_id": event.event_id,
        "group_id": None if issue_id is None else str(issue_id),
        "project_id": str(event.project_id),
        "title": event.title,
        "culprit": event.culprit,
        "location": event.transaction,
        "message": event.title,
        "platform": event.platform,
        "user": user,
        "tags": [Pair(key, value) for key, value in event.tags.items()],
        "date_created": event.timestamp,
        "date_received": event.received_at,
        "event_type": event.type,
    }


def _user_of_key(key: str | None) -> EventUser | None:
    """A user from the key that counts them: `id:42`, `email:…`, `username:…`, `ip:…`."""
    if not key:
        return None
    kind, _, value = key.partition(":")
    field = "ip_address" if kind == "ip" else kind
    return EventUser(**{field: value}) if field in EventUser.__struct_fields__ else None


def _user(user: Mapping[str, Any] | None) -> EventUser | None:
    if not user:
        return None
    fields = ("id", "email", "username", "ip_address", "name")
    return EventUser(
        **{name: str(user[name]) for name in fields if user.get(name) not in (None, "")}
    )


def _entries(data: Mapping[str, Any]) -> Iterator[Entry]:
    exception = (data.get("exception") or {}).get("values") or []
    if exception:
        values = [_exception(value) for value in exception]
        system = any(not frame["inApp"] for value in values for frame in _frames_of(value))
        yield Entry("exception", {"values": values, "hasSystemFrames": system, "excOmitted": None})
    elif data.get("stacktrace"):
        yield Entry("stacktrace", _stacktrace(data["stacktrace"]))
    if data.get("logentry"):
        yield Entry("message", data["logentry"])
    threads = (data.get("threads") or {}).get("values") or []
    if threads:
        yield Entry("threads", {"values": [_thread(thread) for thread in threads]})
    crumbs = (data.get("breadcrumbs") or {}).get("values") or []
    if crumbs:
        yield Entry("breadcrumbs", {"values": crumbs})
    if data.get("request"):
        yield Entry("request", _request(data["request"]))
    if data.get("csp"):
        yield Entry("csp", data["csp"])
    if (data.get("debug_meta") or {}).get("images"):
        yield Entry("debugmeta", data["debug_meta"])


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": value.get("type"),
        "value": value.get("value"),
        "module": value.get("module"),
        "threadId": value.get("thread_id"),
        "mechanism": value.get("mechanism"),
        "stacktrace": _stacktrace(value.get("stacktrace")),
        "rawStacktrace": _stacktrace(value.get("raw_stacktrace")),
    }


def _thread(thread: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": thread.get("id"),
        "name": thread.get("name"),
        "current": bool(thread.get("current")),
        "crashed": bool(thread.get("crashed")),
        "stacktrace": _stacktrace(thread.get("stacktrace")),
    }


def _stacktrace(stacktrace: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not stacktrace:
        return None
    frames = [_frame(frame) for frame in stacktrace.get("frames") or []]
    return {
        "frames": frames,
        "framesOmitted": stacktrace.get("frames_omitted"),
        "registers": stacktrace.get("registers"),
        "hasSystemFrames": any(not frame["inApp"] for frame in frames),
    }


def _frames_of(exception: Mapping[str, Any]) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = (exception["stacktrace"] or {}).get("frames") or []
    return frames


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filename": frame.get("filename"),
        "absPath": frame.get("abs_path"),
        "module": frame.get("module"),
        "package": frame.get("package"),
        "platform": frame.get("platform"),
        "instructionAddr": frame.get("instruction_addr"),
        "symbolAddr": frame.get("symbol_addr"),
        "function": frame.get("function"),
        "rawFunction": frame.get("raw_function"),
        "lineNo": frame.get("lineno"),
        "colNo": frame.get("colno"),
        "inApp": bool(frame.get("in_app")),
        "context": _context(frame),
        "vars": frame.get("vars"),
    }


def _context(frame: Mapping[str, Any]) -> list[list[Any]]:
    """(line number, line) around the frame's line."""
    line = frame.get("lineno")
    if not isinstance(line, int) or frame.get("context_line") is None:
        return []
    before = frame.get("pre_context") or []
    lines = [*before, frame["context_line"], *(frame.get("post_context") or [])]
    return [[line - len(before) + place, text] for place, text in enumerate(lines)]


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": request.get("url"),
        "method": request.get("method"),
        "query": request.get("query_string") or [],
        "headers": request.get("headers") or [],
        "cookies": request.get("cookies") or [],
        "data": request.get("data"),
        "env": request.get("env"),
        "fragment": request.get("fragment"),
        "inferredContentType": request.get("inferred_content_type"),
    }
