"""Which exception of a chain or group decides, and what of it is hashed.

The oldest causal exception with usable in-app frames decides, so that an error and the same error
wrapped are one issue. Only what failed anew while it was handled counts beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tracer.grouping import names
from tracer.grouping.browsers import engine_message
from tracer.grouping.frames import (
    MAX_FRAMES,
    FrameKey,
    Stack,
    frame_parts,
    read_cycle,
    read_keys,
    read_stack,
    source_line,
)
from tracer.grouping.images import Images
from tracer.grouping.model import Basis, part
from tracer.grouping.parameterize import parameterize
from tracer.grouping.tree import causal_chains

NAMELESS = "an exception without a type"
_MAX_CHAIN = 50
_MAX_MEMBERS = 20

# Where a traceback begins at the function that catches, not at the thread's first frame.
_PARTIAL_TRACEBACKS = frozenset((names.PYTHON, names.DOTNET))
# Where an exception gets the one being handled as its cause without anyone saying so.
_IMPLICIT_CAUSES = frozenset((names.PYTHON, names.RUBY))

_RAISES = re.compile(r"\b(?:raise|fail|throw)\b")
_OVERFLOW_TYPES = frozenset(
    (
        *("RecursionError", "StackOverflowError", "SystemStackError", "StackOverflowException"),
        *("StackOverflow", "java.lang.StackOverflowError", "EXCEPTION_STACK_OVERFLOW"),
    )
)
_OVERFLOW_VALUE = re.compile(
    "maximum call stack size exceeded|too much recursion|maximum recursion depth exceeded"
    "|maximum function nesting level|stack level too deep",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the event reading an exception needs."""

    platform: str
    family: str
    images: Images
    thread_frames: dict[Any, list[dict[str, Any]]]


@dataclass(slots=True)
class Cause:
    """One exception with its frames; `app_keys` are read at once, `keys` when first needed."""

    raw: dict[str, Any]
    type: str
    shown: str
    frames: list[dict[str, Any]]
    app_keys: list[FrameKey]
    source: str
    is_synthetic: bool
    around: Surroundings
    all_keys: list[FrameKey] | None = None

    @property
    def keys(self) -> list[FrameKey]:
        """The keys of all frames, library frames included."""
        if self.all_keys is None:
            locate = self.around.images.locate
            self.all_keys = read_keys(self.frames, self.around.platform, locate, in_app_only=False)
        return self.all_keys


def exception_basis(values: list[dict[str, Any]], around: Surroundings) -> Basis | None:
    """The basis of a whole `exception.values`; None when nothing in it identifies anything."""
    chains = causal_chains(values[-_MAX_CHAIN:])
    if len(chains) == 1:
        return _chain_basis([_read(raw, around) for raw in chains[0]], around)
    bases: dict[tuple[str, ...], Basis] = {}
    for chain in chains[:_MAX_MEMBERS]:
        basis = _chain_basis([_read(raw, around) for raw in chain], around)
        if basis is not None:
            bases.setdefault((basis.variant, *basis.texts), basis)
    if len(bases) < 2:
        return next(iter(bases.values()), None)
    ordered = [bases[key] for key in sorted(bases)]
    texts = ["group"]
    parts: list[dict[str, Any]] = []
    for basis in ordered:
        texts += ["member", basis.variant, *basis.texts]
        parts += basis.parts[:12]
    label = f"{len(ordered)} different exceptions of a group"
    return Basis(ordered[0].variant, label, texts, parts[:80])


def _read(raw: dict[str, Any], around: Surroundings) -> Cause:
    stacktrace = raw.get("stacktrace")
    frames = (stacktrace or {}).get("frames") or around.thread_frames.get(raw.get("thread_id"), [])
    frames = [frame for frame in frames if type(frame) is dict]
    if len(frames) > MAX_FRAMES:
        frames = frames[-MAX_FRAMES:]
    mechanism = raw.get("mechanism") or {}
    shown = str(raw.get("type") or "")
    return Cause(
        raw,
        names.clean_type(around.family, shown) if shown else "",
        shown,
        frames,
        read_keys(frames, around.platform, around.images.locate, in_app_only=True),
        str(mechanism.get("source") or ""),
        mechanism.get("synthetic") is True,
        around,
    )


def _chain_basis(chain: list[Cause], around: Surroundings) -> Basis | None:
    unnamed: tuple[int, Stack] | None = None
    for index, cause in enumerate(chain):
        if not cause.frames:
            continue
        stack = read_stack(cause.frames, cause.app_keys, in_app_only=True)
        if stack.picked:
            return _stack_basis(chain, index, stack, around)
        if stack.innermost >= 0 and unnamed is None:
            unnamed = index, stack
    if unnamed is not None:
        return _stack_basis(chain, *unnamed, around)
    for index, cause in enumerate(chain):
        stack = read_stack(cause.frames, cause.keys, in_app_only=False)
        if stack.picked:
            return _stack_basis(chain, index, stack, around, is_system=True)
    return _values_basis(chain)


def _stack_basis(
    chain: list[Cause], index: int, stack: Stack, around: Surroundings, *, is_system: bool = False
) -> Basis:
    """The stack trace of `chain[index]`: its type, its frames, its last source line."""
    cause = chain[index]
    is_overflow = _is_overflow(cause)
    cycle = read_cycle(cause.keys) if is_overflow else []
    if cycle:
        return _cycle_basis(cause, stack, cycle)
    texts: list[str] = []
    parts: list[dict[str, Any]] = []
    _add_type(cause, around, texts, parts, "the oldest cause" if index < len(chain) - 1 else "")
    if around.family in _PARTIAL_TRACEBACKS and index < len(chain) - 1:
        stack = _with_callers(chain, index, stack, in_app_only=not is_system)
    texts += stack.texts
    parts += frame_parts(stack)
    is_thin = is_system and len(stack.picked) < 2
    if stack.is_hidden or not stack.picked:
        texts += ["file", stack.keys[stack.innermost].location]
        parts.append(part("file", stack.keys[stack.innermost].location, True, "file of the error"))
    elif not is_overflow:
        _add_line(stack, texts, parts)
    if stack.is_hidden or not stack.picked or is_thin:
        _add_value(cause, texts, parts, "the stack alone does not identify it")
    elif cause.is_synthetic and around.family != names.NATIVE:
        _add_value(cause, texts, parts, "what was captured is no error")
    elif around.family == names.JS and _is_bundled(stack) and _is_engine_made(cause):
        _add_value(cause, texts, parts, "bundlers put many functions into one")
    for older, newer in pairwise(range(index, len(chain))):
        _add_later(chain, older, newer, around, texts, parts)
    if not stack.picked:
        return Basis(
            "exception", f"file and value of {_name(cause)}, names are minified", texts, parts
        )
    if is_system:
        return Basis(
            "system-stacktrace", f"stack trace of {_name(cause)}, all frames", texts, parts
        )
    return Basis("app-stacktrace", f"in-app stack trace of {_name(cause)}", texts, parts)


def _cycle_basis(cause: Cause, stack: Stack, cycle: list[str]) -> Basis:
    texts = ["overflow", cause.type, *cycle]
    parts = [
        part("type", cause.shown, True),
        part("recursion", f"cycle of {len(cycle)} functions", True, "how it was entered is chance"),
        *frame_parts(stack),
    ]
    return Basis("app-stacktrace", f"recursion of {_name(cause)}", texts, parts)


def _values_basis(chain: list[Cause]) -> Basis | None:
    """No frames anywhere: every type and parameterised value of the chain."""
    texts: list[str] = []
    parts: list[dict[str, Any]] = []
    for cause in chain:
        if cause.type:
            texts += ["type", cause.type]
            parts.append(part("type", cause.shown, True))
        _add_value(cause, texts, parts, "no stack trace")
    if not texts:
        return None
    label = f"type and value of {_name(chain[-1])}"
    return Basis("exception", label, texts, parts)


def _add_type(
    cause: Cause, around: Surroundings, texts: list[str], parts: list[dict[str, Any]], hint: str
) -> None:
    # A crash is SIGSEGV on one system and EXC_BAD_ACCESS on another.
    if cause.is_synthetic and around.family == names.NATIVE:
        parts.append(part("type", cause.shown, False, "named by the system, not by the code"))
    elif cause.type:
        texts += ["type", cause.type]
        parts.append(part("type", cause.shown, True, hint))
    elif cause.shown:
        parts.append(part("type", cause.shown, False, "minified name"))


def _add_line(stack: Stack, texts: list[str], parts: list[dict[str, Any]]) -> None:
    """The innermost frame's source text tells apart two failures in one function."""
    line = source_line(stack.frames[stack.innermost])
    if line:
        texts += ["line", line]
        parts.append(part("context-line", line, True, "source of the innermost frame"))


def _add_value(cause: Cause, texts: list[str], parts: list[dict[str, Any]], hint: str) -> None:
    value = cause.raw.get("value")
    if type(value) is not str or not value:
        return
    made = engine_message(value) if cause.around.family == names.JS else None
    cleaned = parameterize(value) if made is None else made
    texts += ["value", cleaned]
    parts.append(part("value", cleaned, True, hint))


def _add_later(
    chain: list[Cause],
    older: int,
    newer: int,
    around: Surroundings,
    texts: list[str],
    parts: list[dict[str, Any]],
) -> None:
    """An exception after the deciding one counts only if it failed anew, not if it wraps."""
    cause = chain[newer]
    beyond = _beyond(chain[older], cause) if around.family in _IMPLICIT_CAUSES else None
    if beyond is None:
        parts.append(part("exception", _name(cause), False, "wraps the cause"))
        return
    texts += ["then", cause.type]
    parts.append(part("exception", _name(cause), True, "failed while the cause was handled"))
    frames, keys = cause.frames[beyond:], cause.keys[beyond:]
    stack = read_stack(frames, keys, in_app_only=True)
    texts += stack.texts
    parts += frame_parts(stack)
    own = read_stack(cause.frames, cause.app_keys, in_app_only=True)
    if own.innermost >= 0:
        _add_line(own, texts, parts)


def _beyond(older: Cause, newer: Cause) -> int | None:
    """Where in `newer` its own failure begins: past the function that caught `older`.

    None when it was raised by that very function: then it wraps `older`.
    """
    if newer.source == "__cause__" or not newer.frames or not older.frames:
        return None
    caught = _caught_at(older, newer)
    if caught is None:
        return None
    if any(
        newer.keys[i].text != newer.keys[caught].text for i in range(caught + 1, len(newer.keys))
    ):
        return caught + 1
    line = source_line(newer.frames[-1])
    return len(newer.frames) if line and not _RAISES.search(line) else None


def _caught_at(older: Cause, newer: Cause) -> int | None:
    """The index in `newer` of the frame that caught `older`."""
    first = older.keys[0].text
    caught = next((place for place, key in enumerate(newer.keys) if key.text == first), None)
    if caught is None:
        return None
    for key, other in zip(older.keys[1:], newer.keys[caught + 1 :], strict=False):
        if key.text != other.text:
            break
        caught += 1
    return caught


def _with_callers(chain: list[Cause], index: int, stack: Stack, *, in_app_only: bool) -> Stack:
    """The deciding stack with what called it, which only the exceptions that wrap it know."""
    frames, keys = stack.frames, chain[index].keys
    for cause in chain[index + 1 :]:
        first = keys[0].text
        places = first and [place for place, key in enumerate(cause.keys) if key.text == first]
        if places:
            frames = [*cause.frames[: places[-1]], *frames]
            keys = [*cause.keys[: places[-1]], *keys]
    if len(frames) == len(stack.frames):
        return stack
    return read_stack(frames[-MAX_FRAMES:], keys[-MAX_FRAMES:], in_app_only=in_app_only)


def _is_overflow(cause: Cause) -> bool:
    if cause.shown in _OVERFLOW_TYPES:
        return True
    value = cause.raw.get("value")
    return type(value) is str and _OVERFLOW_VALUE.search(value, 0, 400) is not None


def _is_bundled(stack: Stack) -> bool:
    """The error is in built JavaScript of which no source line is known."""
    key, frame = stack.keys[stack.innermost], stack.frames[stack.innermost]
    return key.is_built and not source_line(frame)


def _is_engine_made(cause: Cause) -> bool:
    value = cause.raw.get("value")
    return type(value) is str and engine_message(value) is not None


def _name(cause: Cause) -> str:
    return cause.shown or ("a captured value" if cause.is_synthetic else NAMELESS)
