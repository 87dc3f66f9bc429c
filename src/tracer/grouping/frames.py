"""A stack trace as the texts that identify it: which frames count, by what, and why.

Knows one stack at a time. Which exception's stack decides is the business of `chain`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from tracer.grouping import names
from tracer.grouping.model import part

MAX_PARTS = 40
MAX_FRAMES = 250
_MAX_PERIOD = 16
_MAX_CONTEXT = 200
_MINIFIED_COLUMN = 300

# What a frame is known by.
NAMED, UNNAMED, SHORT, INLINED, NOISE, ADDRESS = range(6)

_COMPREHENSIONS = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"))
_NAMELESS = frozenset(
    (
        *("", "?", "<anonymous>", "anonymous", "(anonymous)", "{anonymous}", "Anonymous function"),
        *(
            "anonymous function",
            "<unknown>",
            "unknown",
            "[unknown]",
            "<lambda>",
            "lambda",
            ".lambda",
        ),
        *("{closure}", ".{closure}", "<fn>", "func", "global code", "Global code", "eval code"),
        *(
            "[redacted]",
            "<redacted>",
            "<compiler-generated>",
            "___lldb_unnamed_symbol",
            "[anonymous]",
        ),
        *("<computed>", "<static_initializer>", "#", "eval"),
    )
)
_SUSPENSIONS = frozenset(("<asynchronous suspension>", "--- await ---", "--- async ---"))
_ENGINE_FILES = frozenset(("<anonymous>", "native", "[native code]", "[native]", "native code"))


class FrameKey(NamedTuple):
    """What a frame is called, cleaned. `is_built`: its file is a bundle that changes by build."""

    kind: int
    text: str
    location: str
    is_built: bool


UNREAD = FrameKey(NOISE, "", "", False)


class Picked(NamedTuple):
    """A frame that counts: its place in the stack and the text that identifies it."""

    place: int
    text: str


@dataclass(slots=True)
class Stack:
    """One stack, read. `hints[i]` is why frame i does not count, or what it counts by.

    A frame that is neither picked nor hinted at is not in-app.
    """

    frames: list[dict[str, Any]]
    keys: list[FrameKey]
    picked: list[Picked]
    hints: dict[int, str]
    is_hidden: bool
    innermost: int

    @property
    def texts(self) -> list[str]:
        return [picked.text for picked in self.picked]


Locate = Callable[[dict[str, Any]], str]


def read_keys(
    frames: list[dict[str, Any]], platform: str, locate: Locate, *, in_app_only: bool
) -> list[FrameKey]:
    """The key of each frame; `locate` names a native frame that has no symbol.

    With `in_app_only` the others get a key that says nothing: most stacks never need theirs.
    """
    default = names.FAMILIES.get(platform, names.OTHER)
    keys = [UNREAD] * len(frames)
    for index, frame in enumerate(frames):
        get = frame.get
        if in_app_only and get("in_app") is not True:
            continue
        other = get("platform")
        column = get("colno")
        key = _frame_key(
            default if other is None else names.FAMILIES.get(other, default),
            get("module") or "",
            get("function") or "",
            get("filename") or get("abs_path") or "",
            get("package") or "",
            type(column) is int and column > _MINIFIED_COLUMN,
        )
        if key.kind == ADDRESS:
            text = locate(frame)
            key = FrameKey(ADDRESS if text else NOISE, text, key.location, False)
        keys[index] = key
    return keys


@lru_cache(maxsize=16384)
def _frame_key(
    family: str, module: str, function: str, filename: str, package: str, is_wide: bool
) -> FrameKey:
    if function in _SUSPENSIONS or filename in _SUSPENSIONS:
        return FrameKey(NOISE, "", "", False)
    file, is_built = names.clean_file(filename) if filename else ("", False)
    is_built = is_built or is_wide
    if module:
        location = names.clean_module(family, module)
    elif family == names.NATIVE and package:
        location = names.clean_package(package)
    else:
        location = file
    if family == names.JS and (filename in _ENGINE_FILES or (not filename and not module)):
        return FrameKey(NOISE, "", location, False)
    if function in _COMPREHENSIONS or function.rpartition(".")[2] in _COMPREHENSIONS:
        return FrameKey(INLINED, "", location, is_built)
    name = names.clean_function(family, function)
    if family == names.DOTNET and name == "MoveNext":
        location, _, name = location.replace("+", ".").rpartition(".")
    if name in _NAMELESS or name.endswith(("<lambda>", "wasm-function[#]")):
        if family == names.NATIVE:
            return FrameKey(ADDRESS, "", location, False)
        return FrameKey(UNNAMED, location, location, is_built)
    if _is_minified(family, location, name, is_built):
        place = file if family == names.JS else ""  # obfuscators rename classes, too
        return FrameKey(SHORT, place, place, True)
    return FrameKey(NAMED, f"{location}\x1f{name}", location, is_built)


def _is_minified(family: str, location: str, name: str, is_built: bool) -> bool:
    if family == names.JS:
        return len(name) <= (3 if is_built else 2)
    if family == names.JAVA:
        return len(name) <= 2 and len(location.rpartition(".")[2]) <= 2
    return family == names.DART and len(name) <= 2


def read_stack(frames: list[dict[str, Any]], keys: list[FrameKey], *, in_app_only: bool) -> Stack:
    """Choose the frames that count: in-app (or all), named, loops folded.

    `is_hidden` says that the innermost of them has no stable name, so that the stack alone does not
    tell two errors apart.
    """
    stack = Stack(frames, keys, [], {}, False, -1)
    wanted = []
    for index, key in enumerate(keys):
        if key is UNREAD or (in_app_only and frames[index].get("in_app") is not True):
            continue
        if key.kind == NOISE:
            stack.hints[index] = "engine internals"
        else:
            wanted.append(index)
    if not wanted:
        return stack
    stack.innermost = wanted[-1]
    is_any_named = any(keys[index].kind in (NAMED, ADDRESS) for index in wanted)
    before = -1
    for index in wanted:
        is_last = index == stack.innermost
        text = _identify(
            stack, index, before, is_last=is_last, is_needed=is_last or not is_any_named
        )
        if text:
            stack.picked.append(Picked(index, text))
        elif is_last and keys[index].kind != INLINED:
            stack.is_hidden = True
        before = index
    if len({picked.text for picked in stack.picked}) < len(stack.picked):
        _fold(stack)
    return stack


def _identify(stack: Stack, index: int, before: int, *, is_last: bool, is_needed: bool) -> str:
    """The text of one frame, "" when it has none; notes why in `hints`."""
    key = stack.keys[index]
    if key.kind in (NAMED, ADDRESS):
        return key.text
    hints = stack.hints
    if key.kind == INLINED and before >= 0 and stack.keys[before].location == key.location:
        hints[index] = "part of the function around it"
        return ""
    frame = stack.frames[index]
    line = source_line(frame)
    if line:
        hints[index] = "unnamed: by its file and source line"
        return f"{key.location}\x1f{line}"
    if key.is_built:
        hints[index] = "minified name"
        return ""
    number = frame.get("lineno")
    if is_needed and number is not None and key.location and key.kind != SHORT:
        hints[index] = "unnamed: by its file and line number"
        return f"{key.location}\x1f{number}:{frame.get('colno') or 0}"
    hints[index] = "unnamed" if not is_last else "unnamed: cannot tell errors apart"
    return ""


def source_line(frame: dict[str, Any]) -> str:
    """The source line with its blanks folded; "" if unknown or too long to be hand-written."""
    line = frame.get("context_line")
    if type(line) is not str or not line or len(line) > _MAX_CONTEXT or "{snip}" in line:
        return ""
    return " ".join(line.split())


def _fold(stack: Stack) -> None:
    """Recursion: repeated sequences once, and no walk in circles through a frame seen often."""
    kept: list[Picked] = []
    for picked in stack.picked:
        kept.append(picked)
        for period in range(1, min(_MAX_PERIOD, len(kept) // 2) + 1):
            if kept[-1].text != kept[-1 - period].text:
                continue
            newer, older = kept[-period:], kept[-2 * period : -period]
            if [one.text for one in newer] == [one.text for one in older]:
                del kept[-period:]
                break
    counts = Counter(one.text for one in kept)
    if max(counts.values()) >= 3:
        kept = _without_circles(kept, counts)
    remaining = {one.place for one in kept}
    for one in stack.picked:
        if one.place not in remaining:
            stack.hints[one.place] = "recursion"
    stack.picked = kept


def _without_circles(picked: list[Picked], counts: Counter[str]) -> list[Picked]:
    path: list[Picked] = []
    for one in picked:
        if counts[one.text] >= 3:
            for position, earlier in enumerate(path):
                if earlier.text == one.text:
                    del path[position + 1 :]
                    break
            else:
                path.append(one)
        else:
            path.append(one)
    return path


def read_cycle(keys: list[FrameKey]) -> list[str]:
    """The functions that called each other until the stack overflowed, in an order of their own.

    How the stack entered the cycle and where it ended is chance, so both are left out.
    """
    texts = [key.text for key in keys if key.kind in (NAMED, ADDRESS)]
    counts = Counter(texts)
    most = max(counts.values(), default=0)
    if most < 3:
        return []
    return sorted(text for text, count in counts.items() if count * 2 >= most)


def frame_parts(stack: Stack) -> list[dict[str, Any]]:
    """The frames as components, oldest first; runs of library frames as one line."""
    parts: list[dict[str, Any]] = []
    for hint, start, stop in _runs(stack):
        if not hint:
            shown = frame_name(stack.frames[start])
            parts.append(part("frame", shown, True, stack.hints.get(start, "")))
        elif stop - start > 2:
            parts.append(part("frames", f"{stop - start} frames", False, hint))
        else:
            run = stack.frames[start:stop]
            parts += [part("frame", frame_name(frame), False, hint) for frame in run]
    if len(parts) > MAX_PARTS:
        omitted = len(parts) - MAX_PARTS
        half = MAX_PARTS // 2
        middle = part("frames", f"{omitted} more", False, "not listed here")
        parts = [*parts[:half], middle, *parts[-half:]]
    return parts


def _runs(stack: Stack) -> list[tuple[str, int, int]]:
    """(why not, start, stop) of neighbouring frames that do not count; ("", i, i + 1) of others."""
    counted = {picked.place for picked in stack.picked}
    runs: list[tuple[str, int, int]] = []
    at, end = 0, len(stack.frames)
    for index in (*sorted(counted.union(stack.hints)), end):
        if index > at:
            runs.append(("not in-app", at, index))
        if index == end:
            break
        hint = "" if index in counted else stack.hints[index]
        if hint and runs and runs[-1][0] == hint:
            runs[-1] = (hint, runs[-1][1], index + 1)
        else:
            runs.append((hint, index, index + 1))
        at = index + 1
    return runs


def frame_name(frame: dict[str, Any]) -> str:
    """`module in function` as Sentry writes it, by what is known."""
    place = frame.get("module") or names.strip_origin(
        frame.get("filename") or frame.get("abs_path") or ""
    )
    if not place:
        place = (frame.get("package") or "").replace("\\", "/").rsplit("/", 1)[-1]
    function = frame.get("function") or ""
    if function in ("", "?"):
        return place or frame.get("instruction_addr") or "?"
    return f"{place} in {function}" if place else function
