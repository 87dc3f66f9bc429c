"""Secrets inside strings: assignments, credentials in URLs, card numbers, tokens, private keys.

Works on one string that is already suspected; finding the suspects cheaply is `scrub_suspects`'
part. Every pattern is linear: runs are possessive or bounded, and begin where the character before
cannot belong to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

FILTERED = "[Filtered]"

Rule = Callable[[str], str | None]

_PRIVATE_KEY = re.compile(
    r"-----BEGIN[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r".*?(?:-----END[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_URL_LOGIN = re.compile(r"""(?<=://)([^\s/:@"'<>\\?#]*+):([^\s/"'<>\\?#]+)@""")
_KNOWN_TOKENS = (
    r"sntry[a-z]_[A-Za-z0-9_=+/-]{20,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|xox[a-z]-[A-Za-z0-9-]{15,}|xapp-[A-Za-z0-9-]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}|sk-[A-Za-z0-9_-]{32,}"
    r"|(?<![_-])eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*+)?"
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:" + _KNOWN_TOKENS + ")")
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s{1,4})([a-z0-9._~+/-]{6,}+=*+)")
_CARD = re.compile(r"(?<![0-9a-fA-F.])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z_]|\.[0-9])")
_CARD_GROUPS = re.compile(r"\d+|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"
    r"|(?:5[1-5]|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720))\d{12,14}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|6(?:011|4[4-9]\d|5\d\d|2\d\d|304|759|76[1-3])\d{12,15}"
)

_NAME = re.compile(
    r"(?<![\w.\-])-{0,2}(?:([A-Za-z]{1,20}) )?"
    r"([A-Za-z_][\w.\-]*+(?:\[[\w.\-]*+\]){0,3}+)"
    r"""(\\*+["']?\s{0,3}(?:=>|[:=])\s{0,4})"""
)
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|negotiate|apikey)\s{1,4}")
_LONG_VALUE = re.compile(r"(?i)(?:digest|aws4-hmac-\w{1,20})\s")
_VALUE = re.compile(
    r"""(?P<open>[bBuUrR]{0,2}+(?:(?P<escape>\\++)["']))(?P<escaped>.*?)(?=(?P=escape)["']|\Z)"""
    r"""|[bBuUrR]{0,2}"(?P<double>(?:[^"\\]|\\.)*+)"""
    r"""|[bBuUrR]{0,2}'(?P<single>(?:[^'\\]|\\.)*+)"""
    r"|\[(?P<list>[^\[\]]*+)|\{(?P<dict>[^{}]*+)|\((?P<tuple>[^()]*+)"
    r"|(?P<call>[A-Za-z_][\w.]*+\([^()]*+\)?)"
    r"""|(?P<plain>[^\s,;&"'<>(){}\[\]|\\]++)""",
    re.DOTALL,
)
_COOKIES = re.compile(r"""[^\s"'<>\\=]{1,100}=""")
_REST_OF_LINE = re.compile(r"""[^\r\n"'<>\\]++""")
_PAIR = re.compile(
    r"""([(\[]\s?b?)(["'])([\w\-. ]{2,64})\2(\s?,\s?b?)"""
    r"""(?:"((?:[^"\\]|\\.)*+)"|'((?:[^'\\]|\\.)*+)')(?=\s?[)\]])""",
    re.DOTALL,
)
_ELEMENT = re.compile(r"<([A-Za-z_][\w.\-]*+:?[\w.\-]*+)((?:\s[^<>]*+)?>)([^<>]++)(?=</)")

# What stands for "no value" or "a value filled in elsewhere" tells more than it gives away.
_NO_VALUE = "None none null nil undefined True true False false '' \"\" ? %s ... ***"
NOT_SECRET = frozenset(["", FILTERED, *_NO_VALUE.split()])
_PLACEHOLDER = re.compile(
    r"(?:%\(\w{1,50}\)s|\$\d+|:\w{1,50}|\*+|<[^<>]{0,100}>|\{\w{0,50}\}|\$\{?\w{1,50}\}?)"
    r"""(?=[\s,;&"'<>(){}\[\]|\\]|\Z)"""
)
# Words of prose as well: "Unexpected token: foo". After a colon only what looks random is removed.
_PROSE_RULES = frozenset(("token", "auth", "session", "cookie", "otp"))


def clean(text: str, rule_of: Rule, defaults: bool) -> tuple[str, tuple[str, ...]]:
    """`text` without its secrets, and the rules that removed them; `rule_of` judges names."""
    rules: dict[str, None] = {}
    if defaults:
        text = clean_patterns(text, rules)
        text = _CARD.sub(lambda found: _card(found, rules), text)
    text = _clean_assignments(text, rule_of, rules)
    if "(" in text or "[" in text:
        text = _PAIR.sub(lambda found: _pair(found, rule_of, rules), text)
    if "</" in text:
        text = _ELEMENT.sub(lambda found: _element(found, rule_of, rules), text)
    return text, tuple(rules)


def clean_patterns(text: str, rules: dict[str, None]) -> str:
    """Removes what is secret by its own form: private keys, URL logins, known tokens."""
    if "-----BEGIN" in text:
        text = _sub(_PRIVATE_KEY, FILTERED, text, "private_key", rules)
    if "://" in text and "@" in text:
        text = _sub(_URL_LOGIN, rf"\1:{FILTERED}@", text, "url_credentials", rules)
    text = _sub(_TOKEN, FILTERED, text, "token", rules)
    return _BEARER.sub(lambda found: _bearer(found, rules), text)


def token_in(blob: bytes, start: int, end: int) -> bool:
    """Whether a known token begins in this part of some UTF-8 text."""
    return _TOKEN_BYTES.search(blob, start, end) is not None


def is_card_number(digits: str) -> bool:
    """An issuer's prefix and length, and the Luhn check digit (ISO/IEC 7812-1)."""
    if not _CARD_ISSUER.fullmatch(digits):
        return False
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


_TOKEN_BYTES = re.compile(
    rb"(?:sntry[a-z]_|AKIA|ASIA|gh[pousr]_|github_pat_|xox[a-z]-|xapp-|glpat-|npm_|pypi-|[rs]k_(?:live|test)_"
    rb"|AIza|sk-|eyJ)"
)


def _sub(
    pattern: re.Pattern[str], replacement: str, text: str, rule: str, rules: dict[str, None]
) -> str:
    text, count = pattern.subn(replacement, text)
    if count:
        rules[rule] = None
    return text


def _bearer(found: re.Match[str], rules: dict[str, None]) -> str:
    scheme, space, value = found.groups()
    if not _looks_random(value, 6):
        return found[0]  # "basic authentication"
    rules["token"] = None
    return f"{scheme}{space}{FILTERED}"


def _card(found: re.Match[str], rules: dict[str, None]) -> str:
    text = found[0]
    if not _CARD_GROUPS.fullmatch(text):
        return text
    if not is_card_number(text.replace(" ", "").replace("-", "")):
        return text
    rules["card"] = None
    return FILTERED


def _pair(found: re.Match[str], rule_of: Rule, rules: dict[str, None]) -> str:
    opening, quote, name, comma, double, single = found.groups()
    rule = rule_of(name)
    value = single if double is None else double
    if not rule or value in NOT_SECRET:
        return found[0]
    rules[rule] = None
    return f"{opening}{quote}{name}{quote}{comma}{quote}{FILTERED}{quote}"


def _element(found: re.Match[str], rule_of: Rule, rules: dict[str, None]) -> str:
    name, rest, value = found.groups()
    rule = rule_of(name.rpartition(":")[2])
    if not rule or value.strip() in NOT_SECRET:
        return found[0]
    rules[rule] = None
    return f"<{name}{rest}{FILTERED}"


def _clean_assignments(text: str, rule_of: Rule, rules: dict[str, None]) -> str:
    """`name=value`, `name: value`, `"name": "value"` and what reprs and headers make of them."""
    pieces: list[str] = []
    done = 0
    for found in _NAME.finditer(text):
        if found.start(2) < done:
            continue
        before, name, _ = found.groups()
        rule = rule_of(name)
        if rule is None and before:
            rule = rule_of(f"{before} {name}")
        if not rule:
            continue
        span = _secret_span(text, found, rule)
        if span is not None:
            pieces += (text[done : span[0]], FILTERED)
            done = span[1]
            rules[rule] = None
    if not pieces:
        return text
    pieces.append(text[done:])
    return "".join(pieces)


def _secret_span(text: str, found: re.Match[str], rule: str) -> tuple[int, int] | None:
    """Where the value of an assignment is, inside its quotes; None when there is no secret."""
    header = found[3].strip() == ":"  # name and value without quotes, as in "Cookie: a=b"
    start = found.end()
    if header and (
        _COOKIES.match(text, start) if rule == "cookie" else _LONG_VALUE.match(text, start)
    ):
        line = _REST_OF_LINE.match(text, start)
        return line and line.span()
    scheme = _SCHEME.match(text, start)
    if scheme is not None:
        start = scheme.end()
    value = _VALUE.match(text, start)
    if value is None or _PLACEHOLDER.match(text, start) or text.startswith(FILTERED, start):
        return None
    kind = value.lastgroup or ""
    inside = value[kind]
    if inside in NOT_SECRET or _PLACEHOLDER.fullmatch(inside):
        return None
    prose = header and kind == "plain" and scheme is None and rule in _PROSE_RULES
    if prose and not _looks_random(inside, 8):
        return None
    return value.span(kind)


def _looks_random(value: str, least: int) -> bool:
    return len(value) >= 24 or (
        len(value) >= least and any(character.isdigit() for character in value)
    )
