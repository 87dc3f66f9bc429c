"""Passwords: what a new one must be, and hashing with argon2id (about 100 ms and 46 MiB each).

At most two are hashed at a time and few more wait, so that guessing cannot take the machine's
memory or its web threads; browsers that are known have a place of their own.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tracer.accounts.known_passwords import is_known, is_monotonous
from tracer.accounts.model import check_password
from tracer.errors import Invalid, Unavailable

WAIT_S = 10.0
PLACES = 2
WAITING_MAX = 3
#: A shorter name (`it@example.com`) in a password means nothing.
NAME_MIN = 4

# Twice the time cost of OWASP's 46 MiB setting.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)


class _Places:
    """Room for so many at a time; a few more wait, the rest are turned away at once."""

    def __init__(self, places: int, waiting: int) -> None:
        self._room = threading.BoundedSemaphore(places)
        self._entry = threading.BoundedSemaphore(places + waiting)

    @contextmanager
    def one(self) -> Iterator[None]:
        busy = Unavailable("Too many people are logging in. Try again shortly.", retry_after_s=10)
        if not self._entry.acquire(blocking=False):
            raise busy
        try:
            if not self._room.acquire(timeout=WAIT_S):
                raise busy
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._entry.release()


_places = _Places(PLACES, WAITING_MAX)
_known_places = _Places(1, WAITING_MAX)


def new_password(text: str, *about: str) -> str:
    """A password that may be chosen. Invalid says why not: its length, too common, or one of the
    names `about` it (e-mail address, organization) or tracer's own is in it."""
    check_password(text)
    if is_monotonous(text):
        raise Invalid("Use more different characters.")
    if is_known(text):
        raise Invalid(
            "This password is among the first that are guessed. "
            "Use several words that do not belong together."
        )
    folded = text.casefold()
    for name in ("tracer", *_names(about)):
        if name in folded:
            raise Invalid(f"Leave out names that others know too, such as “{name}”.")
    return text


def hash_password(password: str) -> str:
    """An argon2id hash in PHC form. Invalid when the password is too short or too long."""
    check_password(password)
    with _places.one():
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str, *, known: bool = False) -> bool:
    """Whether the password fits. Costs the same when there is no hash (unknown account).

    `known`: asked by a browser that logged in to this account before.
    """
    with (_known_places if known else _places).one():
        try:
            return _hasher.verify(password_hash or _nobody(), password) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's and should be made anew."""
    return _hasher.check_needs_rehash(password_hash)


def _names(about: tuple[str, ...]) -> Iterator[str]:
    """The names in texts about a person: `ada.lovelace@example.com` -> itself, ada.lovelace,
    lovelace, example."""
    for text in about:
        folded = text.casefold().strip()
        local, at, domain = folded.partition("@")
        parts = [folded]
        if at:
            parts += [local, domain, *domain.split(".")[:-1]]
        parts += local.replace("_", ".").replace("-", ".").replace("+", ".").split(".")
        yield from (part for part in parts if len(part) >= NAME_MIN)


def _nobody() -> str:
    """A hash that no password fits, at today's costs; made without hashing."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).decode().rstrip("=")
        for size in (_hasher.salt_len, _hasher.hash_len)
    )
    return (
        f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},"
        f"p={_hasher.parallelism}${salt}${digest}"
    )
