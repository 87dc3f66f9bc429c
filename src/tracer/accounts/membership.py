"""Rules of membership, no I/O: which role may give, change or take away which."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracer.accounts.model import ROLES, one_line
from tracer.errors import Forbidden, Invalid

TEAM_ROLES = ("lead", "contributor")
SECOND_FACTOR = ("optional", "admins", "everyone")
JOIN_ROLES = ("viewer", "member")

INVITATION_AGE_MS = 7 * 86_400_000
JOIN_LINK_AGE_MS = 24 * 3_600_000
DOMAINS_MAX = 50

DOMAIN_PATTERN = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
_DOMAIN = re.compile(DOMAIN_PATTERN)


@dataclass(frozen=True, slots=True)
class OrganizationSettings:
    """An organization with what its owners decide. `is_open`: every member sees every project."""

    id: int
    slug: str
    name: str
    created_at: int
    is_open: bool
    second_factor: str
    join_domains: tuple[str, ...]
    join_role: str


@dataclass(frozen=True, slots=True)
class Team:
    """A team of an organization, with how many belong to it."""

    id: int
    organization_id: int
    slug: str
    name: str
    created_at: int
    members: int = 0
    projects: int = 0

    @property
    def team_id(self) -> int:
        """Its own id, by the name under which the guard asks whose team something is."""
        return self.id


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A member of a team; `role` is lead or contributor."""

    user_id: int
    email: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who was invited and has not come yet: no member, no access."""

    id: int
    organization_id: int
    email: str
    role: str
    team_ids: tuple[int, ...]
    invited_by: int | None
    created_at: int
    expires_at: int
    organization: str = ""

    def is_over(self, now_ms: int) -> bool:
        """Whether its link does not work any more."""
        return self.expires_at <= now_ms


def rank(role: str) -> int:
    """How much a role may do: 0 for a viewer to 4 for an owner; -1 for no role of people."""
    return len(ROLES) - 1 - ROLES.index(role) if role in ROLES else -1


def grantable(role: str) -> tuple[str, ...]:
    """The roles that somebody with `role` may give, the highest first: none above the own."""
    return tuple(one for one in ROLES if rank(one) <= rank(role))


def check_grant(by: str, role: str) -> str:
    """The role, if `by` may give it. Invalid when there is no such role, Forbidden if too high."""
    if role not in ROLES:
        raise Invalid(f"There is no role called {role[:40]}.")
    if rank(role) > rank(by):
        raise Forbidden("Nobody may give a role above their own.")
    return role


def check_touch(by: str, role: str) -> None:
    """Forbidden unless somebody with the role `by` may change a member with `role`."""
    if rank(role) > rank(by):
        raise Forbidden(
            f"Only an {ROLES[0]} may change an {ROLES[0]}."
            if role == "owner"
            else "You may not change somebody with a role above your own."
        )


def check_team_role(role: str) -> str:
    """A role in a team."""
    if role not in TEAM_ROLES:
        raise Invalid(f"There is no team role called {role[:40]}.")
    return role


def check_second_factor(wanted: str, *, has_own: bool) -> None:
    """Invalid where somebody without a second factor would ask others for one: they would lock
    themselves out first."""
    if wanted != "optional" and not has_own:
        raise Invalid("Log in with a second factor of your own first.")


def check_domains(text: str) -> tuple[str, ...]:
    """E-mail domains from a text with one a line (or separated by commas or blanks)."""
    found: dict[str, None] = {}
    for part in re.split(r"[\s,;]+", text.lower()):
        domain = part.removeprefix("@").rstrip(".")
        if not domain:
            continue
        if not _DOMAIN.fullmatch(domain):
            raise Invalid(f"{one_line(part)[:60]} is not a domain, such as example.com.")
        found[domain] = None
    if len(found) > DOMAINS_MAX:
        raise Invalid(f"Use at most {DOMAINS_MAX} domains.")
    return tuple(found)


def domain_of(email: str) -> str:
    """What stands after the last @, in lower case."""
    return email.rpartition("@")[2].lower().rstrip(".")
