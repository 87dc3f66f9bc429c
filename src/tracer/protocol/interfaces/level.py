"""The level of an event or breadcrumb, in every spelling that SDKs and logging libraries use."""

from __future__ import annotations

from tracer.protocol.categories import LEVELS

_SPELLINGS = {
    **{name: name for name in LEVELS},
    **{str(number): name for name, number in LEVELS.items()},
    "warn": "warning",
    "critical": "fatal",
    "crit": "fatal",
    "emergency": "fatal",
    "alert": "fatal",
    "err": "error",
    "exception": "error",
    "log": "info",
    "notice": "info",
    "information": "info",
    "trace": "debug",
    "verbose": "debug",
}


def level_name(value: object) -> str | None:
    """`error` for "ERROR", "err", 40 or "40"; None when it names no level.

    Numbers between two levels (Python's own are multiples of ten) count as the lower one.
    """
    name = _SPELLINGS.get(value) if isinstance(value, str) else None
    if name is not None:
        return name
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in _SPELLINGS:
        return _SPELLINGS[word]
    if word.isascii() and word.isdecimal() and len(word) == 2 and word[0] != "0":
        return _SPELLINGS.get(word[0] + "0")
    return None
