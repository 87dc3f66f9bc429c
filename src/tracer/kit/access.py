"""From an identity and its organization to what it may do here and now.

Roles, teams and scopes first; the organization's address lists, second-factor rule and policies
only take away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from tracer.kit.directory import ProjectRef, projects
from tracer.kit.permissions import (
    ADMINISTRATION,
    SCOPES,
    TEAM_GRANTS,
    Permission,
    granted,
    named,
)
from tracer.kit.permissions import (
    ADMINS as ADMINS,
)
from tracer.kit.policy import Refusal, Who, decide, refusals, taken, within
from tracer.kit.reach import NOWHERE, Reach

if TYPE_CHECKING:
    from tracer.kit.directory import OrganizationView
    from tracer.storage.meta import Reader

#: Roles that see every project, whatever their teams.
SEE_ALL = frozenset({"owner", "manager", "organization"})
#: Roles that gain by leading a team: a viewer stays a viewer.
LEADERS = frozenset({"member", "admin", "manager", "owner"})
#: The role of an organization's own token: there is nobody who could show a second factor.
MACHINE = "organization"

CLOSED_TO_ADDRESS = "address"
CLOSED_WITHOUT_FACTOR = "second_factor"

_KEPT = 500
_NOTHING: frozenset[Permission] = frozenset()


class Person(Protocol):
    """Of an identity what its access depends on. `scopes` is None for a login, `project_ids`
    without a restriction."""

    @property
    def role(self) -> str: ...
    @property
    def teams(self) -> Mapping[int, str]: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    @property
    def project_ids(self) -> tuple[int, ...] | None: ...
    @property
    def second_factor(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Access:
    """What an identity may do here and now.

    `permissions` hold in the whole organization; `of_lead` on the projects in `leads` too, and
    `denied` is what policies take away on single projects. `reach` is what may be known to exist,
    `projects` are those by name. `closed` says why the organization lets the request in nowhere,
    `is_outside` that its address may administer nothing.
    """

    permissions: frozenset[Permission]
    leads: frozenset[int]
    of_lead: frozenset[Permission]
    denied: Mapping[int, frozenset[str]]
    refusals: tuple[Refusal, ...]
    reach: Reach
    projects: tuple[ProjectRef, ...]
    closed: str = ""
    is_outside: bool = False
    _narrowed: dict[Permission, Reach] = field(default_factory=dict, repr=False, compare=False)

    def reach_for(self, wanted: Permission) -> Reach:
        """The projects on which `wanted` is not refused: whose objects a list may show."""
        if not self.denied or wanted not in SCOPES:
            return self.reach
        found = self._narrowed.get(wanted)
        if found is None:
            whole = self.reach
            ids = tuple(
                id_ for id_ in whole.project_ids if wanted not in self.denied.get(id_, _NOTHING)
            )
            found = self._narrowed[wanted] = Reach(whole.organization_id, ids, whole.hidden)
        return found

    def may(self, permission: Permission | str, project_id: int | None = None) -> bool:
        """Whether a permission is held; on a project if one is named, be it in reach or not."""
        if project_id is None:
            return permission in self.permissions
        if permission in self.denied.get(project_id, _NOTHING):
            return False
        leads = project_id in self.leads and permission in self.of_lead
        return leads or permission in self.permissions


NO_ACCESS = Access(_NOTHING, frozenset(), _NOTHING, {}, (), NOWHERE, ())


def access(person: Person, view: OrganizationView, address: str, now: datetime) -> Access:
    """What a person may do, remembered as long as the organization stays as it is in `view`."""
    key = (
        person.role,
        frozenset(person.teams.items()),
        person.scopes,
        person.project_ids,
        person.second_factor,
        address if view.asks_address else "",
        int(now.timestamp()) // 60 if view.asks_time else 0,
    )
    found: Access | None = view.known.get(key)
    if found is None:
        if len(view.known) >= _KEPT:
            view.known.clear()
        found = view.known[key] = judge(person, view, address, now)
    return found


def judge(person: Person, view: OrganizationView, address: str, now: datetime) -> Access:
    """What a person may do, worked out anew."""
    closed = closed_to(person, view, address)
    if closed:
        nowhere = Reach(view.id, ())
        return Access(_NOTHING, frozenset(), _NOTHING, {}, (), nowhere, (), closed)
    base, of_lead, leads = held(person, view, address)
    found = refusals(view.policies, who_is(person, address, now))
    lost = taken(found)
    seen = sees(person, view)
    if Permission.PROJECT_READ in lost.everywhere:
        seen = ()
    elif lost.on:
        seen = tuple(
            id_ for id_ in seen if Permission.PROJECT_READ not in lost.on.get(id_, _NOTHING)
        )
    refs = view.projects
    if len(seen) < len(refs):
        shown = frozenset(seen)
        refs = tuple(ref for ref in refs if ref.id in shown)
    return Access(
        base - lost.everywhere,
        leads,
        of_lead - lost.everywhere,
        lost.on,
        found,
        Reach(view.id, seen, lost.hidden),
        refs,
        is_outside=outside(view, address),
    )


def may_administer(person: Person, view: OrganizationView, address: str, now: datetime) -> bool:
    """Whether a person has the say over the organization itself: quicker than to `judge`."""
    if closed_to(person, view, address):
        return False
    if outside(view, address):
        return False
    found = refusals(view.policies, who_is(person, address, now))
    has = granted(person.role, person.scopes)
    return Permission.ORG_ADMIN in has and decide(found, Permission.ORG_ADMIN) is None


def held(
    person: Person, view: OrganizationView, address: str
) -> tuple[frozenset[Permission], frozenset[Permission], frozenset[int]]:
    """As `grants`, without what may not be done from this address."""
    base, of_lead, leads = grants(person, view)
    if outside(view, address):
        return base - ADMINISTRATION, of_lead - ADMINISTRATION, leads
    return base, of_lead, leads


def outside(view: OrganizationView, address: str) -> bool:
    """Whether nothing may be administered from this address."""
    return bool(view.admin_ip_ranges) and not within(address, view.admin_ip_ranges)


def grants(
    person: Person, view: OrganizationView
) -> tuple[frozenset[Permission], frozenset[Permission], frozenset[int]]:
    """What roles and scopes give, before any rule takes it away: in the organization, then what
    leading a team adds, on which projects."""
    base = granted(person.role, person.scopes)
    if person.role not in LEADERS:
        return base, _NOTHING, frozenset()
    of_lead = TEAM_GRANTS["lead"]
    if person.scopes is not None:
        of_lead &= named(person.scopes)
    leads: set[int] = set()
    for team_id, role in person.teams.items():
        if role == "lead":
            leads |= view.team_projects.get(team_id, frozenset())
    if person.project_ids is not None:
        leads &= set(person.project_ids)
    return base, of_lead, frozenset(leads)


def sees(person: Person, view: OrganizationView) -> tuple[int, ...]:
    """The projects that role, teams and the token's own list open, before policies."""
    if view.is_open or person.role in SEE_ALL:
        seen = view.project_ids
    else:
        mine: set[int] = set()
        for team_id in person.teams:
            mine |= view.team_projects.get(team_id, frozenset())
        seen = tuple(id_ for id_ in view.project_ids if id_ in mine)
    if person.project_ids is not None:
        seen = tuple(id_ for id_ in seen if id_ in person.project_ids)
    return seen


def who_is(person: Person, address: str, now: datetime) -> Who:
    """A person as policies see them."""
    return Who(
        actor_kind="user" if person.scopes is None else "token",
        role=person.role,
        team_ids=frozenset(person.teams),
        address=address,
        second_factor=person.second_factor,
        at=now,
    )


def lacks_second_factor(person: Person, view: OrganizationView) -> bool:
    """Whether the organization asks this person for a second factor, and there was none."""
    if view.second_factor == "optional" or person.second_factor or person.role == MACHINE:
        return False
    return view.second_factor == "everyone" or person.role in ADMINS


def reach_of_all(reader: Reader, organization_id: int) -> Reach:
    """The reach of a command run on the server itself."""
    found = projects(reader, organization_id)
    return Reach(organization_id, tuple(ref.id for ref in found))


def closed_to(person: Person, view: OrganizationView, address: str) -> str:
    """Why the organization lets a person in nowhere; empty when it does."""
    if view.ip_ranges and not within(address, view.ip_ranges):
        return CLOSED_TO_ADDRESS
    return CLOSED_WITHOUT_FACTOR if lacks_second_factor(person, view) else ""
