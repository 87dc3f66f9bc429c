"""Takes keys, tokens and passwords out of a text before it is logged or kept as an error. Pure.

Texts may come from outside: every rule takes time in proportion to the length, whatever it is.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

# From the telling word to the end of the name; what stands before it is kept in any case.
_NAME = (
    r"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|master[_-]?key|private[_-]?key"
    r"|tracer_login|tracer_device|csrf|authorization|recovery[_-]?code|otp)[\w.-]{0,40}+"
)
_RULES = (
    # -----BEGIN … PRIVATE KEY-----
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}+(?<=PRIVATE KEY)-----.*?(?:-----END [A-Z ]{0,30}+-----|\Z)",
            re.S,
        ),
        HIDDEN,
    ),
    # Whole headers, to the end of their line or quote.
    (
        re.compile(
            r"\b((?:proxy-)?authorization|set-cookie|cookie|x-sentry-auth)"
            r"(b?+[\"']?+\s*+[:=,]\s*+b?+[\"']?+)(?!\[hidden\])[^\r\n\"']+",
            re.I,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\b(Bearer|Basic|DSN)\s++(?!\[hidden\])[\w.~+/=:@-]{6,}", re.I), rf"\1 {HIDDEN}"),
    # A JSON web token, whole or begun.
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}"), HIDDEN),
    # scheme://user:password@host and scheme://public:secret@host: the name may be shown.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']*):[^\s/@\"']+@", re.I), rf"\1:{HIDDEN}@"),
    # Links that open something.
    (
        re.compile(r"/(setup|invitations|joining|reset|password|share)/[\w.~-]{12,}"),
        rf"/\1/{HIDDEN}",
    ),
    # name = "value", name: value, 'name': 'value', ?name=value
    (
        re.compile(
            rf"({_NAME}[\"']?\s{{0,9}}+(?:=|:)\s{{0,9}}+)"
            r"(?:b?\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|b?'(?:[^'\\]|\\.)*+(?:'|\Z)"
            r"|(?!\[hidden\])[^\s,;&)\]}\"']{4,})",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """The text without what looks like a secret; everything else stays as it is."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
