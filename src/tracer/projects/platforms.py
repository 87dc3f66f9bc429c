"""The platforms that have a start page: what they are called, and their guides of install, set-up
and verification, read from `templates/projects/platforms/*.txt`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from tracer import assets


@dataclass(frozen=True, slots=True)
class Platform:
    """`id` is Sentry's name for it; `family` groups the tiles; `mark` is its two letters."""

    id: str
    name: str
    family: str
    mark: str


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy. `file` is where they belong, or empty."""

    language: str
    file: str
    text: str

    @property
    def markup(self) -> Markup:
        """The lines with pygments' short classes."""
        return _highlight(self.text, self.language)


@dataclass(slots=True)
class Step:
    """One step of a guide: paragraphs and code in the order they are read."""

    title: str
    parts: list[str | Code] = field(default_factory=list)


_ROWS = (
    ("python", "Python", "Server", "Py"),
    ("python-django", "Django", "Server", "Dj"),
    ("python-flask", "Flask", "Server", "Fl"),
    ("python-fastapi", "FastAPI", "Server", "Fa"),
    ("node", "Node.js", "Server", "No"),
    ("go", "Go", "Server", "Go"),
    ("java", "Java", "Server", "Ja"),
    ("java-spring-boot", "Spring Boot", "Server", "Sp"),
    ("dotnet", ".NET", "Server", "Nt"),
    ("php", "PHP", "Server", "Ph"),
    ("ruby", "Ruby", "Server", "Rb"),
    ("rust", "Rust", "Server", "Rs"),
    ("javascript", "JavaScript", "Browser", "Js"),
    ("javascript-react", "React", "Browser", "Re"),
    ("javascript-vue", "Vue", "Browser", "Vu"),
    ("javascript-nextjs", "Next.js", "Browser", "Nx"),
    ("android", "Android", "Mobile", "An"),
    ("apple-ios", "iOS", "Mobile", "iO"),
    ("flutter", "Flutter", "Mobile", "Fr"),
    ("react-native", "React Native", "Mobile", "Rn"),
    ("opentelemetry", "OpenTelemetry", "Other", "Ot"),
    ("other", "Other", "Other", "··"),
)
PLATFORMS: dict[str, Platform] = {row[0]: Platform(*row) for row in _ROWS}
FAMILIES = ("Server", "Browser", "Mobile", "Other")

# What events and Sentry's longer list call a platform that has a guide here under another name.
_ALIASES = {
    "cocoa": "apple-ios",
    "apple": "apple-ios",
    "apple-macos": "apple-ios",
    "csharp": "dotnet",
    "dart": "flutter",
    "kotlin": "android",
    "perl": "other",
}


def platform(platform_id: str) -> Platform:
    """The platform of an id, or the nearest that has a guide: `python-celery` is Python."""
    name = _ALIASES.get(platform_id, platform_id)
    while name not in PLATFORMS and "-" in name:
        name = name.rpartition("-")[0]
    return PLATFORMS.get(name, PLATFORMS["other"])


def guide(platform_id: str, values: dict[str, str]) -> list[Step]:
    """The steps of a platform's guide with `__NAME__` replaced by `values["NAME"]`."""
    text = _text(platform_id)
    for name, value in values.items():
        text = text.replace(f"__{name}__", value)
    return parse_guide(text)


def parse_guide(text: str) -> list[Step]:
    """Steps from `## Title`, paragraphs, and blocks fenced with ``` and a language and file."""
    steps: list[Step] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("## "):
            steps.append(Step(line[3:].strip()))
        elif line.startswith("```"):
            language, _, file = line[3:].strip().partition(" ")
            body = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                body.append(inner)
            steps[-1].parts.append(Code(language, file, "\n".join(body)))
        elif line.strip():
            steps[-1].parts.append(line.strip())
    return steps


_INLINE = re.compile(r"`([^`]+)`|\*([^*]+)\*")


def spans(paragraph: str) -> list[tuple[str, str]]:
    """A paragraph as (kind, text) with kind "code", "em" or "text"."""
    found: list[tuple[str, str]] = []
    position = 0
    for match in _INLINE.finditer(paragraph):
        found.append(("text", paragraph[position : match.start()]))
        found.append(("code", match[1]) if match[1] else ("em", match[2]))
        position = match.end()
    found.append(("text", paragraph[position:]))
    return [span for span in found if span[1]]


@lru_cache(maxsize=32)
def _text(platform_id: str) -> str:
    return (assets.TEMPLATES / "projects" / "platforms" / f"{platform_id}.txt").read_text("utf-8")


@lru_cache(maxsize=512)
def _highlight(text: str, language: str) -> Markup:
    try:
        lexer = get_lexer_by_name(language, startinline=not text.startswith("<?"))
    except ClassNotFound:
        lexer = TextLexer()
    # Escaped by pygments, which is why it may be called markup here.
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n"))  # noqa: S704
