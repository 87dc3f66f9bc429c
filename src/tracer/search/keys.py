"""The keys that mean something by themselves, and what may stand after them.

Any other key is the name of a tag; `tags[level]:x` reaches a tag that a key hides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches

STATUSES = (
    "unresolved",
    "resolved",
    "ignored",
    "archived",
    "regressed",
    "new",
    "assigned",
    "unassigned",
    "unhandled",
    "handled",
)
LEVELS = ("debug", "info", "warning", "error", "fatal")

ALIASES = {
    "env": "environment",
    "first_seen": "firstSeen",
    "last_seen": "lastSeen",
    "times_seen": "timesSeen",
    "assigned_to": "assigned",
    "users_seen": "users",
}

COMPARED = frozenset(("timesSeen", "users"))
TIMES = frozenset(("firstSeen", "lastSeen"))
WITHOUT_WILDCARDS = frozenset(("is", "level", "assigned", "has", "issue", *COMPARED, *TIMES))

_NUMBER = re.compile(r"(\d{1,15})([km]?)", re.IGNORECASE | re.ASCII)
_RELATIVE = re.compile(r"[+-]\d{1,6}[smhdw]", re.ASCII)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
_TAG = re.compile(r"tags\[([^\]\s]+)\]")
_TAGS_LIKE_KEYS = frozenset(("user", "type"))


def tag_name(key: str) -> str | None:
    """The tag that a term's key names; None for the keys of this module."""
    match = _TAG.fullmatch(key)
    if match:
        return match.group(1)
    return None if key in READ else key


def canonical(key: str) -> str:
    """The key as it is written here, whatever its case; tag names keep theirs."""
    lowered = key.lower()
    return ALIASES.get(lowered) or _BY_LOWER.get(lowered) or key


def near_miss(key: str) -> str | None:
    """The known key that was probably meant by one that is not known."""
    if key in READ or key.lower() in _TAGS_LIKE_KEYS or _TAG.fullmatch(key):
        return None
    found = get_close_matches(key.lower(), _BY_LOWER, 1, cutoff=0.88)
    return _BY_LOWER[found[0]] if found else None


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        lowered = value.lower()
        if lowered in known:
            return lowered
        close = get_close_matches(lowered, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
        raise ValueError(f'"{value}" is unknown: {hint}')

    return read


def _level(value: str) -> str:
    return _one_of(LEVELS)("warning" if value.lower() == "warn" else value)


def _number(value: str) -> str:
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise ValueError(f'"{value}" is no number: write 100, 2k or >10')
    return str(int(match.group(1)) * {"": 1, "k": 1000, "m": 1_000_000}[match.group(2).lower()])


def _time(value: str) -> str:
    if _RELATIVE.fullmatch(value.lower()):
        return value.lower()
    if _DATE.fullmatch(value) and _is_date(value):
        return value
    raise ValueError(f'"{value}" is no time: write -24h (since), +7d (before) or 2026-01-31')


def _is_date(value: str) -> bool:
    """Whether the digits of an ISO time are a day that exists."""
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _assignee(value: str) -> str:
    if value.lower() in ("me", "none"):
        return value.lower()
    if "@" in value:
        return value
    raise ValueError(f'"{value}" is nobody: write me, none or an e-mail address')


def _any(value: str) -> str:
    return value


# Key -> function that gives the canonical value or raises ValueError with a hint.
READ: dict[str, Callable[[str], str]] = {
    "is": _one_of(STATUSES),
    "level": _level,
    "environment": _any,
    "release": _any,
    "assigned": _assignee,
    "project": _any,
    "firstSeen": _time,
    "lastSeen": _time,
    "timesSeen": _number,
    "users": _number,
    "has": _any,
    "issue": _any,
    "title": _any,
    "message": _any,
    "error.type": _any,
    "error.value": _any,
}
_BY_LOWER = {key.lower(): key for key in READ}
