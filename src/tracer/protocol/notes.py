"""What decoding changed: the list that becomes `errors` of the event and is shown to its readers.

Values are quoted only where no secret is expected (names, times, levels), never from free data.
"""

from __future__ import annotations

from typing import Any

MAX_NOTES = 100
_MAX_NAME_CHARS = 200
_MAX_VALUE_CHARS = 64

Note = dict[str, Any]


class Notes:
    """A bounded list of {"type", "name", "value"?, "reason"}; `name` is the path of the field."""

    __slots__ = ("_entries", "_unlisted")

    def __init__(self) -> None:
        self._entries: list[Note] = []
        self._unlisted = 0

    def add(self, kind: str, name: str, reason: str, value: object = None) -> None:
        """Record one change. `kind` is invalid_data, value_too_long, too_deep, too_many, …"""
        if len(self._entries) >= MAX_NOTES - 1:
            self._unlisted += 1
            return
        note: Note = {"type": kind, "name": name[:_MAX_NAME_CHARS]}
        if value is not None:
            note["value"] = excerpt(value)
        note["reason"] = reason
        self._entries.append(note)

    def adopt(self, note: Note) -> None:
        """Take over a finished note, such as one that the SDK sent."""
        if len(self._entries) >= MAX_NOTES - 1:
            self._unlisted += 1
        else:
            self._entries.append(note)

    def listed(self) -> list[Note]:
        """All notes, at most 100; the last one tells how many there was no room for."""
        if self._unlisted:
            more = {
                "type": "too_many",
                "name": "errors",
                "reason": f"{self._unlisted} more not listed",
            }
            return [*self._entries, more]
        return self._entries


def excerpt(value: object) -> str:
    """A short text that tells a reader what was there; always encodable."""
    if isinstance(value, str):
        value = value if len(value) <= _MAX_VALUE_CHARS else value[: _MAX_VALUE_CHARS - 1] + "…"
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return f"object with {len(value)} keys"
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, int) and not -(10**18) < value < 10**18:
        return "a very large number"
    return str(value)
