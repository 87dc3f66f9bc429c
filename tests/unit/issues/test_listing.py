from __future__ import annotations

import pytest

from tracer.errors import Invalid
from tracer.issues.queries import Cursor, parse_period


def test_cursor_reads_what_it_prints() -> None:
    for cursor in (Cursor(5, 7), Cursor(0, 1, is_back=True), Cursor(1_800_000_000_000, 2**40)):
        assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["1:2", "1:2:3", "a:1:0", "1:2:0:0", "9" * 19 + ":1:0", "²:1:0"])
def test_other_cursors_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Cursor.parse(text)


def test_no_cursor_is_the_beginning() -> None:
    assert Cursor.parse("") is None


def test_periods() -> None:
    assert parse_period("24h") == 86_400_000
    assert parse_period("14d") == 14 * 86_400_000
    assert parse_period("999999w") == 3650 * 86_400_000


@pytest.mark.parametrize("text", ["24", "h", "-1d", "1.5h", "14 d", "1y"])
def test_other_periods_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_period(text)
