"""What grouping says about an event. Plain data; the rules that make it live beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class Grouping:
    """Why an event belongs where it does, and how its issue is called.

    `hashes` are 32 hexadecimal digits, the primary first: an event of which any hash is known
    joins that issue. `components` is JSON: variant, label, parts of {id, name, contributes, hint}.
    """

    hashes: tuple[str, ...]
    version: int
    components: dict[str, Any]
    title: str
    culprit: str
    type: str
    value: str
    is_handled: bool


@dataclass(slots=True)
class Basis:
    """What one way of grouping found: `texts` are hashed, `parts` are shown."""

    variant: str
    label: str
    texts: list[str]
    parts: list[dict[str, Any]]


def part(kind: str, name: str, contributes: bool, hint: str = "") -> dict[str, Any]:
    """One line of the components; names are cut so that components stay a few kilobytes."""
    shown = name if len(name) <= 160 else name[:159] + "…"
    if hint:
        return {"id": kind, "name": shown, "contributes": contributes, "hint": hint}
    return {"id": kind, "name": shown, "contributes": contributes}
