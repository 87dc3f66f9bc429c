"""An audit entry, what can be searched for, and how a change reads. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import msgspec

from tracer import clock

DAY_MS = 86_400_000
_LIST_SHOWN = 50
_MS_FROM = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `at` is unix milliseconds; `before` and `after` are JSON texts or None."""

    id: int
    at: int
    organization_id: int | None
    project_id: int | None
    actor_kind: str
    actor_id: int | None
    actor: str
    token_id: int | None
    address: str
    device: str
    action: str
    object_type: str
    object_id: str
    object: str
    before: str | None
    after: str | None
    hash: bytes

    @property
    def who(self) -> str:
        """The actor as one text, also where there is no name."""
        if self.actor:
            return self.actor
        return {"token": f"token {self.token_id}", "anonymous": "somebody"}.get(
            self.actor_kind, self.actor_kind
        )

    @property
    def changes(self) -> list[Change]:
        """What changed, name by name."""
        return list(_changes(decoded(self.before), decoded(self.after)))


COLUMNS = tuple(field.name for field in fields(Entry))


class Change(NamedTuple):
    """One value before and after, as texts; None where it was not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. Empty is everything; times are unix milliseconds, `until_ms` excluded."""

    text: str = ""
    actor: str = ""
    action: str = ""
    object_type: str = ""
    object_id: str = ""
    project_id: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Position(NamedTuple):
    """Where a page ends: the next one has smaller ids."""

    id: int


def decoded(text: str | None) -> dict[str, Any]:
    """The object in `before` or `after`."""
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {"value": found}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        words = name.replace("_", " ")
        if isinstance(old, list) and isinstance(new, list) and _is_set(old) and _is_set(new):
            gone = [value for value in old if value not in new]
            come = [value for value in new if value not in old]
            yield Change(words, shown(gone) if gone else None, shown(come) if come else None)
        else:
            show = _time if name.endswith("_at") else shown
            yield Change(
                words,
                show(old) if name in before else None,
                show(new) if name in after else None,
            )


def _is_set(values: list[Any]) -> bool:
    """Whether only what is in it matters: texts and numbers, each once."""
    plain = [value for value in values if isinstance(value, str | int)]
    return len(plain) == len(values) == len(set(plain))


def _time(value: Any) -> str:
    """Unix milliseconds as a moment; anything else as it is."""
    if isinstance(value, list):
        return ", ".join(map(_time, value))
    if not isinstance(value, int) or value < _MS_FROM:
        return shown(value)
    return clock.from_ms(value).strftime("%Y-%m-%d %H:%M:%S UTC")


def shown(value: Any) -> str:
    """A value as a person would write it."""
    if value is None or value == "" or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        more = len(value) - _LIST_SHOWN
        listed = ", ".join(shown(part) for part in value[:_LIST_SHOWN])
        return f"{listed} and {more:,} more" if more > 0 else listed
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')}: {shown(part)}" for key, part in value.items())
    return str(value)
