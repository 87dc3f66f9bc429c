"""Organization policies: rules as data that deny what the roles grant, or ask for more. Pure.

Policies never grant anything. They are asked after the roles, and one that denies wins.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from tracer.errors import Invalid
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, WITH_STRONGER, Permission

Effect = Literal["deny", "require"]
ActorKind = Literal["user", "token"]

MAX_LISTED = 200
MAX_ENVIRONMENT = 64
MAPPED_BITS = 96
ALL: frozenset[str] = frozenset(SCOPES)


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times of the week: weekdays (0 is Monday) and minutes of the day in a time zone.

    An end before the start means the next morning.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start_minute: int = 0
    end_minute: int = 1440
    zone: str = "UTC"

    def holds(self, at: datetime) -> bool:
        """Whether a moment (with a zone) lies in these hours."""
        local = at.astimezone(zone(self.zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start_minute <= self.end_minute:
            return day in self.days and self.start_minute <= minute < self.end_minute
        if minute >= self.start_minute:
            return day in self.days
        return minute < self.end_minute and (day - 1) % 7 in self.days


class Conditions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whom and what a policy is about: all that are given must match, any value of a list does."""

    actor_kinds: tuple[ActorKind, ...] = ()
    roles: tuple[str, ...] = ()
    team_ids: tuple[int, ...] = ()
    permissions: tuple[str, ...] = ()
    project_ids: tuple[int, ...] = ()
    environments: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    second_factor: bool | None = None
    hours: Hours | None = None


class Requirements(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What must hold where a `require` policy matches."""

    addresses: tuple[str, ...] = ()
    second_factor: bool = False
    hours: Hours | None = None
    actor_kinds: tuple[ActorKind, ...] = ()


class Policy(NamedTuple):
    """One active rule of an organization."""

    id: int
    name: str
    effect: Effect
    conditions: Conditions
    requirements: Requirements


class Who(NamedTuple):
    """Who asks, from where and when (with a zone)."""

    actor_kind: str
    role: str
    team_ids: frozenset[int]
    address: str
    second_factor: bool
    at: datetime


class Refusal(NamedTuple):
    """A policy that refuses somebody what it is about, in words."""

    policy: Policy
    why: str

    def is_about(
        self, permission: str, project_id: int | None = None, environment: str | None = None
    ) -> bool:
        """Whether it refuses this permission on this object. None: no object of that kind, which
        a policy about certain projects or environments does not speak of."""
        c = self.policy.conditions
        return (
            (not c.permissions or permission in closed(c.permissions))
            and (not c.project_ids or project_id in c.project_ids)
            and (not c.environments or environment in c.environments)
        )


def refusals(policies: Iterable[Policy], who: Who) -> tuple[Refusal, ...]:
    """The policies that refuse somebody anything at all, in their order."""
    found = []
    for policy in policies:
        if not _concerns(policy.conditions, who):
            continue
        if policy.effect == "deny":
            found.append(Refusal(policy, f"The policy “{policy.name}” does not allow this."))
            continue
        missing = _missing(policy.requirements, who)
        if missing:
            why = f"The policy “{policy.name}” asks for {missing}."
            found.append(Refusal(policy, why))
    return tuple(found)


def decide(
    found: Iterable[Refusal],
    permission: str,
    project_id: int | None = None,
    environment: str | None = None,
) -> Refusal | None:
    """The first that refuses a permission on an object, or None."""
    for refusal in found:
        if refusal.is_about(permission, project_id, environment):
            return refusal
    return None


class Taken(NamedTuple):
    """All that policies take from somebody: permissions everywhere and on single projects, and
    environments (of a project, or None: of all) whose events may not be read."""

    everywhere: frozenset[str]
    on: Mapping[int, frozenset[str]]
    hidden: tuple[tuple[int | None, str], ...]


def taken(found: Iterable[Refusal]) -> Taken:
    """What the refusals take, so that each permission need not be asked for."""
    everywhere: frozenset[str] = frozenset()
    on: dict[int, frozenset[str]] = {}
    hidden: dict[tuple[int | None, str], None] = {}
    for refusal in found:
        c = refusal.policy.conditions
        about = closed(c.permissions) if c.permissions else ALL
        if c.environments:
            for environment in c.environments:
                for place in c.project_ids or (None,):
                    hidden[place, environment] = None
        elif c.project_ids:
            for project_id in c.project_ids:
                on[project_id] = on.get(project_id, frozenset()) | about
        else:
            everywhere |= about
    return Taken(everywhere, on, tuple(hidden))


@lru_cache(maxsize=1024)
def closed(permissions: tuple[str, ...]) -> frozenset[str]:
    """What a policy about these permissions is about: who is refused to read may not write."""
    return frozenset(
        stronger.value for name in permissions for stronger in WITH_STRONGER[Permission(name)]
    )


def check(conditions: Conditions, requirements: Requirements, effect: Effect) -> None:
    """Invalid, with the reason, unless a policy of these makes sense."""
    for values in (*_lists(conditions), *_lists(requirements)):
        if len(values) > MAX_LISTED:
            raise Invalid(f"Name at most {MAX_LISTED} values in a list.")
    for address in (*conditions.addresses, *requirements.addresses):
        network(address)
    for hours in (conditions.hours, requirements.hours):
        if hours is not None:
            _check_hours(hours)
    _check_names(conditions)
    if effect == "require" and requirements == Requirements():
        raise Invalid("Choose what the policy requires.")
    if effect == "deny" and conditions == Conditions():
        raise Invalid("A policy that denies needs a condition: this one would lock everyone out.")
    if effect == "deny" and requirements != Requirements():
        raise Invalid("A policy that denies has no requirements.")


@lru_cache(maxsize=4096)
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a range in CIDR notation; an IPv4-mapped one as IPv4. Raises Invalid."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
        if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= MAPPED_BITS:
            inner = found.network_address.ipv4_mapped
            if inner is not None:
                found = ipaddress.ip_network((inner, found.prefixlen - MAPPED_BITS))
    except ValueError:
        raise Invalid(f"“{text[:60]}” is no address or range such as 192.0.2.0/24.") from None
    return found


def within(address: str, ranges: Sequence[str]) -> bool:
    """Whether an address lies in one of the ranges; an unreadable one lies in none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network(text) for text in ranges)


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """A time zone by name. UTC when this machine does not know it: a policy must not end in an
    error for everybody because a folder was moved to another one."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def _concerns(conditions: Conditions, who: Who) -> bool:
    c = conditions
    return (
        (not c.actor_kinds or who.actor_kind in c.actor_kinds)
        and (not c.roles or who.role in c.roles)
        and (not c.team_ids or not who.team_ids.isdisjoint(c.team_ids))
        and (c.second_factor is None or who.second_factor is c.second_factor)
        and (not c.addresses or within(who.address, c.addresses))
        and (c.hours is None or c.hours.holds(who.at))
    )


def _missing(requirements: Requirements, who: Who) -> str:
    r = requirements
    if r.second_factor and not who.second_factor:
        return "a second factor"
    if r.addresses and not within(who.address, r.addresses):
        return "another address"
    if r.hours is not None and not r.hours.holds(who.at):
        return "another time"
    if r.actor_kinds and who.actor_kind not in r.actor_kinds:
        return "a login" if "user" in r.actor_kinds else "a token"
    return ""


def _check_names(conditions: Conditions) -> None:
    c = conditions
    for name in c.permissions:
        if name not in SCOPES:
            raise Invalid(f"There is no permission called {name[:60]}.")
    for role in c.roles:
        if role not in ROLE_GRANTS:
            raise Invalid(f"There is no role called {role[:60]}.")
    for environment in c.environments:
        if not 0 < len(environment) <= MAX_ENVIRONMENT:
            raise Invalid(f"An environment's name has 1 to {MAX_ENVIRONMENT} characters.")
    if c.environments and set(c.permissions) - {Permission.EVENT_READ}:
        raise Invalid(
            "A policy about environments is about reading events: choose event:read, or none."
        )


def _lists(value: Conditions | Requirements) -> list[tuple[object, ...]]:
    return [one for one in msgspec.structs.astuple(value) if isinstance(one, tuple)]


def _check_hours(hours: Hours) -> None:
    if hours.zone != "UTC" and zone(hours.zone) is UTC:
        raise Invalid(f"There is no time zone called {hours.zone[:60]}.")
    if not hours.days or not set(hours.days) <= set(range(7)):
        raise Invalid("Choose at least one day of the week.")
    if not (0 <= hours.start_minute < 1440 and 0 < hours.end_minute <= 1440):
        raise Invalid("Times run from 00:00 to 24:00.")
    if hours.start_minute == hours.end_minute:
        raise Invalid("The hours begin and end at the same time.")
