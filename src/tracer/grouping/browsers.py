"""What JavaScript engines say, in one wording: Chrome, Firefox and Safari differ for one error.

Minified identifiers in it are left out, so that the next build says the same.
"""

from __future__ import annotations

import re

_MAX_CHARS = 400

_ACCESS = (
    re.compile(
        r"Cannot (?:read|set) properties of (?P<of>\w+) \((?:reading|setting) '(?P<name>.*?)'\)"
    ),
    re.compile(r"Cannot (?:read|set) property '(?P<name>.*?)' of (?P<of>undefined|null)"),
    re.compile(r"""can't access property ["'](?P<name>.*?)["'],? .*? is (?P<of>undefined|null)"""),
    re.compile(
        r"(?P<of>undefined|null) is not an object \(evaluating '[^']*?"
        r"(?:\.(?P<name>[\w$]+)|\[[^\]]*\])(?:\s*=[^']*|\([^']*)?'\)"
    ),
)
_CALL = re.compile(
    r"(?:^|[\s.()])(?P<name>[\w$]+|\([^)]*\)|\)) is not a (?P<what>function|constructor)"
)
_MISSING = re.compile(
    r"(?:^|: )(?:Can't find variable: (?P<a>[\w$]+)|(?P<b>[\w$]+) is not defined)"
)
_WORDINGS = (
    (
        re.compile(
            "Failed to fetch dynamically imported module|error loading dynamically imported module"
            "|Importing a module script failed",
            re.IGNORECASE,
        ),
        "a module could not be imported",
    ),
    (
        re.compile("Failed to fetch|NetworkError when attempting to fetch|^Load failed"),
        "a request failed",
    ),
)


def engine_message(value: str) -> str | None:
    """The common wording of a message that an engine made; None for any other message."""
    text = value[:_MAX_CHARS]
    for pattern in _ACCESS:
        if match := pattern.search(text):
            return f"property {_named(match.group('name'))} of {match.group('of')}"
    if match := _CALL.search(text):
        return f"{_named(match.group('name'))} is no {match.group('what')}"
    if match := _MISSING.search(text):
        return f"variable {_named(match.group('a') or match.group('b'))} is missing"
    return next((wording for pattern, wording in _WORDINGS if pattern.search(text)), None)


def _named(name: str | None) -> str:
    if not name or len(name) <= 2 or not name.replace("$", "_").isidentifier():
        return "?"
    return f"'{name}'"
