"""Password hashing with argon2id: about 85 ms and 46 MiB each, at most two at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tracer.accounts.model import check_password
from tracer.errors import Unavailable

WAIT_S = 10.0

# Twice the time cost of OWASP's 46 MiB setting.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
_places = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """An argon2id hash in PHC form. Invalid when the password is too short or too long."""
    check_password(password)
    with _place():
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password fits. Costs the same when there is no hash (unknown account)."""
    with _place():
        try:
            return _hasher.verify(password_hash or _nobody(), password) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's and should be made anew."""
    return _hasher.check_needs_rehash(password_hash)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher.hash("no account has this password")


@contextmanager
def _place() -> Iterator[None]:
    """One of two places, so that many logins at once cannot take the memory of the machine."""
    if not _places.acquire(timeout=WAIT_S):
        raise Unavailable("Too many people are logging in. Try again shortly.", retry_after_s=10)
    try:
        yield
    finally:
        _places.release()
