"""What templates show is escaped, whatever its type; markup is not escaped twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from tracer.kit.templates import Templates

HOSTILE = "<b title='a' class=\"b\">&amp;</b>"


class _Text(str):
    """A text of a kind of its own."""


@pytest.mark.parametrize(
    ("template", "value", "shown"),
    [
        ("{{ value }}", HOSTILE, None),
        ("{{ value }}", _Text(HOSTILE), None),
        ("{{ value[0] }}", [HOSTILE], None),
        ("{% macro show(text) %}{{ text }}{% endmacro %}{{ show(value) }}", HOSTILE, None),
        ("{% set text %}{{ value }}{% endset %}{{ text }}", HOSTILE, None),
        ("{{ value ~ '' }}", HOSTILE, None),
        ("{{ value }}", Markup("<i>kept</i>"), "<i>kept</i>"),
        ("{{ value }}", 12, "12"),
        ("{{ value }}", ["<"], "[&#39;&lt;&#39;]"),
        ("{% autoescape false %}{{ value }}{% endautoescape %}", "<i>", "<i>"),
    ],
)
def test_values_are_escaped_once(
    tmp_path: Path, template: str, value: Any, shown: str | None
) -> None:
    (tmp_path / "page.html").write_text(template)
    text = Templates(tmp_path, static=str).render("page.html", {"value": value})
    if shown is not None:
        assert text == shown
    else:
        assert not set(text) & set("<>\"'")
        assert Markup(text).unescape() == HOSTILE
