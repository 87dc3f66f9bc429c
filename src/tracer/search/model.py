"""What a search text means: terms that must all hold, and free text. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """`key:value`, `!key:value`, `key:>5`, `key:[a, b]` (one of the values).

    Values are patterns: `*` is a wildcard, `\\*` a star and `\\\\` a backslash; see `wildcards`.
    """

    key: str
    op: str
    values: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Query:
    """All terms hold and all of the words and phrases in `text` occur."""

    terms: tuple[Term, ...]
    text: tuple[str, ...]
