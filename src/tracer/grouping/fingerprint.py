"""Fingerprints that SDKs send: `{{ default }}` and the variables that Sentry documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tracer.grouping.model import Basis, part

MAX_ENTRIES = 32
_VARIABLE = re.compile(r"\{\{\s*([\w.$-]+)\s*\}\}")


def is_default(fingerprint: list[str]) -> bool:
    """Nothing sent, or only `{{ default }}`."""
    return all(_variable_name(entry) == "default" for entry in fingerprint)


def fingerprint_basis(
    fingerprint: list[str], default: Basis, digest: Callable[[Basis], str], values: dict[str, Any]
) -> Basis:
    """Entries with their variables filled in; `{{ default }}` stands for the default hash.

    `values` maps a variable to its text; unknown or missing ones read `<no-name>`.
    """
    texts: list[str] = []
    parts: list[dict[str, Any]] = []
    for entry in fingerprint[:MAX_ENTRIES]:
        if _variable_name(entry) == "default":
            texts.append(digest(default))
            parts.append(part("fingerprint", entry, True, f"default: {default.label}"))
            continue
        filled = _VARIABLE.sub(lambda match: _fill(match, values), entry)
        texts.append(filled)
        parts.append(part("fingerprint", filled, True, entry if filled != entry else ""))
    has_default = any(_variable_name(entry) == "default" for entry in fingerprint)
    if has_default:
        parts += default.parts
    return Basis("custom-fingerprint", "fingerprint set by the SDK", texts, parts)


def _fill(match: re.Match[str], values: dict[str, Any]) -> str:
    name = match.group(1).lower()
    if name == "default":
        return match.group()
    value = values.get(name)
    return str(value) if value not in (None, "") else f"<no-{name}>"


def _variable_name(entry: str) -> str:
    match = _VARIABLE.fullmatch(entry.strip())
    return match.group(1).lower() if match else ""
