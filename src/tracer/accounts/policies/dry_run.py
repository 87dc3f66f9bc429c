"""Who could do what before and after a change of policies, without making it. Pure.

People who are alike in role, teams and second factor are judged once, and only those whom the
changed policies concern at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tracer.accounts.policies.model import Draft
from tracer.accounts.policies.queries import Group
from tracer.kit.access import closed_to, grants, held, sees, who_is
from tracer.kit.permissions import Permission
from tracer.kit.policy import Taken, refusals, taken

if TYPE_CHECKING:
    from tracer.kit.directory import OrganizationView

#: The id of a policy that is not stored yet: asked after those that are.
UNSAVED = 1 << 62


class Change(NamedTuple):
    """What changes for somebody: everywhere, or (with `project_ids`) on these projects; with an
    environment, for its events there."""

    lost: tuple[str, ...]
    gained: tuple[str, ...]
    project_ids: frozenset[int] = frozenset()
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A change for all whom it concerns alike: `count` people or tokens of a role, everywhere or
    on those of these projects that each of them sees."""

    kind: str
    role: str
    second_factor: bool
    count: int
    example: str
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    project_ids: tuple[int, ...]
    environment: str | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a change would do, from one address at one moment."""

    rows: tuple[Row, ...]
    members: int
    members_changed: int
    tokens: int
    tokens_changed: int


def with_policy(
    view: OrganizationView, policy_id: int | None, draft: Draft | None
) -> OrganizationView:
    """The organization with a policy added (no id), changed, or taken out (no draft)."""
    kept = [policy for policy in view.policies if policy.id != policy_id]
    if draft is not None and draft.is_active:
        kept.append(draft.as_rule(UNSAVED if policy_id is None else policy_id))
    kept.sort(key=lambda policy: (policy.effect, policy.id))
    return replace(view, policies=tuple(kept))


def compare(
    before: OrganizationView,
    after: OrganizationView,
    groups: Iterable[Group],
    address: str,
    now: datetime,
) -> DryRun:
    """The difference for all groups, as they would come from an address at a moment."""
    judge = _Judge(before, after, address, now)
    counts = {"user": 0, "token": 0}
    concerned = {"user": 0, "token": 0}
    rows: dict[tuple[object, ...], Row] = {}
    places: dict[tuple[object, ...], set[int]] = {}
    for group in groups:
        kind = "user" if group.scopes is None else "token"
        counts[kind] += group.count
        changes = judge.changes(group)
        concerned[kind] += group.count if changes else 0
        for key, where in _by_kind(changes).items():
            lost, gained, _, environment = key
            whole = (kind, group.role, group.second_factor, *key)
            rows[whole] = _with(
                rows.get(whole), kind, group, Change(lost, gained, where, environment)
            )
            places.setdefault(whole, set()).update(where)
    order = sorted(rows, key=lambda key: (rows[key].kind != "user", -rows[key].count))
    return DryRun(
        tuple(replace(rows[key], project_ids=tuple(sorted(places[key]))) for key in order),
        counts["user"],
        concerned["user"],
        counts["token"],
        concerned["token"],
    )


_Difference = tuple[tuple[str, ...], tuple[str, ...]]
_Kind = tuple[tuple[str, ...], tuple[str, ...], bool, str | None]


def _by_kind(changes: Iterable[Change]) -> dict[_Kind, frozenset[int]]:
    """One person's changes that differ in their projects only, together."""
    found: dict[_Kind, frozenset[int]] = {}
    for change in changes:
        key = (change.lost, change.gained, bool(change.project_ids), change.environment)
        found[key] = found.get(key, frozenset()) | change.project_ids
    return found


class _Place(NamedTuple):
    """Projects on which the same changes: (lost, gained) for those who lead them, and others."""

    where: frozenset[int]
    leading: _Difference
    others: _Difference


class _Alike(NamedTuple):
    """What is the same for all whom the policies cannot tell apart."""

    everywhere: tuple[Change, ...]
    places: tuple[_Place, ...]


class _Judge:
    """Says what changes for a group; people whom the policies cannot tell apart are judged once."""

    def __init__(
        self, before: OrganizationView, after: OrganizationView, address: str, now: datetime
    ) -> None:
        self._before, self._after = before, after
        self._address, self._now = address, now
        both = (*before.policies, *after.policies)
        self._changed = [p for p in both if (p in before.policies) != (p in after.policies)]
        self._named = frozenset(t for p in both for t in p.conditions.team_ids)
        self._all = frozenset(before.project_ids)
        self._known: dict[tuple[object, ...], _Alike | None] = {}

    def changes(self, group: Group) -> tuple[Change, ...]:
        """Nothing for those whom the change does not concern."""
        leads = "lead" in group.teams.values()
        key = (
            group.role,
            group.scopes,
            group.second_factor,
            self._named.intersection(group.teams),
            leads and grants(group, self._before)[2] != frozenset(),
        )
        if key not in self._known:
            self._known[key] = self._alike(group)
        alike = self._known[key]
        if alike is None:
            return ()
        return (*alike.everywhere, *self._on_projects(group, alike))

    def _alike(self, group: Group) -> _Alike | None:
        who = who_is(group, self._address, self._now)
        if not refusals(self._changed, who) or closed_to(group, self._before, self._address):
            return None
        old = taken(refusals(self._before.policies, who))
        new = taken(refusals(self._after.policies, who))
        usual, of_lead, leads = held(group, self._before, self._address)
        base = usual | of_lead if leads else usual
        found = []
        lost = base & (new.everywhere - old.everywhere)
        gained = base & (old.everywhere - new.everywhere)
        if lost or gained:
            found.append(Change(_sorted(lost), _sorted(gained)))
        if Permission.EVENT_READ in base:
            found += _hidden(old, new)
        return _Alike(tuple(found), tuple(_places(old, new, usual, base)))

    def _on_projects(self, group: Group, alike: _Alike) -> Iterator[Change]:
        """What changes on single projects that the group sees, without what does everywhere."""
        if not alike.places:
            return
        leads = grants(group, self._before)[2]
        ids = sees(group, self._before)
        seen = self._all if ids == self._before.project_ids else frozenset(ids)
        for place in alike.places:
            there = place.where & seen
            for (lost, gained), where in (
                (place.others, there - leads),
                (place.leading, there & leads),
            ):
                if where and (lost or gained):
                    yield Change(lost, gained, where)


def _places(
    old: Taken, new: Taken, usual: frozenset[str], leading: frozenset[str]
) -> Iterator[_Place]:
    """The projects on which something else is taken than before, those alike together; for those
    who hold the usual permissions, and for those who lead."""
    found: dict[tuple[frozenset[str], frozenset[str]], set[int]] = {}
    none: frozenset[str] = frozenset()
    for project_id in {**old.on, **new.on}:
        was, will = old.on.get(project_id, none), new.on.get(project_id, none)
        if was != will:
            found.setdefault((was, will), set()).add(project_id)
    besides = leading & (old.everywhere ^ new.everywhere)
    for (was, will), ids in found.items():
        taken_before, taken_after = old.everywhere | was, new.everywhere | will
        by_holding = [
            (
                _sorted((has - taken_before) & taken_after - besides),
                _sorted((has - taken_after) & taken_before - besides),
            )
            for has in (leading, usual)
        ]
        yield _Place(frozenset(ids), *by_holding)


def _hidden(old: Taken, new: Taken) -> Iterator[Change]:
    """Environments that are hidden and were not, or the other way round."""
    reading = (Permission.EVENT_READ.value,)
    for place, environment in dict.fromkeys((*old.hidden, *new.hidden)):
        was, will = (place, environment) in old.hidden, (place, environment) in new.hidden
        if was != will:
            where = frozenset[int]() if place is None else frozenset({place})
            yield Change(reading if will else (), () if will else reading, where, environment)


def _with(row: Row | None, kind: str, group: Group, change: Change) -> Row:
    """The row with one group more."""
    if row is None:
        return Row(
            kind, group.role, group.second_factor, group.count, group.example,
            change.lost, change.gained, (), change.environment,
        )  # fmt: skip
    return replace(row, count=row.count + group.count, example=min(row.example, group.example))


def _sorted(permissions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(str(permission) for permission in permissions))
