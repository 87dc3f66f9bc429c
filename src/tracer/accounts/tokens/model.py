"""Tokens and signing keys as they are listed, and the rules of what a token may hold. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tracer.errors import Forbidden, Invalid
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission

PERSONAL = "personal"
ORGANIZATION = "organization"

DAY_MS = 86_400_000
#: How long a new token lives, in days; None is for ever.
LIFETIMES: dict[str, int | None] = {"30d": 30, "90d": 90, "365d": 365, "never": None}
DEFAULT_LIFETIME = "365d"
#: How long a rotated token goes on working beside the new one, in seconds.
OVERLAPS_S = {"0": 0, "1h": 3600, "1d": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
TOKENS_MAX = 500
#: Their ids are in the text of a token, which must stay short enough for a header.
PROJECTS_MAX = 100


@dataclass(frozen=True, slots=True)
class TokensChanged:
    """A token ended or a signing key came or went: what is kept in memory must be read anew."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without what it is shown as, which is shown once and never stored.

    `user_id` is whose it is, of an organization's token who made it. `project_ids` is None without
    a restriction. `key_retires_at`: when the key that signed it stops to verify, if that is known.
    """

    id: int
    jti: str
    kind: str
    user_id: int | None
    email: str
    organization_id: int
    name: str
    scopes: tuple[str, ...]
    project_ids: tuple[int, ...] | None
    created_at: int
    expires_at: int | None
    used_at: int | None
    used_address: str
    ends_at: int | None
    replaced_by: int | None
    revoked_at: int | None
    key_retires_at: int | None

    @property
    def over_at(self) -> int | None:
        """When it stops working, whatever the reason; None for never."""
        return min(
            (
                at
                for at in (self.expires_at, self.ends_at, self.revoked_at, self.key_retires_at)
                if at is not None
            ),
            default=None,
        )

    def works(self, now_ms: int) -> bool:
        """Whether requests with it are let in at a moment."""
        return self.over_at is None or self.over_at > now_ms

    @property
    def is_cut_short(self) -> bool:
        """Whether its signing key retires before it would end by itself: it should be rotated."""
        own = [at for at in (self.expires_at, self.ends_at, self.revoked_at) if at is not None]
        return self.key_retires_at is not None and self.key_retires_at < min(own, default=1 << 62)


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is to be. `lives_ms` None: it never expires by itself."""

    kind: str
    user_id: int | None
    organization_id: int
    name: str
    scopes: tuple[str, ...]
    project_ids: tuple[int, ...] | None = None
    lives_ms: int | None = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and, this once, its text."""

    token: Token
    text: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; the private half is sealed. It signs while `retires_at` is None."""

    kid: str
    secret_id: int
    public_key: str
    created_at: int
    retires_at: int | None


def lifetime_ms(name: str) -> int | None:
    """Milliseconds of one of the LIFETIMES."""
    if name not in LIFETIMES:
        raise Invalid("A token lives 30d, 90d, 365d or never ends.")
    days = LIFETIMES[name]
    return None if days is None else days * DAY_MS


def check_scopes(wanted: Iterable[str], allowed: Collection[str] | None = None) -> tuple[str, ...]:
    """Known scopes, sorted. Forbidden when one is not in `allowed`: nobody gives what they lack."""
    scopes = tuple(sorted(set(wanted)))
    if not scopes:
        raise Invalid("Choose at least one scope.")
    for scope in scopes:
        if scope not in SCOPES:
            known = " ".join(sorted(SCOPES))
            raise Invalid(f"There is no scope called {scope[:40]}. The scopes are: {known}")
        if allowed is not None and scope not in allowed:
            raise Forbidden(f"You cannot give the scope {scope}: you do not have it yourself.")
    return scopes


def givable(kind: str, permissions: Collection[Permission]) -> frozenset[str]:
    """The scopes that somebody with these permissions can give to a token of a kind."""
    held = frozenset(permissions) & SCOPES
    if kind == ORGANIZATION:
        held &= ROLE_GRANTS["organization"]
    return frozenset(scope.value for scope in held)
