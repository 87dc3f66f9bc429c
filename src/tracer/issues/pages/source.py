"""Source lines with syntax colours: pygments' short class names, coloured by css/code.css."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

_BY_PLATFORM = {
    "python": "python",
    "javascript": "jsx",
    "node": "jsx",
    "java": "java",
    "csharp": "csharp",
    "ruby": "ruby",
    "php": "php",
    "go": "go",
    "rust": "rust",
    "native": "cpp",
    "c": "cpp",
    "cocoa": "swift",
    "objc": "objective-c",
    "swift": "swift",
    "kotlin": "kotlin",
    "dart": "dart",
    "elixir": "elixir",
    "perl": "perl",
}
_BY_ENDING = {
    "py": "python",
    "js": "jsx",
    "mjs": "jsx",
    "cjs": "jsx",
    "jsx": "jsx",
    "ts": "tsx",
    "tsx": "tsx",
    "vue": "html",
    "java": "java",
    "kt": "kotlin",
    "scala": "scala",
    "groovy": "groovy",
    "cs": "csharp",
    "rb": "ruby",
    "erb": "erb",
    "php": "php",
    "go": "go",
    "rs": "rust",
    "c": "cpp",
    "h": "cpp",
    "cc": "cpp",
    "cpp": "cpp",
    "hpp": "cpp",
    "m": "objective-c",
    "mm": "objective-c",
    "swift": "swift",
    "dart": "dart",
    "ex": "elixir",
    "exs": "elixir",
    "lua": "lua",
    "pl": "perl",
    "sql": "sql",
    "html": "html",
}
#: Minified lines are long, mean little in colour and cost much.
_MAX_COLOURED = 4000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of source. `number` is None where the SDK did not say."""

    number: int | None
    markup: Markup
    is_current: bool


def source_lines(frame: dict[str, Any], platform: str, *, coloured: bool) -> list[Line]:
    """The context of a frame, oldest line first; empty when it has none."""
    current = frame.get("context_line")
    if current is None:
        return []
    before, after = frame.get("pre_context") or [], frame.get("post_context") or []
    lines = (*before, current, *after)
    language = language_of(frame, platform) if coloured else ""
    first = frame["lineno"] - len(before) if frame.get("lineno") is not None else None
    return [
        Line(None if first is None else first + index, markup, index == len(before))
        for index, markup in enumerate(_coloured(lines, language))
    ]


def language_of(frame: dict[str, Any], platform: str) -> str:
    """The pygments name of a frame's language; "" when it is not known."""
    name = frame.get("filename") or frame.get("abs_path") or ""
    ending = name.rpartition(".")[2].partition("?")[0].lower()
    return _BY_ENDING.get(ending) or _BY_PLATFORM.get(frame.get("platform") or platform, "")


@lru_cache(maxsize=2048)
def _coloured(lines: tuple[str, ...], language: str) -> tuple[Markup, ...]:
    plain = tuple(escape(line) for line in lines)
    if not language or sum(map(len, lines)) > _MAX_COLOURED:
        return plain
    from pygments import highlight

    text = "\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
    html = highlight(text, _lexer(language), _formatter())
    coloured = html.rstrip("\n").split("\n") if text.strip() else []
    # Blank lines at the end are cut off by the formatter.
    coloured += [""] * (len(lines) - len(coloured))
    return tuple(Markup(line) for line in coloured) if len(coloured) == len(lines) else plain  # noqa: S704


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=True)


@lru_cache(maxsize=1)
def _formatter() -> Any:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(nowrap=True)
