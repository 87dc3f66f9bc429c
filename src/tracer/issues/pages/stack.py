"""Stack traces as the event page shows them: exceptions, threads, frames, and as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tracer.issues.pages.source import Line, source_lines

VIEWS = ("app", "full", "raw")
ORDERS = ("newest", "oldest")

_MAX_VALUE = 2000


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `hidden_before` counts the system frames left out above it."""

    function: str
    place: str
    package: str
    in_app: bool
    is_open: bool
    lines: list[Line]
    variables: list[tuple[str, str]]
    hidden_before: int = 0


@dataclass(frozen=True, slots=True)
class Stack:
    """The frames of one exception or thread in the order chosen, and what stands above them.

    `raw` is its plain text, in that view only.
    """

    kind: str
    type: str
    value: str
    module: str
    mechanism: str
    is_unhandled: bool
    facts: list[tuple[str, str]]
    frames: list[Frame]
    hidden_after: int
    raw: str
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class StackChoice:
    """How the reader wants it: in-app frames, all, or plain text; which end first."""

    view: str = "app"
    order: str = "newest"


@dataclass(slots=True)
class _Opening:
    """The frame that is open at first is the most relevant one: the last in-app frame thrown."""

    done: bool = False


@dataclass(frozen=True, slots=True)
class StackTraces:
    """Everything that the part `_stack.html` shows."""

    choice: StackChoice
    exceptions: list[Stack] = field(default_factory=list)
    threads: list[Stack] = field(default_factory=list)

    @property
    def is_chained(self) -> bool:
        return len(self.exceptions) > 1


def stack_traces(data: dict[str, Any], choice: StackChoice) -> StackTraces:
    """The stack traces of a normalised event."""
    platform = data.get("platform") or "other"
    values = (data.get("exception") or {}).get("values") or []
    opening = _Opening()
    exceptions = [_exception(value, platform, choice, opening) for value in reversed(values)]
    if not values and data.get("stacktrace"):
        exceptions = [_bare(data, platform, choice, opening)]
    threads = (data.get("threads") or {}).get("values") or []
    if choice.order == "oldest":
        exceptions.reverse()
    shown = [
        _thread(thread, platform, choice, opening, first=not exceptions and index == 0)
        for index, thread in enumerate(_crashed_first(threads))
    ]
    return StackTraces(choice, exceptions, shown)


def _crashed_first(threads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(threads, key=lambda thread: not (thread.get("crashed") or thread.get("current")))


def _exception(
    value: dict[str, Any], platform: str, choice: StackChoice, opening: _Opening
) -> Stack:
    mechanism = value.get("mechanism") or {}
    facts = [("source", _text(mechanism["source"]))] if mechanism.get("source") else []
    facts += [(name, _text(entry)) for name, entry in (mechanism.get("data") or {}).items()]
    facts += [(name, _text(entry)) for name, entry in (mechanism.get("meta") or {}).items()]
    frames, hidden = _frames(value.get("stacktrace"), platform, choice, opening)
    return Stack(
        kind="exception",
        type=value.get("type") or "Error",
        value=value.get("value") or "",
        module=value.get("module") or "",
        mechanism=mechanism.get("type") or "",
        is_unhandled=mechanism.get("handled") is False,
        facts=facts,
        frames=frames,
        hidden_after=hidden,
        raw=raw_text(value, platform) if choice.view == "raw" else "",
    )


def _bare(data: dict[str, Any], platform: str, choice: StackChoice, opening: _Opening) -> Stack:
    frames, hidden = _frames(data["stacktrace"], platform, choice, opening)
    raw = raw_text({"stacktrace": data["stacktrace"]}, platform) if choice.view == "raw" else ""
    return Stack("stack", "Stack trace", "", "", "", False, [], frames, hidden, raw)


def _thread(
    thread: dict[str, Any], platform: str, choice: StackChoice, opening: _Opening, *, first: bool
) -> Stack:
    frames, hidden = _frames(thread.get("stacktrace"), platform, choice, opening)
    name = thread.get("name") or f"Thread {thread.get('id', '')}".strip()
    raw = ""
    if choice.view == "raw":
        raw = raw_text({"type": name, "stacktrace": thread.get("stacktrace")}, platform)
    state = "crashed" if thread.get("crashed") else "current" if thread.get("current") else ""
    return Stack(
        kind="thread",
        type=name,
        value="",
        module="",
        mechanism=state,
        is_unhandled=False,
        facts=[("id", _text(thread["id"]))] if thread.get("id") is not None else [],
        frames=frames,
        hidden_after=hidden,
        raw=raw,
        is_open=first,
    )


def _frames(
    trace: dict[str, Any] | None, platform: str, choice: StackChoice, opening: _Opening
) -> tuple[list[Frame], int]:
    """Frames in the order chosen, and how many system frames are left out after the last."""
    found = (trace or {}).get("frames") or []
    has_app = any(frame.get("in_app") for frame in found)
    only_app = choice.view == "app" and has_app
    frames: list[Frame] = []
    hidden = 0
    for frame in reversed(found):
        if only_app and not frame.get("in_app"):
            hidden += 1
            continue
        is_open = not opening.done and bool(frame.get("in_app") or not has_app)
        opening.done = opening.done or is_open
        frames.append(_frame(frame, platform, is_open, hidden))
        hidden = 0
    if choice.order == "oldest":
        frames, hidden = _turned(frames, hidden)
    return frames, hidden


def _turned(frames: list[Frame], hidden_after: int) -> tuple[list[Frame], int]:
    """The same frames from the other end: what was left out before a frame is now after it."""
    gaps = [*(frame.hidden_before for frame in frames), hidden_after]
    turned = [
        Frame(
            frame.function, frame.place, frame.package, frame.in_app, frame.is_open,
            frame.lines, frame.variables, gaps[index + 1],
        )
        for index, frame in enumerate(frames)
    ]  # fmt: skip
    return turned[::-1], gaps[0]


def _frame(frame: dict[str, Any], platform: str, is_open: bool, hidden: int) -> Frame:
    in_app = bool(frame.get("in_app"))
    return Frame(
        function=frame.get("function") or frame.get("raw_function") or "<unknown>",
        place=place_of(frame),
        package=_package(frame),
        in_app=in_app,
        is_open=is_open,
        lines=source_lines(frame, platform, coloured=in_app or is_open),
        variables=[(name, _text(value)) for name, value in (frame.get("vars") or {}).items()],
        hidden_before=hidden,
    )


def place_of(frame: dict[str, Any]) -> str:
    """`shop/cart.py:41:7`; an address where there is no file."""
    name = frame.get("filename") or frame.get("module") or frame.get("abs_path")
    if not name:
        return str(frame.get("instruction_addr") or "")
    for key in ("lineno", "colno"):
        if frame.get(key) is None:
            break
        name += f":{frame[key]}"
    return str(name)


def _package(frame: dict[str, Any]) -> str:
    package = str(frame.get("package") or "")
    return package.replace("\\", "/").rpartition("/")[2]


def raw_text(value: dict[str, Any], platform: str) -> str:
    """The trace as its own language would print it."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    head = ": ".join(part for part in (value.get("type"), value.get("value")) if part)
    if platform == "python":
        lines = ["Traceback (most recent call last):"] if frames else []
        for frame in frames:
            path = frame.get("abs_path") or frame.get("filename") or "?"
            function = frame.get("function") or "?"
            lines.append(f'  File "{path}", line {frame.get("lineno", "?")}, in {function}')
            if frame.get("context_line"):
                lines.append(f"    {frame['context_line'].strip()}")
        return "\n".join([*lines, head])
    lines = [head]
    for frame in reversed(frames):
        function = frame.get("function") or frame.get("raw_function") or "<unknown>"
        if platform == "java" and frame.get("module"):
            place = frame.get("filename") or "Unknown Source"
            place += f":{frame['lineno']}" if frame.get("lineno") is not None else ""
            lines.append(f"\tat {frame['module']}.{function}({place})")
        else:
            lines.append(f"    at {function} ({place_of(frame) or '?'})")
    return "\n".join(lines)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
