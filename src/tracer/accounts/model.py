"""People and how they are known: organizations, users, members, logins, tokens. Rules, no I/O."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from tracer.errors import Invalid
from tracer.protocol.user_agent import parse_user_agent

ROLES = ("owner", "manager", "admin", "member", "viewer")
THEMES = ("system", "light", "dark")

LOGIN_IDLE_MS = 30 * 86_400_000
LOGIN_AGE_MS = 90 * 86_400_000
SETUP_AGE_MS = 30 * 86_400_000
#: How long a link to choose a new password works: mailed, and made by an administrator.
RESET_AGE_MS = 3_600_000
ADMIN_RESET_AGE_MS = 24 * 3_600_000
RESETS_AN_HOUR = 3

PASSWORD_MIN = 8
PASSWORD_MAX = 1024
EMAIL_MAX = 254
NAME_MAX = 100
SLUG_MAX = 50

SLUG_PATTERN = r"^(?=.*[a-z_-])[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$"

_EMAIL = re.compile(r"[^@\s<>(),;:\\\"\[\]]{1,64}@[^@\s<>(),;:\\\"\[\]]+\.?[^@\s<>(),;:\\\"\[\].]+")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_SLUG = re.compile(SLUG_PATTERN)


@dataclass(frozen=True, slots=True)
class Organization:
    """The one owner of projects and members. `created_at` is unix milliseconds, as every `_at`."""

    id: int
    slug: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in. `password_hash` is None until a password was chosen."""

    id: int
    email: str
    name: str
    password_hash: str | None
    theme: str
    created_at: int
    login_at: int | None


@dataclass(frozen=True, slots=True)
class ServerAdminsChanged:
    """Somebody administers this server from now on, or no longer."""

    user_id: int


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an organization, with the role that decides permissions."""

    user_id: int
    email: str
    name: str
    role: str
    created_at: int
    login_at: int | None


@dataclass(frozen=True, slots=True)
class Login:
    """A signed-in browser. `token_hash` is the SHA-256 of its cookie."""

    token_hash: str
    address: str
    user_agent: str
    created_at: int
    seen_at: int

    @property
    def browser(self) -> str:
        """What the browser calls itself, shortened: "Firefox on Linux"."""
        return browser_name(self.user_agent) or self.user_agent[:60] or "Unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a cookie or token belongs to, before permissions: see `kit.guard.Identity`.

    `ref` is the stored hash of the cookie or the id (`jti`) of the token; `csrf` is empty for a
    token. An organization's own token has no user and the role "organization".
    """

    user_id: int | None
    email: str
    name: str
    theme: str
    organization_id: int
    organization_slug: str
    access_version: int
    role: str
    teams: Mapping[int, str]
    is_server_admin: bool
    second_factor: bool
    confirmed_at: int
    scopes: tuple[str, ...] | None
    project_ids: tuple[int, ...] | None
    csrf: str
    ref: str
    token_id: int | None = None


def browser_name(user_agent: str) -> str:
    """A browser as people know it, "Firefox on Linux"; empty when it is no known one."""
    agent = parse_user_agent(user_agent)
    return " on ".join(name for name in (agent.browser, agent.system) if name)


def secret_hash(secret: str) -> str:
    """How a random secret is stored: its SHA-256. Random secrets need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def check_email(text: str) -> str:
    """The address without surrounding blanks. Invalid unless it looks like one."""
    email = text.strip()
    if len(email) > EMAIL_MAX or not _EMAIL.fullmatch(email):
        raise Invalid("Enter an e-mail address, such as ada@example.com.")
    return email


def check_password(password: str) -> str:
    """The password itself. Invalid when it is too short or too long (counted in characters)."""
    if len(password) < PASSWORD_MIN:
        raise Invalid(f"Use at least {PASSWORD_MIN} characters.")
    if len(password) > PASSWORD_MAX:
        raise Invalid(f"Use at most {PASSWORD_MAX} characters.")
    return password


def check_slug(text: str) -> str:
    """A slug as it may stand in a URL; never digits only, which would be read as an id."""
    slug = text.strip()
    if len(slug) > SLUG_MAX:
        raise Invalid(f"Use at most {SLUG_MAX} characters.")
    if slug.isascii() and slug.isdigit():
        raise Invalid("Use at least one letter: a slug of digits only would be taken for an id.")
    if not _SLUG.fullmatch(slug):
        raise Invalid("Use lower-case letters, digits, hyphens and underscores.")
    return slug


def one_line(text: str) -> str:
    """A shown name as one line: blanks folded, control and text-direction characters dropped."""
    return " ".join(_UNSEEN.sub("", text).split())


def slug_from(name: str, default: str) -> str:
    """A slug that resembles the name: "Café API" -> "cafe-api". `default` when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_MAX].rstrip("-")
    if not slug:
        return default
    return f"{default}-{slug}"[:SLUG_MAX] if slug.isdigit() else slug


def display_name(name: str, email: str) -> str:
    """The name if there is one, else the part of the address before the @."""
    return name or email.split("@", 1)[0]
