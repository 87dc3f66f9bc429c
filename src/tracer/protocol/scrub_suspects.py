"""Which strings of an event may hold a secret, found over all of them at once.

The strings are joined and looked at as bytes, translated so that a few finds and one set
difference clear an ordinary event. A suspect is only a suspect: `scrub_text` decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tracer.protocol.scrub_names import Names, bare
from tracer.protocol.scrub_text import token_in

_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789"
_TOKEN_RUN = b"a" * 20  # no known token is shorter
_NEEDLES = (b"bearer,", b"basic,", b"0" * 13, b"0000,0000,0000,0", b"0000,000000,0000")
_SPACED_KEY = re.compile(rb"(?:api|access|secret|private|encryption|signing|license),key,*:")


def _name_table() -> bytes:
    """Names in lower case, digits as 0, ":" for what assigns, a line feed for NUL, else ","."""
    table = bytearray(b"," * 256)
    for letter in _LETTERS:
        table[letter] = table[letter - 32] = letter
    for digit in _DIGITS:
        table[digit] = 0x30
    for sign in b":=>":
        table[sign] = 0x3A
    table[0] = 0x0A
    return bytes(table)


def _run_table() -> bytes:
    """An "a" for what tokens are made of, "[" for opening brackets, a blank for the rest."""
    table = bytearray(b" " * 256)
    for sign in _LETTERS + _LETTERS.upper() + _DIGITS + b"_-":
        table[sign] = 0x61
    table[0x5B] = table[0x28] = 0x5B
    return bytes(table)


_NAMES = _name_table()
_NOT_IN_NAMES = b"\"'\\_-" + bytes(range(128, 256))
_RUNS = _run_table()


def find_suspects(texts: Sequence[str], names: Names) -> set[int]:
    """Indexes of the texts that need a closer look."""
    blob = "\0,".join(texts).encode("utf-8", "replace")
    plain = blob.translate(_NAMES, _NOT_IN_NAMES)
    if plain.count(b"\n") != len(texts) - 1:
        return set(range(len(texts)))  # a NUL inside a text: lines and texts do not match
    suspects = _assigning(plain, names)
    runs = blob.translate(_RUNS)
    if b"[[" in runs:
        for index in _indexes(runs, b"[[", blob, b"\0"):
            if names.core(bare(texts[index])):
                suspects.add(index)
    if names.defaults:
        for needle in _NEEDLES:
            if needle in plain:
                suspects.update(_indexes(plain, needle, plain, b"\n"))
        if b"-----BEGIN" in blob:
            suspects.update(_indexes(blob, b"-----BEGIN", blob, b"\0"))
        if b"@" in blob:
            for index in _indexes(blob, b"@", blob, b"\0"):
                if "://" in texts[index]:
                    suspects.add(index)
        suspects.update(blob.count(b"\0", 0, position) for position in _tokens(blob, runs))
    return suspects


def holds_token(text: str) -> bool:
    """Whether a private key or a known token may begin somewhere in `text`."""
    blob = text.encode("utf-8", "replace")
    return b"-----BEGIN" in blob or next(_tokens(blob, blob.translate(_RUNS)), None) is not None


def _assigning(plain: bytes, names: Names) -> set[int]:
    """The lines where a name that may be sensitive stands before a ":"."""
    pieces = plain.split(b":")
    pieces.pop()
    found = [piece.rstrip(b",").rpartition(b",")[2] for piece in pieces]
    flagged = set(names.may_be_sensitive(set(found)))
    if b"key" in found and _SPACED_KEY.search(plain):
        flagged.add(b"key")
    suspects = set()
    if flagged:
        line = 0
        for piece, name in zip(pieces, found, strict=True):
            line += piece.count(b"\n")
            if name in flagged:
                suspects.add(line)
    return suspects


def _indexes(where: bytes, needle: bytes, lines: bytes, end: bytes) -> Iterator[int]:
    """Which lines hold `needle`; `lines` has the line ends at the same places as `where`."""
    index = counted = 0
    position = where.find(needle)
    while position >= 0:
        index += lines.count(end, counted, position)
        yield index
        counted = lines.find(end, position)
        if counted < 0:
            return
        position = where.find(needle, counted)


def _tokens(blob: bytes, runs: bytes) -> Iterator[int]:
    """Where a long run of token characters has the beginning of a known token in it."""
    position = runs.find(_TOKEN_RUN)
    while position >= 0:
        end = runs.find(b" ", position)
        if token_in(blob, position, len(blob) if end < 0 else end):
            yield position
        if end < 0:
            return
        position = runs.find(_TOKEN_RUN, end)
