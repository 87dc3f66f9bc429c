"""Whether a change of the rules would keep people out of changing them again. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tracer.accounts.policies import queries
from tracer.accounts.policies.circumstances import moments
from tracer.errors import Conflict
from tracer.kit.access import may_administer

if TYPE_CHECKING:
    from tracer.kit.access import Person
    from tracer.kit.context import Req
    from tracer.kit.directory import OrganizationView
    from tracer.storage.meta import Reader

NOBODY_LEFT = (
    "No owner could administer the organization any more, from any address they logged in from "
    "and at any time of the week."
)
YOURSELF = "You could not administer the organization any more, as you are here now."


class LocksOut(Conflict):
    """The change would lock out who makes it. It can be made if they say so."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Who changes the rules, as they are here now; `knowingly` even if it locks them out."""

    person: Person
    address: str
    now: datetime
    knowingly: bool = False


def editor(req: Req, *, knowingly: bool = False) -> Editor:
    """The editor of a request that the guard has let through."""
    assert req.actor.identity is not None
    return Editor(req.actor.identity, req.client_ip, req.now, knowingly)


def check(reader: Reader, after: OrganizationView, by: Editor) -> None:
    """Conflict when nobody could change the rules again, LocksOut when just the editor could not
    and did not say that this is meant."""
    if not owner_keeps(reader, after, by):
        raise Conflict(f"This would lock everyone out. {NOBODY_LEFT}")
    if not by.knowingly and not may_administer(by.person, after, by.address, by.now):
        raise LocksOut(f"This would lock you out. {YOURSELF}")


def owner_keeps(reader: Reader, after: OrganizationView, by: Editor) -> bool:
    """Whether some owner could still administer the organization: with the second factor they
    have, from where the editor is or they have been, at some time of the coming week."""
    owners = queries.owners(reader, after.id)
    return any(
        may_administer(owner.person, after, address, moment)
        for moment in _moments(after, by.now)
        for owner in owners
        for address in dict.fromkeys((by.address, *owner.addresses))
    )


def _moments(after: OrganizationView, now: datetime) -> Iterator[datetime]:
    """Moments of the coming week, one for each way in which its policies' times hold or not."""
    parts = [part for policy in after.policies for part in (policy.conditions, policy.requirements)]
    times = [part.hours for part in parts if part.hours is not None]
    known: set[tuple[bool, ...]] = set()
    for moment in moments(times, now):
        holding = tuple(hours.holds(moment) for hours in times)
        if holding not in known:
            known.add(holding)
            yield moment
