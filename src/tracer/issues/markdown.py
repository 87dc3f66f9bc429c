"""An issue as Markdown, to paste into a ticket or a prompt. Pure text; nothing in it can run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tracer import clock
from tracer.issues.model import EventRow, Issue
from tracer.protocol.categories import LEVEL_NAMES

MAX_FRAMES = 50
MAX_BREADCRUMBS = 30
MAX_VALUE = 300

_TICKS = re.compile(r"`+")
_SPACE = re.compile(r"\s+")


def issue_markdown(issue: Issue, event: EventRow | None, data: Mapping[str, Any] | None) -> str:
    """The issue and one of its events, with the event's payload if it is still kept."""
    lines = [f"# {_line(issue.title)}", ""]
    lines += [f"- **{label}:** {_inline(value)}" for label, value in _facts(issue, event)]
    if data is None:
        return "\n".join([*lines, ""])
    for title, body in (
        ("Exception", "\n\n".join(_exceptions(data))),
        ("Message", _message(data)),
        ("Request", "\n".join(_request(data))),
        ("Breadcrumbs", "\n".join(_breadcrumbs(data))),
        ("User", "\n".join(_pairs(data.get("user") or {}))),
        ("Tags", "\n".join(_pairs(dict(data.get("tags") or ())))),
        ("Contexts", "\n".join(_contexts(data))),
        ("Extra", "\n".join(_pairs(data.get("extra") or {}))),
    ):
        if body:
            lines += ["", f"## {title}", "", body]
    return "\n".join([*lines, ""])


def _facts(issue: Issue, event: EventRow | None) -> Iterator[tuple[str, str]]:
    yield "Issue", issue.name
    yield "Level", LEVEL_NAMES.get(issue.level, str(issue.level))
    yield "Status", issue.status_name
    if issue.culprit:
        yield "Culprit", issue.culprit
    yield "First seen", _moment(clock.from_ms(issue.first_seen_at), issue.first_release)
    yield "Last seen", _moment(clock.from_ms(issue.last_seen_at), issue.last_release)
    yield "Events", f"{issue.event_count:,}"
    yield "Users", f"{issue.user_count:,}"
    if event is not None:
        yield "Event", event.event_id
        yield "Event time", _moment(event.timestamp, event.release)
        yield "Environment", event.environment
        yield "Platform", event.platform


def _moment(moment: datetime, release: str | None) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{text} in {release}" if release else text


def _exceptions(data: Mapping[str, Any]) -> Iterator[str]:
    """The thrown exception first, its causes after it."""
    for place, exception in enumerate(reversed((data.get("exception") or {}).get("values") or [])):
        head = f"{exception.get('type') or 'Error'}: {exception.get('value') or ''}".rstrip(": ")
        if place:
            head = f"Caused by {head}"
        frames = (exception.get("stacktrace") or {}).get("frames") or []
        yield _block("\n".join([head, *_frames(frames)]))
    if not data.get("exception"):
        for thread in (data.get("threads") or {}).get("values") or []:
            frames = (thread.get("stacktrace") or {}).get("frames") or []
            if frames:
                yield _block("\n".join([f"Thread {thread.get('name') or ''}", *_frames(frames)]))
                return


def _frames(frames: list[dict[str, Any]]) -> Iterator[str]:
    """Newest frame first; frames of the application are marked with `>`."""
    for frame in list(reversed(frames))[:MAX_FRAMES]:
        place = frame.get("filename") or frame.get("module") or frame.get("package") or "?"
        line = f":{frame['lineno']}" if frame.get("lineno") else ""
        mark = ">" if frame.get("in_app") else " "
        yield f"{mark} {place}{line} in {frame.get('function') or '?'}"
        if frame.get("context_line"):
            yield f"      {str(frame['context_line']).strip()[:MAX_VALUE]}"
    if len(frames) > MAX_FRAMES:
        yield f"  … {len(frames) - MAX_FRAMES} more"


def _message(data: Mapping[str, Any]) -> str:
    entry = data.get("logentry") or {}
    text = entry.get("formatted") or entry.get("message")
    return _block(str(text)) if text else ""


def _request(data: Mapping[str, Any]) -> Iterator[str]:
    request = data.get("request") or {}
    if not request:
        return
    if request.get("url"):
        yield "- " + _inline(f"{request.get('method') or 'GET'} {request['url']}")
    yield from _pairs(dict(request.get("headers") or ()))


def _breadcrumbs(data: Mapping[str, Any]) -> Iterator[str]:
    for crumb in ((data.get("breadcrumbs") or {}).get("values") or [])[-MAX_BREADCRUMBS:]:
        stamp = crumb.get("timestamp")
        at = (
            clock.from_ms(int(stamp * 1000)).strftime("%H:%M:%S")
            if stamp is not None
            else "--:--:--"
        )
        text = crumb.get("message") or _text(crumb.get("data") or "")
        category = crumb.get("category") or crumb.get("type") or "-"
        yield f"- `{at}` {_inline(f'[{category}] {text}')}"


def _contexts(data: Mapping[str, Any]) -> Iterator[str]:
    for name, context in (data.get("contexts") or {}).items():
        if isinstance(context, Mapping):
            shown = {key: value for key, value in context.items() if key != "type"}
            yield from _pairs({f"{name}.{key}": value for key, value in shown.items()})


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if value not in (None, "", [], {}):
            yield f"- {_inline(str(key))}: {_inline(_text(value))}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _line(text: str) -> str:
    """One line of prose in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", _SPACE.sub(" ", text).strip())


def _inline(text: str) -> str:
    """A code span, its fence longer than any run of backticks inside."""
    text = _SPACE.sub(" ", text).strip()
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _block(text: str) -> str:
    fence = "`" * max(3, max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    return f"{fence}\n{text}\n{fence}"
