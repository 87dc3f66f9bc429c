"""Recovery codes: ten, each good for one login when no other factor is at hand. Pure."""

from __future__ import annotations

import hashlib
import secrets

COUNT = 10
GROUPS = 4
GROUP = 4
# Without letters and digits that look alike. 16 of these are 80 bits: a plain hash keeps them.
ALPHABET = "abcdefghjkmnpqrstuvwxyz023456789"


def new_codes() -> list[str]:
    """Ten new codes, such as `k7m2-q9x4-tw3e-8hzp`."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
        for _ in range(COUNT)
    ]


def code_hash(user_id: int, code: str) -> str:
    """How a code is stored. Upper case, blanks and hyphens do not matter."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(f"recovery:{user_id}:{plain}".encode("utf-8", "replace")).hexdigest()
