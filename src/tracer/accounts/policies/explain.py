"""Why somebody may or may not do something: every rule that was asked, and the one that decided.

It asks the same questions as the guard, in the same order, one by one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tracer.kit.access import (
    CLOSED_TO_ADDRESS,
    SEE_ALL,
    closed_to,
    grants,
    lacks_second_factor,
    outside,
    who_is,
)
from tracer.kit.permissions import ADMINISTRATION, ROLE_GRANTS, Permission, named
from tracer.kit.policy import Refusal, decide, refusals

if TYPE_CHECKING:
    from tracer.kit.access import Person
    from tracer.kit.directory import OrganizationView


class Step(NamedTuple):
    """One rule: whether it lets through, and what it says."""

    rule: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a person may use a permission, on an object if one is named, from an address."""

    person: Person
    permission: Permission
    address: str
    now: datetime
    project_id: int | None = None
    environment: str | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. `rule` and `text` are those of the step that decided."""

    allowed: bool
    rule: str
    text: str
    steps: tuple[Step, ...]


def explain(question: Question, view: OrganizationView) -> Explanation:
    """The first rule that refuses decides; else what grants the permission."""
    steps = tuple(_steps(question, view))
    refused = next((step for step in steps if not step.passed), None)
    if refused is not None:
        return Explanation(False, refused.rule, refused.text, steps)
    granting = next(step for step in steps if step.rule in ("role", "team role"))
    return Explanation(True, granting.rule, granting.text, steps)


def _steps(q: Question, view: OrganizationView) -> Iterator[Step]:
    if q.ended:
        yield Step("token", False, q.ended)
    yield from _entrance(q, view)
    yield from _grant(q, view)
    if q.project_id is not None:
        yield from _reach(q, view, q.project_id)
    yield from _policies(q, view)


def _entrance(q: Question, view: OrganizationView) -> Iterator[Step]:
    if view.ip_ranges:
        inside = closed_to(q.person, view, q.address) != CLOSED_TO_ADDRESS
        is_in = "is in" if inside else "is not in"
        yield Step("address list", inside, f"{q.address} {is_in} the organization's address list.")
    if view.second_factor != "optional":
        lacks = lacks_second_factor(q.person, view)
        whom = "everyone" if view.second_factor == "everyone" else "owners, managers and admins"
        shown = "There is none." if lacks else "It is fulfilled or does not concern them."
        text = f"The organization requires a second factor of {whom}. {shown}"
        yield Step("second factor", not lacks, text)
    if view.admin_ip_ranges and q.permission in ADMINISTRATION:
        shut = outside(view, q.address)
        is_in = "is not in" if shut else "is in"
        text = f"{q.address} {is_in} the list of addresses for administration."
        yield Step("administration addresses", not shut, text)


def _grant(q: Question, view: OrganizationView) -> Iterator[Step]:
    person, permission = q.person, q.permission
    _, of_lead, leads = grants(person, view)
    scopes_lack = person.scopes is not None and permission not in named(person.scopes)
    if scopes_lack:
        yield Step("scope", False, f"The token has no scope that holds {permission}.")
    elif person.scopes is not None:
        yield Step("scope", True, f"A scope of the token holds {permission}.")
    by_role = permission in ROLE_GRANTS.get(person.role, frozenset())
    leading = q.project_id is not None and q.project_id in leads and permission in of_lead
    if leading and not by_role:
        text = f"Leading a team of the project grants {permission} on it."
        yield Step("team role", True, text)
        return
    verb = "grants" if by_role else "does not grant"
    yield Step("role", by_role, f"The role {person.role} {verb} {permission}.")


def _reach(q: Question, view: OrganizationView, project_id: int) -> Iterator[Step]:
    person = q.person
    if project_id not in view.project_ids:
        yield Step("project", False, "There is no such project in the organization.")
        return
    if person.role in SEE_ALL:
        yield Step("role", True, f"The role {person.role} sees every project.")
    elif view.is_open:
        text = "The organization is open: its members see every project."
        yield Step("open organization", True, text)
    else:
        mine = any(project_id in view.team_projects.get(t, ()) for t in person.teams)
        verb = "is" if mine else "is not"
        text = f"The organization is closed, and the project {verb} one of their teams'."
        yield Step("closed organization", mine, text)
    if person.project_ids is not None:
        listed = project_id in person.project_ids
        verb = "is" if listed else "is not"
        text = f"The project {verb} among those that the token is limited to."
        yield Step("project list", listed, text)


def _policies(q: Question, view: OrganizationView) -> Iterator[Step]:
    if not view.policies:
        yield Step("policy", True, "There are no active policies.")
        return
    found = [*refusals(view.policies, who_is(q.person, q.address, q.now))]
    # What hides the environment, hides all that is of it, whatever is to be done with it.
    hiding = [refusal for refusal in found if refusal.policy.conditions.environments]
    project_id, environment = q.project_id, q.environment
    asked: list[tuple[list[Refusal], Permission, str | None]] = [(found, q.permission, None)]
    if project_id is not None:
        asked.insert(0, (found, Permission.PROJECT_READ, None))
    if environment is not None:
        asked.append((hiding, Permission.EVENT_READ, environment))
    for among, permission, of in asked:
        refusal = decide(among, permission, project_id, of)
        if refusal is not None:
            yield Step("policy", False, refusal.why)
            return
    yield Step("policy", True, "No policy refuses it.")
