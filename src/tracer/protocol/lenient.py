"""JSON as SDKs really send it: NaN, lone surrogates and broken UTF-8 must not lose an event.

msgspec decodes what is correct; only its refusals take the slow path through the standard library.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracer.errors import Invalid

_fast = msgspec.json.Decoder()
_MAX_NUMBER_DIGITS = 4000  # int() of more digits raises ValueError on its own


def load_json(data: bytes | memoryview) -> Any:
    """Decoded JSON without NaN, infinities (both become None) or lone surrogates (become U+FFFD).

    Raises Invalid when it is not JSON or is nested too deeply.
    """
    try:
        return _fast.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _load_leniently(bytes(data))


def _load_leniently(data: bytes) -> Any:
    text = data.decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        value = json.loads(
            text, parse_constant=_no_number, parse_int=_int, parse_float=_float, strict=False
        )
        # Only \ud800..\udfff escapes make lone surrogates: the bytes were decoded with "replace".
        if "\\ud" in text or "\\uD" in text:
            value = _without_surrogates(value)
    except RecursionError:
        raise Invalid("JSON is nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"not JSON: {error}") from None
    return value


def _no_number(_name: str) -> None:
    return None


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_NUMBER_DIGITS else None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if number - number == 0 else None  # 1e999 is an infinity


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_without_surrogates(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _without_surrogates(one) for key, one in value.items()}
    return value


def _clean(text: str) -> str:
    if text.isascii():
        return text
    # A high and a low surrogate that were escaped apart are one character; the rest are lone.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
