"""What the guard knows by heart of each organization: projects, teams, policies, address lists.

Kept in memory until `organizations.access_version` moves, which the database itself raises
whenever one of these changes; the guard reads it with the identity anyway.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracer.kit.permissions import ADMINS
from tracer.kit.policy import Conditions, Policy, Requirements

if TYPE_CHECKING:
    from tracer.storage.meta import Reader

KEPT = 500


class ProjectRef(NamedTuple):
    """A project in reach, as the navigation shows it."""

    id: int
    slug: str
    name: str
    platform: str


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """One organization as it was at `version`. `projects` are by name, without deleted ones.

    `known` is where `kit.access` remembers what people may do in it.
    """

    id: int
    version: int
    projects: tuple[ProjectRef, ...]
    project_ids: tuple[int, ...]
    team_projects: Mapping[int, frozenset[int]]
    policies: tuple[Policy, ...]
    is_open: bool
    second_factor: str
    ip_ranges: tuple[str, ...]
    admin_ip_ranges: tuple[str, ...]
    asks_address: bool = field(init=False, repr=False, compare=False)
    asks_time: bool = field(init=False, repr=False, compare=False)
    known: dict[Any, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = [part for p in self.policies for part in (p.conditions, p.requirements)]
        by_address = any(part.addresses for part in parts)
        ranges = self.ip_ranges or self.admin_ip_ranges
        object.__setattr__(self, "asks_address", bool(ranges) or by_address)
        object.__setattr__(self, "asks_time", any(part.hours is not None for part in parts))
        object.__setattr__(self, "known", {})


class EntranceRules(NamedTuple):
    """What an organization asks of one of its members before they may administer anything."""

    ip_ranges: tuple[str, ...]
    admin_ip_ranges: tuple[str, ...]
    asks_second_factor: bool


class Directory:
    """The organizations that were asked for last."""

    def __init__(self) -> None:
        self._views: OrderedDict[int, OrganizationView] = OrderedDict()
        self._lock = threading.Lock()
        #: How often an organization was known, and read.
        self.hits = self.misses = 0

    def of(self, reader: Reader, organization_id: int, version: int) -> OrganizationView:
        """The organization at this version or later."""
        view = self._views.get(organization_id)
        if view is not None and view.version >= version:
            self.hits += 1
            return view
        self.misses += 1
        view = read(reader, organization_id)
        with self._lock:
            self._views[organization_id] = view
            self._views.move_to_end(organization_id)
            while len(self._views) > KEPT:
                self._views.popitem(last=False)
        return view


def read(reader: Reader, organization_id: int) -> OrganizationView:
    """The organization as it is now. The version is read first: what follows is never older."""
    row = reader.row(
        """
        SELECT access_version, is_open, second_factor, ip_ranges, admin_ip_ranges
        FROM organizations
        WHERE id = :id
        """,
        id=organization_id,
    )
    version, is_open, second_factor, ranges, admin_ranges = row or (0, 0, "everyone", "[]", "[]")
    refs = projects(reader, organization_id)
    team_projects: dict[int, set[int]] = {}
    for team_id, project_id in reader.rows(
        """
        SELECT t.id, p.project_id
        FROM teams t
        LEFT JOIN team_projects p ON p.team_id = t.id
        WHERE t.organization_id = :id
        """,
        id=organization_id,
    ):
        team_projects.setdefault(team_id, set()).update([] if project_id is None else [project_id])
    return OrganizationView(
        id=organization_id,
        version=version,
        projects=refs,
        project_ids=tuple(ref.id for ref in refs),
        team_projects={team: frozenset(found) for team, found in team_projects.items()},
        policies=policies(reader, organization_id),
        is_open=bool(is_open),
        second_factor=second_factor,
        ip_ranges=tuple(msgspec.json.decode(ranges)),
        admin_ip_ranges=tuple(msgspec.json.decode(admin_ranges)),
    )


def entrance_rules(reader: Reader, user_id: int) -> list[EntranceRules]:
    """The rules of every organization that a user belongs to."""
    return [
        EntranceRules(
            tuple(msgspec.json.decode(ranges)),
            tuple(msgspec.json.decode(admin_ranges)),
            second_factor == "everyone" or (second_factor == "admins" and role in ADMINS),
        )
        for ranges, admin_ranges, second_factor, role in reader.rows(
            """
            SELECT o.ip_ranges, o.admin_ip_ranges, o.second_factor, m.role
            FROM members m
            JOIN organizations o ON o.id = m.organization_id
            WHERE m.user_id = :user_id
            """,
            user_id=user_id,
        )
    ]


def projects(reader: Reader, organization_id: int) -> tuple[ProjectRef, ...]:
    """The projects of an organization, by name."""
    return tuple(
        ProjectRef(*row)
        for row in reader.rows(
            """
            SELECT id, slug, name, platform
            FROM projects
            WHERE organization_id = :organization_id AND deleted_at IS NULL
            ORDER BY name COLLATE NOCASE, id
            """,
            organization_id=organization_id,
        )
    )


def policies(reader: Reader, organization_id: int) -> tuple[Policy, ...]:
    """The active policies of an organization in the order in which they are asked: those that
    deny before those that require."""
    return tuple(
        Policy(
            id_,
            name,
            effect,
            msgspec.json.decode(conditions, type=Conditions),
            msgspec.json.decode(requirements, type=Requirements),
        )
        for id_, name, effect, conditions, requirements in reader.rows(
            """
            SELECT id, name, effect, conditions, requirements
            FROM policies
            WHERE organization_id = :organization_id AND is_active
            ORDER BY effect, id
            """,
            organization_id=organization_id,
        )
    )
