"""Messages without their data: "order 17 of bob@x.io" -> "order <int> of <email>".

What names code stays: quoted attributes, columns and modules, status codes, errno.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_CHARS = 1000
MAX_LINES = 3

_CODE_WORDS = (
    "reading|setting|property|properties of|attribute|method|function|module|module named|column|"
    "table|relation|constraint|index|field|argument|parameter|keyword argument|variable|class|"
    "import name|named|type|operator|command|enum|trait|interface|protocol"
).replace(" ", "[ ]")

_CLOCK = r"\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE = r"(?:[ ]?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_GROUP = "[0-9a-fA-F]{1,4}"
_NUMBERED_CODES = (
    r"status(?:[ _]?code)?|HTTP(?:/\d(?:\.\d)?)?|[Ee]rrno|[Ee]xit[ ](?:code|status)|[Ww]inError"
    r"|[Ee]rror[ _]?code|SQLSTATE|ORA|signal|code"
)
_UNITS = "ns|[uµ]s|ms|msecs?|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?|weeks?|[smhd]"

# Order matters: the first alternative that matches at a place wins.
_PATTERN = re.compile(
    rf"""
    (?P<keep>
        \b(?:{_CODE_WORDS})[ ]['"`][A-Za-z_$][\w.$]*['"`]
      | ['"`][A-Za-z_][\w.]*['"`](?=[ ](?:object|is[ ]not[ ](?:an?|defined|callable|iterable)\b))
      | \b(?:{_NUMBERED_CODES})[ :=(\[\#-]{{0,3}}\d{{1,5}}\b
      | \(\d{{4}},[ ](?=['"])
    )
  | (?P<url>\b[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://[^\s<>"'`\])}}]+)
  | (?P<email>[\w.+%-]{{1,64}}@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,6}})
  | (?P<uuid>\b[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}\b)
  | (?P<date>
        \b\d{{4}}[-/]\d\d?[-/]\d\d?(?:[T ]{_CLOCK}{_ZONE})?
      | \b(?:{_DAYS}[a-z]*,?[ ])?(?:\d\d?[ ])?{_MONTHS}[a-z]*\.?[ ]+\d{{1,4}},?(?:[ ]\d{{4}})?
        (?:[ ]{_CLOCK})?{_ZONE}
      | \b\d\d?/\d\d?/\d{{2,4}}\b
      | \b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b
    )
  | (?P<ip>
        \b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{1,5}})?\b
      | (?<![\w:])(?:{_GROUP}:){{7}}{_GROUP}(?![\w:])
      | (?<![\w:])(?:{_GROUP}:){{1,6}}(?::{_GROUP}){{1,6}}(?![\w:])
      | (?<![\w:])::1\b
    )
  | (?P<mac>\b[0-9a-fA-F]{{2}}(?:[:-][0-9a-fA-F]{{2}}){{5}}\b)
  | (?P<token>\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?)
  | (?P<path>[A-Za-z]:\\[^\s"'<>|]+ | (?<![\w<])~?(?:/[\w.@%+~=-]+){{2,}}/?)
  | (?P<str>
        (?<!\w)b?"(?:[^"\\\n]|\\.)*" | (?<!\w)[bur]?'(?:[^'\\\n]|\\.)*'(?!\w) | `[^`\n]*`
      | “[^”\n]*” | ‘[^’\n]*’ | «[^»\n]*»
    )
  | (?P<hex>\b0[xX][0-9a-fA-F]+\b | \b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{{7,}}\b
        | \b(?=[A-F]*[0-9])(?=[0-9]*[A-F])[0-9A-F]{{7,}}\b)
  | (?P<version>\bv?\d+\.\d+\.\d+(?:[-.+][\w.]+)?\b)
  | (?P<duration>(?<![\w.])[-+]?\d+(?:\.\d+)?[ ]?(?:{_UNITS})\b | (?<!\w)(?:\d+[hms]){{2,4}}\b)
  | (?P<size>(?<![\w.])\d+(?:\.\d+)?[ ]?(?:[kKMGTP]i?[bB]|[bB]ytes?)\b)
  | (?P<float>(?<![\w.])[-+]?{_NUMBER}\.\d+(?:[eE][-+]?\d+)?\b | \b\d+[eE][-+]?\d+\b)
  | (?P<int>(?<![A-Za-z0-9.])[-+]?{_NUMBER}(?:st|nd|rd|th)?(?![A-Za-z0-9]))
  | (?P<id>\b(?=[A-Za-z_]*\d)\w{{5,}}\b)
    """,
    re.VERBOSE,
)

_JSON_START = re.compile(r"""\{\s*["'\w]+\s*[:=]|\[\s*(?:\{|\[|["'\d])""")
_MADE_UP = re.compile(r"\d{4,}|\d[A-Za-z]+\d+[A-Za-z]|[A-Za-z]\d+[A-Za-z]+\d")
_REPEATS = re.compile(r"(<[a-z]+>)(?:(?:, ?|; ?| )\1)+")
_PATH_KEPT = re.compile(r"v\d{1,2}|[a-zA-Z_.~-]+")


def parameterize(text: str) -> str:
    """At most the first three lines and 1,000 characters, each piece of data as <kind>."""
    if len(text) > MAX_CHARS:
        text = text[:MAX_CHARS]
    return _parameterize(text)


@lru_cache(maxsize=4096)
def _parameterize(text: str) -> str:
    if "\n" in text:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        text = "\n".join(lines[:MAX_LINES])
    text = _replace_json(text)
    text = _PATTERN.sub(_replacement, text)
    return _REPEATS.sub(r"\1", text).strip()


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "keep":
        return match.group()
    if kind == "path":
        return _clean_path(match.group())
    if kind == "id" and not _MADE_UP.search(match.group()):
        return match.group()
    return f"<{kind}>"


def _clean_path(path: str) -> str:
    """Words stay, segments that carry ids do not: /orders/17/items -> /orders/<id>/items."""
    if "\\" in path or path.startswith(("/tmp/", "/var/folders/")):  # noqa: S108
        return "<path>"
    pieces = path.split("/")
    kept = [piece if _PATH_KEPT.fullmatch(piece) else "<id>" if piece else "" for piece in pieces]
    for index, piece in enumerate(pieces[:-1]):
        if piece in ("home", "Users") and pieces[index + 1]:
            kept[index + 1] = "<id>"
    return "/".join(kept)


def _replace_json(text: str) -> str:
    """Objects and lists of data, nested or cut off, become <json>."""
    position = 0
    while (start := _JSON_START.search(text, position)) is not None:
        end = _closing(text, start.start())
        text = f"{text[: start.start()]}<json>{text[end:]}"
        position = start.start() + 6
    return text


def _closing(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        letter = text[index]
        if letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(text)
