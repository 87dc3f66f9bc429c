"""What a search text means: terms that must all hold, free text, alternatives. Plain data."""

from __future__ import annotations

from collections.abc import Iterator
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
    """All terms hold, all of the words and phrases in `text` occur, and of each group of
    alternatives in `any_of` at least one holds."""

    terms: tuple[Term, ...]
    text: tuple[str, ...]
    any_of: tuple[tuple[Query, ...], ...] = ()

    def walk(self) -> Iterator[Term]:
        """Every term, those of alternatives too."""
        yield from self.terms
        for group in self.any_of:
            for one in group:
                yield from one.walk()
