"""The message of an event: a template, its parameters and the text they make."""

from __future__ import annotations

import re
from typing import Any

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_MESSAGE
from tracer.protocol.trim import shallow

_PLACEHOLDER = re.compile(
    r"%%|%(?:\((?P<name>[^)]{1,64})\))?[-+ #0]*\d{0,4}(?:\.\d{1,4})?[a-zA-Z]|\{(?P<key>\w{0,64})\}"
)


def finish_message(data: dict[str, Any]) -> None:
    """`message` and `logentry` become `logentry: {message, params?, formatted}`.

    `logentry` wins over `message`; a plain `message` beside it is its formatted text.
    """
    if "message" not in data and "logentry" not in data:
        return
    plain = data.pop("message", None)
    entry = data.pop("logentry", None)
    if entry is None or entry == {}:
        entry, plain = plain, None
    if type(entry) is str:
        entry = {"message": entry}
    elif entry is not None:
        scalars.without_nulls(entry)
    if not entry:
        return
    template = entry.get("message")
    formatted = entry.get("formatted")
    if not formatted and template:
        params = entry.get("params")
        if params:
            formatted = interpolate(template, params)
        else:
            formatted = plain if type(plain) is str and plain else template
    if not formatted:
        return
    if not template:
        entry["message"] = formatted
    entry["formatted"] = formatted
    data["logentry"] = entry


def interpolate(template: str, params: object) -> str:
    """The template with `%s`, `%(name)s`, `{}` and `{name}` filled in, at most 8192 characters.

    Widths and precisions are ignored: they could make gigabytes out of a few bytes.
    """
    named = params if isinstance(params, dict) else {}
    listed = list(params) if isinstance(params, list) else []
    if not isinstance(params, (dict, list)):
        listed = [params]
    position = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal position
        whole = match.group()
        if whole == "%%":
            return "%"
        key = match.group("name") or match.group("key")
        if key and not key.isdecimal():
            value = named.get(key)
        elif key:
            value = listed[int(key)] if len(key) < 4 and int(key) < len(listed) else None
        else:
            value = listed[position] if position < len(listed) else None
            position += 1
        return whole if value is None else scalars.plain(value) or whole

    return _PLACEHOLDER.sub(fill, template)[:MAX_MESSAGE]


def repair_message(value: object, path: str, notes: Notes) -> dict[str, Any] | str | None:
    """A string, or an object with message, formatted and params."""
    if not isinstance(value, dict):
        return scalars.text(value, MAX_MESSAGE, path, notes)
    limits = {"message": MAX_MESSAGE, "formatted": MAX_MESSAGE}
    entry: dict[str, Any] = scalars.texts(value, limits, path, notes)
    params = value.get("params")
    if params is not None:
        entry["params"] = shallow(params, f"{path}.params", notes)
    return entry
