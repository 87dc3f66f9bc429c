from __future__ import annotations

import click
import pytest

from tracer.cli.spans import SPAN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90s", 90), ("5m", 300), ("12h", 43_200), (" 7D ", 604_800), ("2w", 1_209_600)],
)
def test_length_of_time_is_read_as_seconds(text: str, seconds: int) -> None:
    assert SPAN.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "7", "-1d", "1.5h", "1y", "h", "3651d", "999999w"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"7d or 0|3650d"):
        SPAN.convert(text, None, None)
