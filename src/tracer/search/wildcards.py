"""Values with `*`: what they match. `\\*` is a star, `\\\\` a backslash, any other one itself."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\\[\\*]|\*|[^\\*]+|\\", re.DOTALL)
_LIKE_SPECIAL = re.compile(r"([\\%_])")


def plain(value: str) -> str | None:
    """The text that a value without wildcards stands for; None when it has a wildcard."""
    pieces = _PIECE.findall(value)
    if "*" in pieces:
        return None
    return "".join(_literal(piece) for piece in pieces)


def like(value: str) -> str:
    """The value as a LIKE pattern with backslash as the escape character."""
    return "".join(
        "%" if piece == "*" else _LIKE_SPECIAL.sub(r"\\\1", _literal(piece))
        for piece in _PIECE.findall(value)
    )


def matches(value: str, text: str) -> bool:
    """Whether `text` is what `value` describes, ignoring case when there is a wildcard."""
    literal = plain(value)
    if literal is not None:
        return literal == text
    pattern = "".join(
        ".*" if piece == "*" else re.escape(_literal(piece)) for piece in _PIECE.findall(value)
    )
    return re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def _literal(piece: str) -> str:
    return piece[1] if len(piece) == 2 and piece[0] == "\\" and piece[1] in "\\*" else piece
