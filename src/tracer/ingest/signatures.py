"""A cheap guess at the issue of an error, from its bytes: was one like it accepted before?

Only made while the spool is too full. Coarser than grouping, of bounded memory, and forgetful.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

#: Two generations of so many: a signature is remembered for one to two of them.
_GENERATION: Final = 20_000
#: Of what is larger nothing is looked at: bytes are what is scarce, so it counts as known.
_MAX_BYTES: Final = 256 << 10
_TEXT: Final = 120
_FRAMES: Final = 3
_VARYING: Final = re.compile(r"[0-9a-fA-F-]{8,}|\d+")


class _Frame(msgspec.Struct):
    function: str | None = None
    module: str | None = None
    filename: str | None = None
    in_app: bool | None = None


class _Stack(msgspec.Struct):
    frames: list[_Frame | None] | None = None


class _Exception(msgspec.Struct):
    type: str | None = None
    value: str | None = None
    stacktrace: _Stack | None = None


class _Exceptions(msgspec.Struct):
    values: list[_Exception | None] | None = None


class _Message(msgspec.Struct):
    message: str | None = None
    formatted: str | None = None


class _Event(msgspec.Struct):
    exception: _Exceptions | list[_Exception | None] | None = None
    logentry: _Message | None = None
    message: str | _Message | None = None
    logger: str | None = None
    transaction: str | None = None
    fingerprint: list[str] | None = None


_decoder = msgspec.json.Decoder(_Event)


class Signatures:
    """The errors that passed lately. Not safe for several threads."""

    def __init__(self) -> None:
        self._young: set[int] = set()
        self._old: set[int] = set()

    def is_known(self, project_id: int, payload: bytes | memoryview) -> bool:
        """Whether an error like this one came before; it is remembered from now on. True for one
        that cannot be told apart."""
        found = signature(payload)
        if found is None:
            return True
        key = hash((project_id, found))
        if key in self._young:
            return True
        was_known = key in self._old
        if len(self._young) >= _GENERATION:
            self._old, self._young = self._young, set()
        self._young.add(key)
        return was_known


def signature(payload: bytes | memoryview) -> tuple[str | None, ...] | None:
    """What tells one error from another: fingerprint, else type and upper in-app frames, else the
    message without its numbers. None when it is too large or not as SDKs write it."""
    if len(payload) > _MAX_BYTES:
        return None
    try:
        event = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if event.fingerprint and "{{ default }}" not in event.fingerprint:
        return tuple(event.fingerprint[:8])
    last = _last(event)
    if last is not None:
        frames = [frame for frame in (last.stacktrace and last.stacktrace.frames) or () if frame]
        upper = [frame for frame in frames if frame.in_app] or frames
        places = [f"{f.module or f.filename}:{f.function}" for f in upper[-_FRAMES:]]
        return (last.type, *places) if places else (last.type, _plain(last.value))
    message = event.logentry or event.message
    if isinstance(message, _Message):
        message = message.message or message.formatted
    return ("", _plain(message), event.logger, event.transaction)


def _last(event: _Event) -> _Exception | None:
    values = event.exception
    if isinstance(values, _Exceptions):
        values = values.values
    return next((value for value in reversed(values or ()) if value is not None), None)


def _plain(text: str | None) -> str:
    return _VARYING.sub("0", (text or "")[:_TEXT])
