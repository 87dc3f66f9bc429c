"""Turning what an SDK sent into the type a field must have, or into None with a note.

Only the slow way comes here: values that fit the wire shape are never looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_NUMBER

_TRUE = frozenset(("true", "yes", "1", "on"))
_FALSE = frozenset(("false", "no", "0", "off"))
_NUMBER = re.compile(r"\s*(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}(?:\.0*)?)\s*", re.ASCII)


def text(value: object, limit: int, path: str, notes: Notes) -> str | None:
    """Any value as at most `limit` characters; objects and lists as their JSON."""
    if value is None:
        return None
    if not isinstance(value, str):
        value = plain(value)
        if value is None:
            notes.add("invalid_data", path, "expected a string")
            return None
    if len(value) > limit:
        notes.add("value_too_long", path, f"trimmed from {len(value)} to {limit} characters")
        return value[: limit - 1] + "…"
    return value


def plain(value: object) -> str | None:
    """The text of a JSON value, None for one that has none (null, nested too deeply)."""
    if isinstance(value, str):
        return value
    if value is None:
        return None
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, ValueError):
        return None


def whole(value: object, path: str, notes: Notes) -> int | None:
    """A number from 0 to 2^31-1: lines, columns, exception ids."""
    number: object = value
    if isinstance(value, str):
        if not value.strip():
            return None
        if _NUMBER.fullmatch(value):
            base = 16 if "x" in value.lower() else 10
            number = int(value.strip().partition(".")[0], base)
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MAX_NUMBER:
        return number
    if value is not None:
        notes.add("invalid_data", path, "expected a whole number", value)
    return None


def truth(value: object, path: str, notes: Notes) -> bool | None:
    """A boolean, also from 0, 1, "true", "no" and so on."""
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    if value != "":
        notes.add("invalid_data", path, "expected true or false", value)
    return None


def mapping(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """An object, also from pairs `[[key, value]]` and from a list (keys "0", "1", …).

    PHP sends empty objects as `[]`; anything empty is None without a note.
    """
    if isinstance(value, dict):
        return value
    if not value and not isinstance(value, (bool, int, float)):
        return None
    if isinstance(value, list):
        if all(
            isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in value
        ):
            return dict(value)
        return {str(index): one for index, one in enumerate(value)}
    notes.add("invalid_data", path, "expected an object")
    return None


def values(value: object, path: str, notes: Notes) -> list[Any] | None:
    """A list, also out of `{"values": […]}`, `{"0": …, "1": …}` and a single object."""
    if isinstance(value, dict):
        if "values" in value:
            return values(value["values"], path, notes)
        if value and all(key.isdecimal() for key in value):
            return list(value.values())
        return [value] if value else None
    if isinstance(value, list):
        return value
    if value is not None and value != "":
        notes.add("invalid_data", path, "expected a list")
    return None


def texts(
    raw: Mapping[str, Any], limits: Mapping[str, int], path: str, notes: Notes
) -> dict[str, Any]:
    """The fields of `limits` that `raw` has, each as text."""
    found: dict[str, Any] = {}
    for key, limit in limits.items():
        value = text(raw.get(key), limit, f"{path}.{key}", notes)
        if value is not None:
            found[key] = value
    return found


def without_nulls(record: dict[str, Any]) -> None:
    """Drop keys whose value is null, in place."""
    for key in [key for key, value in record.items() if value is None]:
        del record[key]
