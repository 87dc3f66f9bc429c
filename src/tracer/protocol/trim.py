"""Bounds on free data: how deep it nests, and how many bytes it may take.

Budgets are in bytes of JSON and only looked at in payloads that are large (`LARGE_BYTES`), because
a small one cannot hold much. Depth is part of the wire shape; `shallow` is for what did not fit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_DEPTH

KIB = 1024
LARGE_BYTES = 64 * KIB
HUGE_BYTES = 256 * KIB

MAX_EVENT_BYTES = 1024 * KIB
VARS_BYTES = 16 * KIB  # all frames of one stack together, newest in-app frames first
EXTRA_BYTES = 256 * KIB
CONTEXTS_BYTES = 128 * KIB
REQUEST_DATA_BYTES = 64 * KIB
BREADCRUMBS_BYTES = 192 * KIB
IMAGES_BYTES = 192 * KIB
MODULES_BYTES = 64 * KIB
SMALL_BYTES = 16 * KIB  # sdk, mechanism data and other small free objects

_SHORTEST = 32
_LOCK_BYTES = 4 * KIB
_BUDGETS = {
    "extra": EXTRA_BYTES,
    "modules": MODULES_BYTES,
    "sdk": SMALL_BYTES,
    "transaction_info": SMALL_BYTES,
    "csp": SMALL_BYTES,
    "hpkp": SMALL_BYTES,
    "expectct": SMALL_BYTES,
    "expectstaple": SMALL_BYTES,
    "nel": SMALL_BYTES,
}
_FRAME = {"lock": _LOCK_BYTES, "data": _LOCK_BYTES}
_MECHANISM = {"data": SMALL_BYTES, "meta": SMALL_BYTES}
_PARTS = {
    "request": {
        "data": REQUEST_DATA_BYTES,
        "headers": 2 * SMALL_BYTES,
        "cookies": 2 * SMALL_BYTES,
        "query_string": 2 * SMALL_BYTES,
        "env": SMALL_BYTES,
    },
    "user": {"geo": SMALL_BYTES, "data": SMALL_BYTES},
    "logentry": {"params": SMALL_BYTES},
    "debug_meta": {"images": IMAGES_BYTES, "sdk_info": SMALL_BYTES},
}
_LAST_RESORTS = ("modules", "extra", "threads", "breadcrumbs", "debug_meta", "request")
_KEPT_FRAMES = 20
_KEPT_EXCEPTIONS = 4
_KEPT_FRAME_KEYS = ("filename", "module", "function", "lineno", "colno", "in_app")


def shallow(value: Any, path: str, notes: Notes) -> Any:
    """`value` with at most seven containers inside each other; deeper ones become a word."""
    cut = _Cut()
    found = cut.below(value, MAX_DEPTH)
    if cut.count:
        notes.add("too_deep", path, f"{cut.count} parts nested more than {MAX_DEPTH} levels cut")
    return found


class _Cut:
    """Counts what a walk has cut off."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def below(self, value: Any, depth: int) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        if depth <= 0:
            self.count += 1
            return "[Object]" if isinstance(value, dict) else "[Array]"
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(one, (dict, list)):
                value[key] = self.below(one, depth - 1)
        return value


def size_of(value: object) -> int:
    """Bytes of `value` as JSON."""
    return len(msgspec.json.encode(value))


def fit(value: Any, budget: int, path: str, notes: Notes) -> Any:
    """`value` cut to about `budget` bytes: long strings shortened, late members dropped.

    Objects inside lists stay whole or go, so that lists of pairs and records keep their form.
    """
    size = size_of(value)
    if size <= budget:
        return value
    notes.add("too_large", path, f"trimmed from {size} to about {budget} bytes")
    return _cut(value, budget)[0]


def _cut(value: Any, budget: int) -> tuple[Any, int]:
    """The part of `value` that fits, and the bytes it takes."""
    size = size_of(value)
    if size <= budget:
        return value, size
    if isinstance(value, str):
        keep = max(_SHORTEST, budget * len(value) // size)
        value = value[:keep] + "…"
        return value, size_of(value)
    used = 2
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for key, one in value.items():
            left = budget - used - len(key) - 4
            if left < _SHORTEST:
                break
            kept[key], cost = _cut(one, left)
            used += cost + len(key) + 4
        return kept, used
    if isinstance(value, list):
        items: list[Any] = []
        for one in value:
            left = budget - used - 1
            if left < _SHORTEST:
                break
            part, cost = _cut(one, left) if isinstance(one, str) else (one, size_of(one))
            if cost > left + _SHORTEST:
                break
            items.append(part)
            used += cost + 1
        return items, used
    return value, size


def trim_event(data: dict[str, Any], payload_bytes: int, notes: Notes) -> None:
    """Keep every free field of a large, finished event within its budget, in place."""
    for field, budget in _BUDGETS.items():
        if field in data:
            data[field] = fit(data[field], budget, field, notes)
    for owner, fields in _PARTS.items():
        if owner in data:
            _fit_fields(data[owner], fields, owner, notes)
    if "debug_meta" in data and not data["debug_meta"].get("images"):
        del data["debug_meta"]
    if "contexts" in data:
        _trim_contexts(data["contexts"], notes)
    if "breadcrumbs" in data:
        _trim_breadcrumbs(data["breadcrumbs"], notes)
    for holder, path in holders(data):
        dot = f"{path}." if path else ""
        _fit_fields(holder, {"held_locks": SMALL_BYTES}, path, notes)
        if "mechanism" in holder:
            _fit_fields(holder["mechanism"], _MECHANISM, f"{dot}mechanism", notes)
        for key in ("stacktrace", "raw_stacktrace"):
            if key in holder:
                _fit_fields(holder[key], {"registers": SMALL_BYTES}, f"{dot}{key}", notes)
                _trim_vars(holder[key]["frames"], f"{dot}{key}", notes)
    if payload_bytes >= HUGE_BYTES and size_of(data) > MAX_EVENT_BYTES:
        _shrink(data, notes)


def _fit_fields(owner: dict[str, Any], budgets: dict[str, int], path: str, notes: Notes) -> None:
    for field, budget in budgets.items():
        if field in owner:
            owner[field] = fit(owner[field], budget, f"{path}.{field}", notes)


def holders(data: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """All that may have a stack trace: exceptions, threads, the event itself; with their paths."""
    for field in ("exception", "threads"):
        if field in data:
            for index, one in enumerate(data[field]["values"]):
                yield one, f"{field}.values.{index}"
    if "stacktrace" in data:
        yield data, ""


def _trim_contexts(contexts: dict[str, Any], notes: Notes) -> None:
    """Smallest first: one huge context must not cost the others."""
    left = CONTEXTS_BYTES
    for name in sorted(contexts, key=lambda name: size_of(contexts[name])):
        context = contexts[name]
        size = size_of(context)
        if size > max(left, 1 * KIB):
            trimmed = fit(context, max(left, 1 * KIB), f"contexts.{name}", notes)
            contexts[name] = {**trimmed, "type": context["type"]}
        left -= min(size, left)


def _trim_breadcrumbs(breadcrumbs: dict[str, Any], notes: Notes) -> None:
    """Newest first."""
    left, kept = BREADCRUMBS_BYTES, []
    crumbs = breadcrumbs["values"]
    for index in range(len(crumbs) - 1, -1, -1):
        crumb = crumbs[index]
        _fit_fields(crumb, {"data": SMALL_BYTES}, f"breadcrumbs.values.{index}", notes)
        left -= size_of(crumb)
        if left < 0:
            notes.add("too_large", "breadcrumbs", f"the oldest {index + 1} were dropped")
            break
        kept.append(crumb)
    breadcrumbs["values"] = kept[::-1]


def _trim_vars(frames: list[dict[str, Any]], path: str, notes: Notes) -> None:
    """Share the budget from the newest in-app frame to the oldest other frame."""
    left = VARS_BYTES
    order = sorted(range(len(frames)), key=lambda i: (not frames[i].get("in_app"), -i))
    for index in order:
        _fit_fields(frames[index], _FRAME, f"{path}.frames.{index}", notes)
        variables = frames[index].get("vars")
        if not variables:
            continue
        size = size_of(variables)
        if size > left:
            where = f"{path}.frames.{index}.vars"
            if left < 8 * _SHORTEST:
                notes.add(
                    "too_large", where, f"dropped: variables of a stack may take {VARS_BYTES} bytes"
                )
                del frames[index]["vars"]
                continue
            variables = frames[index]["vars"] = fit(variables, left, where, notes)
            size = size_of(variables)
        left -= min(size, left)


def _shrink(data: dict[str, Any], notes: Notes) -> None:
    """Last resorts for an event that is still too large: source lines, then whole interfaces."""
    for holder, path in holders(data):
        for key in ("stacktrace", "raw_stacktrace"):
            for frame in holder[key]["frames"] if key in holder else ():
                for field in ("pre_context", "post_context", "data", "lock"):
                    frame.pop(field, None)
        notes.add("too_large", path or "stacktrace", "source lines around frames dropped")
    for field in _LAST_RESORTS:
        if size_of(data) <= MAX_EVENT_BYTES:
            return
        if data.pop(field, None) is not None:
            notes.add("too_large", field, f"dropped: an event may take {MAX_EVENT_BYTES} bytes")
    if size_of(data) <= MAX_EVENT_BYTES:
        return
    exceptions = data.get("exception", {}).get("values", [])
    del exceptions[:-_KEPT_EXCEPTIONS]
    for holder, path in holders(data):
        holder.pop("raw_stacktrace", None)
        if "stacktrace" in holder:
            frames = holder["stacktrace"]["frames"][-_KEPT_FRAMES:]
            holder["stacktrace"] = {
                "frames": [{k: f[k] for k in _KEPT_FRAME_KEYS if k in f} for f in frames]
            }
        notes.add("too_large", path or "stacktrace", f"only the newest {_KEPT_FRAMES} frames kept")
