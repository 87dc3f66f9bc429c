"""Codes of authenticator apps (RFC 6238): seeds, QR codes, which time step a code belongs to.

Pure: whether a step was used before is the caller's to remember. segno is loaded on first use.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

import pyotp

ISSUER = "tracer"
STEP_S = 30
DIGITS = 6
WINDOW = 1


class Drawing(NamedTuple):
    """A QR code: an SVG path of its dark squares in a square of `size` units."""

    path: str
    size: int


def new_seed() -> str:
    """A random seed of 160 bits in base32."""
    return pyotp.random_base32()


def spaced(seed: str) -> str:
    """The seed in groups of four, for typing."""
    return " ".join(seed[at : at + 4] for at in range(0, len(seed), 4))


def address(seed: str, email: str, host: str) -> str:
    """The `otpauth:` address that apps read; they show issuer and e-mail address."""
    issuer = f"{ISSUER} ({host})" if host else ISSUER
    return pyotp.TOTP(seed).provisioning_uri(name=email, issuer_name=issuer)


def drawing(text: str) -> Drawing:
    """The QR code of a text, with the white edge that scanners need."""
    import segno

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=4)]
    runs: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            x += 1
    return Drawing("".join(runs), len(rows))


def clean(text: str) -> str:
    """A typed code without the blanks and hyphens that people put in."""
    return "".join(text.split()).replace("-", "")


def step_of(seed: str, code: str, now_s: float, *, after: int = 0) -> int | None:
    """The time step whose code this is, at most one away from now and later than `after`; else
    None. Takes the same time whichever it is."""
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(seed)
    here = int(now_s) // STEP_S
    found = None
    for step in range(here - WINDOW, here + WINDOW + 1):
        fits = hmac.compare_digest(totp.at(step * STEP_S), code)
        if fits and step > after and found is None:
            found = step
    return found
