"""The text of a search box -> Query, and back. Raises Invalid with the place and a hint."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracer.errors import Invalid
from tracer.search import keys
from tracer.search.model import Query, Term
from tracer.search.wildcards import plain

MAX_CHARS = 1000
MAX_TERMS = 50
MAX_VALUES = 100
MAX_DEPTH = 8

_KEY = re.compile(r"(!?)(tags\[[^\]\s]+\]|[A-Za-z_][\w.-]*):")
_OP = re.compile(r">=|<=|>|<|=")
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_BARE = re.compile(r"[\w.@*/:+#$%&?~^-]+")


class Unreadable(Invalid):
    """A search that cannot be read; `position` is the place, in characters from 0."""

    def __init__(self, detail: str, position: int) -> None:
        super().__init__(detail)
        self.position = position


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    #: How many parentheses are open around the place.
    depth: int = 0
    terms: int = 0
    values: int = 0

    @property
    def is_at_end(self) -> bool:
        """Whether nothing more stands here: the text ends, or the parentheses around it do."""
        return self.at >= len(self.text) or (self.depth > 0 and self.starts(")"))

    @property
    def is_at_gap(self) -> bool:
        return self.is_at_end or self.text[self.at].isspace()

    @property
    def word(self) -> str:
        """What stands up to a blank, or up to the parenthesis that closes those around it."""
        opened, end = 0, self.at
        while end < len(self.text) and not self.text[end].isspace():
            opened += {"(": 1, ")": -1}.get(self.text[end], 0)
            if opened < 0 and self.depth:
                break
            end += 1
        return self.text[self.at : end]

    def starts(self, letter: str) -> bool:
        return self.text.startswith(letter, self.at)

    def skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1


def parse(text: str) -> Query:
    """Terms and free text, in the order in which they stand; `a b OR c` is (a and b) or c.

    At most 1,000 characters, 50 terms and words, 100 values, 8 parentheses in one another.
    """
    if len(text) > MAX_CHARS:
        raise Invalid(f"The search is longer than {MAX_CHARS} characters.")
    reader = _Reader(text)
    query = _read_any(reader)
    if reader.values > MAX_VALUES:
        raise Invalid(f"A search has at most {MAX_VALUES} values.")
    return query


def format_query(query: Query) -> str:
    """The text of which `parse` makes `query` again."""
    if len(query.any_of) == 1 and not query.terms and not query.text:
        return _format_any(query.any_of[0])
    return _format_all(query)


def _read_any(reader: _Reader) -> Query:
    """Alternatives up to the end, or up to the parenthesis that closes them."""
    found = [_read_all(reader)]
    while not reader.is_at_end:
        start = reader.at
        reader.at += len("OR")
        found.append(_read_all(reader))
        if Query((), ()) in found[-2:]:
            raise _one_sided(reader, start, "OR")
    return found[0] if len(found) == 1 else Query((), (), (tuple(found),))


def _read_all(reader: _Reader) -> Query:
    """What must hold together, up to an OR or the end."""
    terms: list[Term] = []
    words: list[str] = []
    groups: list[tuple[Query, ...]] = []
    waiting: int | None = None
    reader.skip_blanks()
    while not reader.is_at_end and reader.word != "OR":
        start = reader.at
        if reader.word == "AND":
            if waiting is not None or not (terms or words or groups):
                raise _one_sided(reader, start, "AND")
            waiting = start
            reader.at += len("AND")
        else:
            waiting = None
            piece = _read_piece(reader)
            terms += piece.terms
            words += piece.text
            groups += piece.any_of
        reader.skip_blanks()
    if waiting is not None:
        raise _one_sided(reader, waiting, "AND")
    return Query(tuple(terms), tuple(words), tuple(groups))


def _read_piece(reader: _Reader) -> Query:
    """A term, a word or phrase, or what stands in parentheses."""
    start = reader.at
    if reader.starts("("):
        return _read_group(reader)
    reader.terms += 1
    if reader.terms > MAX_TERMS:
        raise _invalid(reader, start, f"A search has at most {MAX_TERMS} terms and words")
    term = _read_term(reader)
    if term is not None:
        reader.values += len(term.values)
        return Query((term,), ())
    word = _read_word(reader)
    return Query((), (word,) if word else ())


def _read_group(reader: _Reader) -> Query:
    start, literal = reader.at, 'write "(" with its word in quotes to search for it'
    if reader.depth == MAX_DEPTH:
        raise _invalid(reader, start, f"At most {MAX_DEPTH} parentheses stand in one another")
    reader.at += 1
    reader.depth += 1
    query = _read_any(reader)
    if not reader.starts(")"):
        raise _invalid(reader, start, "The parenthesis never closes", literal)
    if query == Query((), ()):
        raise _invalid(reader, start, "Nothing stands in the parentheses", literal)
    reader.at += 1
    reader.depth -= 1
    return query


def _one_sided(reader: _Reader, at: int, word: str) -> Invalid:
    hint = f'quote it to search for "{word}"'
    return _invalid(reader, at, f"{word} stands between two terms or words", hint)


def _read_term(reader: _Reader) -> Term | None:
    """A term at the reader's place; None, without moving, if it is free text."""
    match = _KEY.match(reader.text, reader.at)
    if match is None:
        return None
    start, written = reader.at, match.group(2)
    key = keys.canonical(written)
    after = reader.text[match.end() : match.end() + 2]
    if after.startswith(":") or after == "//":
        return None
    if _Reader(reader.text, match.end(), reader.depth).is_at_gap:
        if key in keys.READ or match.group(1):
            raise _invalid(reader, start, f"{written}: needs a value", _example(key))
        return None
    meant = keys.near_miss(key)
    if meant is not None:
        hint = f"did you mean {meant}? Write tags[{written}]: for a tag of that name"
        raise _invalid(reader, start, f"There is no {written}", hint)
    reader.at = match.end()
    op = _read_op(reader, key)
    if reader.is_at_gap:
        raise _invalid(reader, start, f"{written}: needs a value", _example(key))
    values = tuple(_checked(reader, start, key, value) for value in _read_values(reader))
    if op != "=" and len(values) > 1:
        raise _invalid(reader, start, f"{key} is compared with one value, not with a list")
    return Term(key, op, values, bool(match.group(1)))


def _read_op(reader: _Reader, key: str) -> str:
    match = _OP.match(reader.text, reader.at)
    if match is None:
        return "="
    if key not in keys.COMPARED and key not in keys.TIMES:
        comparable = ", ".join(sorted(keys.COMPARED | keys.TIMES))
        hint = f"only {comparable} can; quote the value if it begins with {match.group()}"
        raise _invalid(reader, reader.at, f"{key} cannot be compared", hint)
    reader.at = match.end()
    return match.group()


def _read_values(reader: _Reader) -> list[str]:
    if reader.starts("["):
        return _read_list(reader)
    if reader.starts('"'):
        return [_read_quoted(reader)]
    word = reader.word
    reader.at += len(word)
    return [_pairs(word)]


def _read_list(reader: _Reader) -> list[str]:
    start = reader.at
    reader.at += 1
    values: list[str] = []
    while True:
        reader.skip_blanks()
        if reader.starts('"'):
            values.append(_read_quoted(reader))
            reader.skip_blanks()
        else:
            end = reader.at
            while end < len(reader.text) and reader.text[end] not in ",]":
                end += 1
            value = reader.text[reader.at : end].strip()
            reader.at = end
            if not value:
                raise _invalid(reader, start, "A value is missing in the list", "key:[a, b]")
            values.append(_pairs(value))
        if reader.starts("]"):
            reader.at += 1
            return values
        if not reader.starts(","):
            raise _invalid(reader, start, "The list never ends", "key:[a, b]")
        reader.at += 1


def _read_quoted(reader: _Reader) -> str:
    """A quoted value: \\" becomes a quote, other pairs stay, as patterns need them."""
    start = reader.at
    end = start + 1
    while end < len(reader.text) and reader.text[end] != '"':
        end += 2 if reader.text[end] == "\\" else 1
    if end >= len(reader.text):
        raise _invalid(reader, start, "The quote never ends", 'write \\" for a quote inside')
    reader.at = end + 1
    return _pairs(reader.text[start + 1 : end])


def _read_word(reader: _Reader) -> str:
    """One word or quoted phrase of free text."""
    start = reader.at
    if reader.starts('"'):
        return _PAIR.sub(_unescape, _read_quoted(reader))
    word = reader.word
    if word.startswith("!") and len(word) > 1:
        raise _invalid(reader, start, "Only key:value can be negated", "quote it to search for it")
    reader.at = start + len(word)
    return word


def _checked(reader: _Reader, start: int, key: str, value: str) -> str:
    read = keys.READ.get(key)
    if read is None:
        return value
    if not value:
        raise _invalid(reader, start, f"{key}: needs a value", _example(key))
    if key in keys.WITHOUT_WILDCARDS and plain(value) is None:
        raise _invalid(reader, start, f"{key} takes no wildcard", _example(key))
    try:
        return read(value)
    except ValueError as error:
        raise _invalid(reader, start, f"{key}: {error}") from None


def _example(key: str) -> str:
    if key in keys.COMPARED:
        return f"for example {key}:>10"
    if key in keys.TIMES:
        return f"for example {key}:-24h"
    examples = {"is": "unresolved", "level": "error", "assigned": "me", "has": "user"}
    return f"for example {key}:{examples.get(key, 'value')}"


def _pairs(raw: str) -> str:
    """Escaped quotes as quotes; a lone backslash at the end as an escaped one."""
    pieces: list[str] = []
    index = 0
    while index < len(raw):
        piece = raw[index : index + 2] if raw[index] == "\\" else raw[index]
        index += len(piece)
        pieces.append({'\\"': '"', "\\": "\\\\"}.get(piece, piece))
    return "".join(pieces)


def _unescape(match: re.Match[str]) -> str:
    return match.group(1) if match.group(1) in '\\*"' else match.group()


def _format_any(group: tuple[Query, ...]) -> str:
    return " OR ".join(_format_all(query) for query in group)


def _format_all(query: Query) -> str:
    pieces = [_format_term(term) for term in query.terms]
    pieces += [_format_word(word) for word in query.text]
    pieces += [f"({_format_any(group)})" for group in query.any_of]
    return " ".join(pieces)


def _format_term(term: Term) -> str:
    op = "" if term.op == "=" else term.op
    shown = [_format_value(value) for value in term.values]
    value = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    return f"{'!' if term.negated else ''}{term.key}:{op}{value}"


def _format_value(value: str) -> str:
    if _BARE.fullmatch(value) and not value.startswith((":", "//")):
        return value
    return '"' + value.replace('"', '\\"') + '"'


def _format_word(word: str) -> str:
    if _BARE.fullmatch(word) and ":" not in word and word not in ("AND", "OR"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _invalid(reader: _Reader, at: int, what: str, hint: str = "") -> Invalid:
    excerpt = reader.text[at : at + 24].strip()
    place = f' (at character {at + 1}: "{excerpt}")' if excerpt else f" (at character {at + 1})"
    return Unreadable(f"{what}{': ' + hint if hint else ''}{place}.", at)
