"""Lengths of time on the command line: `90s`, `12h`, `7d`."""

from __future__ import annotations

import re
from typing import Any

import click

MOST_S = 3650 * 86_400
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class Span(click.ParamType[int]):
    """Reads a length of time as seconds."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhdw])|0", str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no length of time. Write 12h, 7d or 0.", param, ctx)
        length_s = int(found[1]) * _UNITS_S[found[2]] if found[1] else 0
        if length_s > MOST_S:
            self.fail(f"{value!r} is too long. Ten years (3650d) is the most.", param, ctx)
        return length_s


SPAN = Span()
