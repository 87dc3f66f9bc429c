"""Stack traces: repair of odd frames, limits, and which frames are the application's own.

Frames are in calling order, the newest last.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, cast

import msgspec

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import (
    MAX_CONTEXT_LINES,
    MAX_FRAMES,
    MAX_LINE,
    MAX_PATH,
    MAX_SHORT,
    MAX_TEXT,
    Frame,
    Stack,
)
from tracer.protocol.trim import shallow

_TEXTS = {
    "filename": MAX_TEXT,
    "abs_path": MAX_PATH,
    "module": MAX_TEXT,
    "function": MAX_TEXT,
    "raw_function": MAX_TEXT,
    "package": MAX_TEXT,
    "platform": MAX_SHORT,
    "symbol": MAX_TEXT,
    "addr_mode": MAX_SHORT,
    "trust": MAX_SHORT,
    "source_link": MAX_PATH,
}
_ADDRESSES = ("instruction_addr", "symbol_addr", "image_addr")
_OBJECTS = ("vars", "lock", "data")
_SNIP = "{snip}"

# Directories of installed packages and runtimes, in any platform's paths.
_FOREIGN_PATH = re.compile(
    r"""
    (?:^|[/\\])
        (?: site-packages | dist-packages | node_modules | bower_components | jspm_packages | vendor
          | gems | Pods | \.cargo | \.rustup | \.gradle | \.m2 | \.bundle | \w+\.framework ) [/\\]
    | [/\\] lib(?:64)? [/\\] (?: python\d | ruby[/\\] | node[/\\] | php | jvm | x86_64- | aarch64- )
    | ^ (?: /usr/lib | /usr/share/ | /usr/include/ | /usr/local/go/ | /usr/local/include/ | /lib/
          | /lib64/ | /System/ | /Library/Developer/ | /Applications/Xcode | /rustc/ )
    | /go/pkg/mod/ | /go/src/(?:runtime|net|internal|sync)/ | /rubygems/
    | ^ (?: node: | internal/ | native\b | <frozen\  | <anonymous> | <unknown> | <__array_function
          | <string>$ | \[native | bootstrap_node | module\.js$ )
    | ^ (?: chrome | moz | safari | safari-web | ms-browser )-extension:
    | (?i: ^ [a-z]:\\windows\\ | \\program\ files | \\dotnet\\shared\\ )
    """,
    re.VERBOSE,
)
_FOREIGN_MODULE = re.compile(
    r"""
    ^ (?: java | javax | jakarta | jdk | sun | com\.sun | kotlin | kotlinx | groovy | scala
        | clojure | android | androidx | dalvik | libcore | com\.android
        | com\.google\.(?:common|gson|inject) | com\.fasterxml | com\.mysql | com\.zaxxer
        | org\.apache | org\.springframework
        | org\.hibernate | org\.junit | org\.slf4j | org\.postgresql | org\.eclipse\.jetty
        | org\.codehaus | org\.jboss | ch\.qos\.logback | io\.netty | io\.undertow | io\.micrometer
        | io\.reactivex | io\.sentry | reactor | rx | okhttp3 | okio | retrofit2 | akka | play
        | net\.bytebuddy | System | Microsoft | Sentry | FSharp | MS\.Internal | Newtonsoft ) [.$]
    | ^ (?: std | core | alloc | backtrace | sentry | tokio ) ::
    | ^ (?: runtime | net/http | reflect ) $
    """,
    re.VERBOSE,
)


def finish_stack(stack: dict[str, Any], platform: str, has_nulls: bool) -> bool:
    """Complete a well-formed stack in place; False when it has no frames and should go.

    A `filename` that is a URL becomes the URL's path, and `abs_path` the URL, as in Relay.
    """
    if has_nulls:
        scalars.without_nulls(stack)
        scalars.without_nulls(stack.get("registers", {}))
    frames = stack.get("frames")
    if not frames:
        return False
    for frame in frames:
        if has_nulls and None in frame.values():
            scalars.without_nulls(frame)
        if "in_app" not in frame:
            frame["in_app"] = is_in_app(frame, platform)
        if "abs_path" not in frame and "filename" in frame:
            name = frame["filename"]
            if "://" in name:
                frame["abs_path"] = name
                frame["filename"] = url_path(name)
    return True


def is_in_app(frame: dict[str, Any], platform: str) -> bool:
    """Whether a frame that does not say so is the application's own code.

    It is not when its path or module belongs to an installed package, the runtime or the system.
    """
    path = frame.get("abs_path") or frame.get("filename")
    module = frame.get("module")
    package = frame.get("package")
    if package and _FOREIGN_PATH.search(package):
        return False
    if path and _FOREIGN_PATH.search(path):
        return False
    if module and platform != "python" and _FOREIGN_MODULE.search(module):
        return False
    return bool(path or module or package or frame.get("function"))


@lru_cache(maxsize=2048)
def url_path(url: str) -> str:
    """The path of a URL without query and fragment; the whole URL when it has none."""
    rest = url.partition("://")[2]
    path = rest[rest.find("/") :] if "/" in rest else ""
    path = path.partition("?")[0].partition("#")[0].replace("/./", "/")
    return path if len(path) > 1 else url


def repair_stack(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """Any value as a well-formed stack, at most 250 frames of it (the oldest and newest halves)."""
    raw = {"frames": value} if isinstance(value, list) else scalars.mapping(value, path, notes)
    if raw is None:
        return None
    frames = scalars.values(raw.get("frames"), f"{path}.frames", notes) or []
    stack: dict[str, Any] = {}
    if len(frames) > MAX_FRAMES:
        half = MAX_FRAMES // 2
        stack["frames_omitted"] = [half, len(frames) - half]
        notes.add(
            "too_many", f"{path}.frames", f"{len(frames) - MAX_FRAMES} of {len(frames)} dropped"
        )
        frames = frames[:half] + frames[-half:]
    repaired = (
        repair_frame(frame, f"{path}.frames.{index}", notes) for index, frame in enumerate(frames)
    )
    stack["frames"] = [frame for frame in repaired if frame is not None]
    registers = scalars.mapping(raw.get("registers"), f"{path}.registers", notes)
    if registers is not None:
        limits = {str(name): MAX_SHORT for name in registers}
        stack["registers"] = scalars.texts(registers, limits, f"{path}.registers", notes)
    if "frames_omitted" not in stack:
        omitted = raw.get("frames_omitted")
        if isinstance(omitted, list) and len(omitted) == 2:
            pair = [scalars.whole(one, f"{path}.frames_omitted", notes) for one in omitted]
            if None not in pair:
                stack["frames_omitted"] = pair
    snapshot = scalars.truth(raw.get("snapshot"), f"{path}.snapshot", notes)
    if snapshot is not None:
        stack["snapshot"] = snapshot
    return stack


def fit_stack(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """`value` as it is when well-formed, repaired otherwise."""
    if value is None:
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(value, Stack))
    except msgspec.ValidationError:
        return repair_stack(value, path, notes)


def repair_frame(raw: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """One frame; None when it is not even an object."""
    if not isinstance(raw, dict):
        if raw is not None:
            notes.add("invalid_data", path, "expected an object")
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(raw, Frame))
    except msgspec.ValidationError:
        pass
    frame = scalars.texts(raw, _TEXTS, path, notes)
    for key in _ADDRESSES:
        address = raw.get(key)
        if isinstance(address, int) and not isinstance(address, bool) and 0 <= address < 2**64:
            address = hex(address)
        found = scalars.text(address, MAX_SHORT, f"{path}.{key}", notes)
        if found is not None:
            frame[key] = found
    for key in ("lineno", "colno"):
        number = scalars.whole(raw.get(key), f"{path}.{key}", notes)
        if number is not None:
            frame[key] = number
    for key in ("in_app", "stack_start"):
        answer = scalars.truth(raw.get(key), f"{path}.{key}", notes)
        if answer is not None:
            frame[key] = answer
    for key in _OBJECTS:
        members = scalars.mapping(raw.get(key), f"{path}.{key}", notes)
        if members is not None:
            frame[key] = shallow(members, f"{path}.{key}", notes)
    _repair_lines(raw, frame, path, notes)
    return frame


def _repair_lines(raw: dict[str, Any], frame: dict[str, Any], path: str, notes: Notes) -> None:
    line = scalars.text(raw.get("context_line"), 2**31, f"{path}.context_line", notes)
    if line is not None:
        frame["context_line"] = around(line, frame.get("colno"))
        if frame["context_line"] is not line:
            _note_line(notes, f"{path}.context_line", len(line))
    for key in ("pre_context", "post_context"):
        lines = raw.get(key)
        if isinstance(lines, str):
            lines = lines.splitlines()
        lines = scalars.values(lines, f"{path}.{key}", notes)
        if lines is None:
            continue
        if len(lines) > MAX_CONTEXT_LINES:
            notes.add(
                "too_many", f"{path}.{key}", f"{MAX_CONTEXT_LINES} of {len(lines)} lines kept"
            )
            first = key == "post_context"
            lines = lines[:MAX_CONTEXT_LINES] if first else lines[-MAX_CONTEXT_LINES:]
        frame[key] = [scalars.plain(one) or "" for one in lines]
        longest = max(map(len, frame[key]), default=0)
        if longest > MAX_LINE:
            _note_line(notes, f"{path}.{key}", longest)
            frame[key] = [around(one, None) for one in frame[key]]


def _note_line(notes: Notes, path: str, length: int) -> None:
    notes.add("value_too_long", path, f"trimmed from {length} to {MAX_LINE} characters")


def around(line: str, column: int | None) -> str:
    """At most 256 characters of a line, those around its 1-based `column`, `{snip}` at cut ends."""
    if len(line) <= MAX_LINE:
        return line
    room = MAX_LINE - 2 * (len(_SNIP) + 1)
    middle = min(column or 0, len(line))
    start = max(0, min(middle - room // 2, len(line) - room))
    end = start + room
    head = f"{_SNIP} " if start else ""
    tail = f" {_SNIP}" if end < len(line) else ""
    return f"{head}{line[start:end]}{tail}"
