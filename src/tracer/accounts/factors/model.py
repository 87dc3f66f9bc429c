"""Second factors and what belongs to them, as values. Rules, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.accounts.model import NAME_MAX, browser_name, one_line
from tracer.errors import Invalid

TOTP = "totp"
PASSKEY = "passkey"

FACTORS_MAX = 20
CHALLENGE_AGE_MS = 10 * 60_000
CHALLENGE_TRIES = 8
CEREMONY_AGE_MS = 5 * 60_000
DEVICE_AGE_MS = 30 * 86_400_000

SECRET_KIND = "totp"  # noqa: S105 - what seeds are called in the vault


@dataclass(frozen=True, slots=True)
class Factor:
    """One authenticator app or passkey; nothing secret. `last_step` is of the last code used."""

    id: int
    kind: str
    name: str
    secret_id: int | None
    last_step: int
    created_at: int
    used_at: int | None

    @property
    def is_passkey(self) -> bool:
        return self.kind == PASSKEY


@dataclass(frozen=True, slots=True)
class Passkey:
    """The public half of a passkey, to check an answer with."""

    id: int
    user_id: int
    name: str
    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that needs no second factor until `expires_at`."""

    token_hash: str
    address: str
    user_agent: str
    created_at: int
    used_at: int
    expires_at: int

    @property
    def browser(self) -> str:
        """What the browser calls itself, shortened: "Firefox on Linux"."""
        return browser_name(self.user_agent) or self.user_agent[:60] or "Unknown"


@dataclass(frozen=True, slots=True)
class Pending:
    """A login whose password was right and whose second factor is still to come."""

    token_hash: str
    user_id: int
    email: str
    next: str


def check_name(text: str) -> str:
    """What a factor is called, on one line; blank is allowed."""
    name = one_line(text)
    if len(name) > NAME_MAX:
        raise Invalid(f"Use at most {NAME_MAX} characters.")
    return name
