"""The passwords that nobody may choose: common ones, and those of known breaches. No network.

`known_passwords.bin` is made by packaging/known_passwords.py; it holds hashes only.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("known_passwords.bin")
#: Bytes of each hash: a good password is taken for a known one about once in 40,000.
WIDTH = 4
#: Shorter words are not worth looking for in a password of eight characters or more.
SHORTEST = 4
#: So many signs around a known word do not make it a better one.
DECORATION_MAX = 5
VARIED_MIN = 5

_LETTER_FOR_SIGN = str.maketrans("@4831!|05$7", "aabeiiiosst")
_SIGNS = "0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def is_known(password: str) -> bool:
    """Whether a password is listed: as it is, doubled, or with a few digits and signs around or
    in place of letters (`P4ssw0rd!!`). Upper and lower case are the same."""
    return any(_is_listed(word) for word in _words(password))


def is_monotonous(password: str) -> bool:
    """Whether it is made of very few different characters, such as `aaaabbbb` or `12121212`."""
    return len(set(password.lower())) < VARIED_MIN


def digest(word: str) -> bytes:
    """How a password is written in the file."""
    return hashlib.sha256(word.encode("utf-8", "replace")).digest()[:WIDTH]


def _words(password: str) -> Iterator[str]:
    text = unicodedata.normalize("NFKC", password).lower().strip()
    yield text
    half = text[: len(text) // 2]
    if half * 2 == text:
        yield half
    for core in {text, text.rstrip(_SIGNS), text.strip(_SIGNS)}:
        if len(core) >= SHORTEST and len(text) - len(core) <= DECORATION_MAX:
            yield core
            yield core.translate(_LETTER_FOR_SIGN)


def _is_listed(word: str) -> bool:
    wanted, table = digest(word), _table()
    low, high = 0, len(table) // WIDTH
    while low < high:
        middle = (low + high) // 2
        if table[middle * WIDTH : (middle + 1) * WIDTH] < wanted:
            low = middle + 1
        else:
            high = middle
    return table[low * WIDTH : (low + 1) * WIDTH] == wanted


@cache
def _table() -> bytes:
    return FILE.read_bytes()
