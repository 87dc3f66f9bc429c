"""What an issue is called: title, culprit, type and value, as Sentry's users expect them."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracer.grouping.frames import frame_name
from tracer.grouping.tree import deciding_index

MAX_TITLE = 256
MAX_CULPRIT = 200
MAX_VALUE = 1024
UNLABELED = "<unlabeled event>"


class Titles(NamedTuple):
    title: str
    culprit: str
    type: str
    value: str
    is_handled: bool


def make_titles(data: dict[str, Any], exceptions: list[dict[str, Any]], message: str) -> Titles:
    """`exceptions` oldest first, maybe empty; `message` the formatted one, maybe empty."""
    main = exceptions[deciding_index(exceptions)] if exceptions else None
    if main is None:
        title, kind, value = _first_line(message) or UNLABELED, "", message
    else:
        kind, value = str(main.get("type") or ""), str(main.get("value") or "")
        title = _exception_title(main, kind, value) or _first_line(message) or UNLABELED
    culprit = _culprit(data, main, exceptions)
    handled = all(
        (exception.get("mechanism") or {}).get("handled") is not False for exception in exceptions
    )
    return Titles(
        _cut(title, MAX_TITLE), _cut(culprit, MAX_CULPRIT), kind, _cut(value, MAX_VALUE), handled
    )


def _exception_title(main: dict[str, Any], kind: str, value: str) -> str:
    mechanism = main.get("mechanism") or {}
    line = _first_line(value)
    if mechanism.get("synthetic") is True and line and not kind:
        return line
    if not kind:
        frame = _crash_frame(main)
        kind = (frame.get("function") or "") if frame and not line else ""
    if kind and line:
        return f"{kind}: {line}"
    return kind or line


def _culprit(
    data: dict[str, Any], main: dict[str, Any] | None, exceptions: list[dict[str, Any]]
) -> str:
    """The innermost in-app frame, or the transaction, or any innermost frame."""
    holders = [main, *reversed(exceptions)] if main else _threads(data)
    for holder in holders:
        frame = _crash_frame(holder)
        if frame is not None:
            return frame_name(frame)
    if data.get("transaction"):
        return str(data["transaction"])
    for holder in holders:
        frames = _frames(holder)
        if frames:
            return frame_name(frames[-1])
    return ""


def _threads(data: dict[str, Any]) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = (data.get("threads") or {}).get("values") or []
    return [data, *(one for one in values if one.get("crashed") or one.get("current"))]


def _crash_frame(holder: dict[str, Any]) -> dict[str, Any] | None:
    return next((frame for frame in reversed(_frames(holder)) if frame.get("in_app") is True), None)


def _frames(holder: dict[str, Any]) -> list[dict[str, Any]]:
    frames = (holder.get("stacktrace") or {}).get("frames") or []
    return [frame for frame in frames if type(frame) is dict]


def _first_line(text: str) -> str:
    for line in text.splitlines():
        if line.strip():
            return line.strip()
    return ""


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
