"""Stack frames of the made-up shop: source lines come from the files in `code/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_CODE = Path(__file__).parent / "code"
_AROUND = 5


def app_frame(
    file: str, needle: str, function: str, *, root: str = "", **fields: Any
) -> dict[str, Any]:
    """The frame of the line of `file` that holds `needle`, with the lines around it."""
    lines = _lines(file)
    index = next(place for place, line in enumerate(lines) if needle in line)
    return {
        "filename": file,
        "abs_path": root + file,
        "function": function,
        "lineno": index + 1,
        "pre_context": list(lines[max(0, index - _AROUND) : index]),
        "context_line": lines[index],
        "post_context": list(lines[index + 1 : index + 1 + _AROUND]),
        "in_app": True,
        **fields,
    }


def system_frame(file: str, function: str, lineno: int, **fields: Any) -> dict[str, Any]:
    """A frame of a library; SDKs seldom have its source."""
    return {"filename": file, "function": function, "lineno": lineno, "in_app": False, **fields}


def column(file: str, needle: str, inside: str) -> int:
    """The column, counted from 1, where `inside` begins in the line that holds `needle`."""
    line = next(line for line in _lines(file) if needle in line)
    return line.index(inside) + 1


@cache
def _lines(file: str) -> tuple[str, ...]:
    return tuple((_CODE / f"{file}.txt").read_text(encoding="utf-8").splitlines())
