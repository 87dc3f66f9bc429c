"""Exceptions and threads: lists of values that may have a stack trace."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import (
    MAX_EXCEPTIONS,
    MAX_MESSAGE,
    MAX_PATH,
    MAX_SHORT,
    MAX_TEXT,
    MAX_THREADS,
    ExceptionValue,
    Mechanism,
    Thread,
)
from tracer.protocol.stacktrace import finish_stack, fit_stack
from tracer.protocol.trim import shallow

_STACKS = ("stacktrace", "raw_stacktrace")
_TYPE_IN_VALUE = re.compile(r"([A-Z][\w.]{0,200}):\s+(\S.*)", re.ASCII | re.DOTALL)


def finish_exceptions(data: dict[str, Any], platform: str, has_nulls: bool) -> None:
    """`exception` becomes `{"values": [...]}`, none empty; takes a lone top-level stack in."""
    exceptions = data.get("exception")
    if exceptions is None:
        return
    if type(exceptions) is list:
        data["exception"] = exceptions = {"values": exceptions}
    kept = []
    for exception in exceptions["values"]:
        if has_nulls:
            scalars.without_nulls(exception)
        _finish_stacks(exception, platform, has_nulls)
        mechanism = exception.get("mechanism")
        if mechanism is not None:
            scalars.without_nulls(mechanism)
            if not mechanism.get("type"):
                mechanism["type"] = "generic"
        if not exception.get("type"):
            _find_type(exception)
        if exception.get("type") or exception.get("value") or "stacktrace" in exception:
            kept.append(exception)
    if not kept:
        del data["exception"]
        return
    exceptions["values"] = kept
    stack = data.pop("stacktrace", None)
    if stack and len(kept) == 1 and "stacktrace" not in kept[0]:
        kept[0]["stacktrace"] = stack
        _finish_stacks(kept[0], platform, has_nulls)


def _find_type(exception: dict[str, Any]) -> None:
    """`TypeError: x is not a function` in the value alone, as old SDKs send it."""
    exception.pop("type", None)
    found = _TYPE_IN_VALUE.fullmatch(exception.get("value", ""))
    if found is not None:
        exception["type"], exception["value"] = found.groups()


def finish_threads(data: dict[str, Any], platform: str, has_nulls: bool) -> None:
    """`threads` becomes `{"values": [...]}`; a lone top-level stack is completed, too."""
    threads = data.get("threads")
    if threads is not None:
        if type(threads) is list:
            data["threads"] = threads = {"values": threads}
        for thread in threads["values"]:
            scalars.without_nulls(thread)
            _finish_stacks(thread, platform, has_nulls)
        threads["values"] = [thread for thread in threads["values"] if thread]
        if not threads["values"]:
            del data["threads"]
    if "stacktrace" in data:
        _finish_stacks(data, platform, has_nulls)


def _finish_stacks(holder: dict[str, Any], platform: str, has_nulls: bool) -> None:
    for key in _STACKS:
        if key in holder and not finish_stack(holder[key], platform, has_nulls):
            del holder[key]


def repair_exceptions(value: object, path: str, notes: Notes) -> dict[str, Any]:
    """A list, `{"values": …}` or one exception as `{"values": […]}`, at most 50 of them."""
    if isinstance(value, str):
        value = [{"value": value}]
    found = scalars.values(value, path, notes) or []
    if len(found) > MAX_EXCEPTIONS:
        notes.add("too_many", path, f"{len(found) - MAX_EXCEPTIONS} of {len(found)} dropped")
        half = MAX_EXCEPTIONS // 2
        found = found[:half] + found[-half:]
    repaired = (
        _repair_exception(one, f"{path}.values.{index}", notes) for index, one in enumerate(found)
    )
    return {"values": [one for one in repaired if one is not None]}


def _repair_exception(raw: object, path: str, notes: Notes) -> dict[str, Any] | None:
    if isinstance(raw, str):
        raw = {"value": raw}
    if not isinstance(raw, dict):
        if raw is not None:
            notes.add("invalid_data", path, "expected an object")
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(raw, ExceptionValue))
    except msgspec.ValidationError:
        pass
    limits = {"type": MAX_SHORT, "value": MAX_MESSAGE, "module": MAX_SHORT}
    exception = scalars.texts(raw, limits, path, notes)
    _repair_identity(raw, exception, "thread_id", path, notes)
    mechanism = _repair_mechanism(raw.get("mechanism"), f"{path}.mechanism", notes)
    if mechanism is not None:
        exception["mechanism"] = mechanism
    _repair_stacks(raw, exception, path, notes)
    return exception


def _repair_mechanism(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    if isinstance(value, str):
        value = {"type": value}
    raw = scalars.mapping(value, path, notes)
    if raw is None:
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(raw, Mechanism))
    except msgspec.ValidationError:
        pass
    limits = {
        "type": MAX_SHORT,
        "description": MAX_MESSAGE,
        "help_link": MAX_PATH,
        "source": MAX_SHORT,
    }
    mechanism = scalars.texts(raw, limits, path, notes)
    for key in ("handled", "synthetic", "is_exception_group"):
        answer = scalars.truth(raw.get(key), f"{path}.{key}", notes)
        if answer is not None:
            mechanism[key] = answer
    for key in ("exception_id", "parent_id"):
        number = scalars.whole(raw.get(key), f"{path}.{key}", notes)
        if number is not None:
            mechanism[key] = number
    for key in ("data", "meta"):
        members = scalars.mapping(raw.get(key), f"{path}.{key}", notes)
        if members is not None:
            mechanism[key] = shallow(members, f"{path}.{key}", notes)
    return mechanism


def repair_threads(value: object, path: str, notes: Notes) -> dict[str, Any]:
    """At most 100 threads; the crashed and the current one are always among them."""
    found = scalars.values(value, path, notes) or []
    if len(found) > MAX_THREADS:
        notes.add("too_many", path, f"{len(found) - MAX_THREADS} of {len(found)} dropped")
        found.sort(key=lambda one: not _is_special(one))
        found = found[:MAX_THREADS]
    repaired = (
        _repair_thread(one, f"{path}.values.{index}", notes) for index, one in enumerate(found)
    )
    return {"values": [one for one in repaired if one is not None]}


def _is_special(thread: object) -> bool:
    return isinstance(thread, dict) and bool(thread.get("crashed") or thread.get("current"))


def _repair_thread(raw: object, path: str, notes: Notes) -> dict[str, Any] | None:
    if not isinstance(raw, dict):
        if raw is not None:
            notes.add("invalid_data", path, "expected an object")
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(raw, Thread))
    except msgspec.ValidationError:
        pass
    thread = scalars.texts(raw, {"name": MAX_TEXT, "state": MAX_SHORT}, path, notes)
    _repair_identity(raw, thread, "id", path, notes)
    for key in ("crashed", "current", "main"):
        answer = scalars.truth(raw.get(key), f"{path}.{key}", notes)
        if answer is not None:
            thread[key] = answer
    locks = scalars.mapping(raw.get("held_locks"), f"{path}.held_locks", notes)
    if locks is not None:
        thread["held_locks"] = shallow(locks, f"{path}.held_locks", notes)
    _repair_stacks(raw, thread, path, notes)
    return thread


def _repair_identity(
    raw: dict[str, Any], target: dict[str, Any], key: str, path: str, notes: Notes
) -> None:
    """Thread ids are numbers or strings."""
    value = raw.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**64:
        value = scalars.text(value, MAX_SHORT, f"{path}.{key}", notes)
    if value is not None:
        target[key] = value


def _repair_stacks(raw: dict[str, Any], target: dict[str, Any], path: str, notes: Notes) -> None:
    for key in _STACKS:
        stack = fit_stack(raw.get(key), f"{path}.{key}", notes)
        if stack is not None:
            target[key] = stack
