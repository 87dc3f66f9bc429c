"""Trying a policy out and asking why, as pages and API put it: names in, answers out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracer.accounts.policies import dry_run, lockout, queries
from tracer.accounts.policies.circumstances import Circumstances, telling
from tracer.accounts.policies.explain import Explanation, Question, explain
from tracer.accounts.policies.queries import Named
from tracer.errors import Conflict, Invalid
from tracer.kit import directory
from tracer.kit.permissions import SCOPES, Permission
from tracer.kit.policy import network

if TYPE_CHECKING:
    from tracer.accounts.policies.dry_run import DryRun
    from tracer.accounts.policies.lockout import Editor
    from tracer.accounts.policies.model import Draft, Names
    from tracer.storage.meta import Reader

TOKEN = "token:"  # noqa: S105 - how a token is named, not one


@dataclass(frozen=True, slots=True)
class Trial:
    """What a policy would change under these circumstances. `lockout` is "editor" or "everyone"
    with its reason, or ""."""

    result: DryRun
    at: Circumstances
    lockout: str
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as people put it. `actor` is an e-mail address, or token:<id>; `at` is ISO 8601;
    `second_factor` is "with", "without", or "" for what a member has."""

    actor: str
    permission: str
    project: str = ""
    environment: str = ""
    address: str = ""
    at: str = ""
    second_factor: str = ""


def try_out(
    reader: Reader,
    organization_id: int,
    policy_id: int | None,
    draft: Draft | None,
    by: Editor,
    *,
    address: str = "",
    at: str = "",
) -> Trial:
    """What saving a policy (without a draft: removing it) would change for members and tokens.

    Unless address and time are given, they are such that the policy has something to say.
    """
    view = directory.read(reader, organization_id)
    after = dry_run.with_policy(view, policy_id, draft)
    here = Circumstances(read_address(address) or by.address, read_moment(at) or by.now)
    subject = draft or _stored(reader, organization_id, policy_id)
    if subject is not None:
        found = telling(subject, here, view.ip_ranges)
        here = Circumstances(
            here.address if address.strip() else found.address,
            here.at if at.strip() else found.at,
        )
    groups = queries.member_groups(reader, organization_id)
    groups += queries.token_groups(reader, organization_id)
    result = dry_run.compare(view, after, groups, here.address, here.at)
    try:
        lockout.check(reader, after, replace(by, knowingly=False))
    except lockout.LocksOut as problem:
        return Trial(result, here, "editor", problem.detail)
    except Conflict as problem:
        return Trial(result, here, "everyone", problem.detail)
    return Trial(result, here, "", "")


def answer(
    reader: Reader, organization_id: int, names: Names, asked: Asked, here: Circumstances
) -> tuple[str, Explanation]:
    """Who was meant, and why they may or may not; from here and now unless the question says
    otherwise. Raises Invalid."""
    known = find(reader, organization_id, asked.actor)
    if known is None:
        raise Invalid("There is no such member or token. Name an e-mail address, or token:12.")
    if asked.permission not in SCOPES:
        raise Invalid(f"There is no permission called {asked.permission[:60]}.")
    if asked.environment and not asked.project:
        raise Invalid("Name the project of the environment.")
    person = known.person
    if asked.second_factor and person.scopes is None:
        person = replace(person, second_factor=asked.second_factor == "with")
    question = Question(
        person,
        Permission(asked.permission),
        read_address(asked.address) or here.address,
        read_moment(asked.at) or here.at,
        _project_id(names, asked.project),
        asked.environment or None,
        known.ended,
    )
    return known.name, explain(question, directory.read(reader, organization_id))


def find(reader: Reader, organization_id: int, actor: str) -> Named | None:
    """A member by e-mail address or a token by `token:<id>`."""
    text = actor.strip()
    if not text.lower().startswith(TOKEN):
        return queries.member_named(reader, organization_id, text)
    number = text[len(TOKEN) :].strip()
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return queries.token_numbered(reader, organization_id, int(number))


def read_address(text: str) -> str:
    """One address, or "". Raises Invalid."""
    if not text.strip():
        return ""
    found = network(text)
    if found.num_addresses != 1:
        raise Invalid("Name one address, not a range.")
    return str(found.network_address)


def read_moment(text: str) -> datetime | None:
    """A moment in ISO 8601, UTC unless it says otherwise; None for "". Raises Invalid."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid("Write the time as 2026-11-24T09:30.") from None
    if not 1970 <= moment.year < 2970:
        raise Invalid("Name a year of this age.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _stored(reader: Reader, organization_id: int, policy_id: int | None) -> Draft | None:
    found = [p for p in queries.policies(reader, organization_id) if p.id == policy_id]
    return found[0].draft if found else None


def _project_id(names: Names, slug: str) -> int | None:
    if not slug:
        return None
    for id_, (known, _) in names.projects.items():
        if slug in (known, str(id_)):
            return id_
    raise Invalid(f"There is no project called {slug[:60]}.")
