"""Policies in the API: list, make, change, remove, try out, explain."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tracer import clock
from tracer.accounts.model import Organization
from tracer.accounts.policies import actions, asking, lockout, queries
from tracer.accounts.policies.circumstances import Circumstances
from tracer.accounts.policies.model import (
    ConditionsText,
    Names,
    PolicyText,
    RequirementsText,
    StoredPolicy,
    read,
    write,
)
from tracer.accounts.policies.sentences import sentence
from tracer.accounts.queries import organization_by_slug
from tracer.errors import Invalid, NotFound
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import SCOPES, Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Param, Routes

routes = Routes()

_ROOT = "/api/0/organizations/{organization_slug}/policies/"
_ONE = _ROOT + "{policy_id:int}/"
_ERRORS = (400, 401, 403, 404, 409)
_WRITING = (
    "409 with a reason when nobody could administer the organization any more. When only you could "
    "not, say `acceptLockout`. Policies are asked after roles and only take away: one that denies "
    "wins, before one that requires. Denying a permission denies the stronger of its kind too."
)


class PolicyInfo(msgspec.Struct, rename="camel"):
    """A policy with what it says as a sentence."""

    id: str
    name: str
    effect: Literal["deny", "require"]
    conditions: ConditionsText
    requirements: RequirementsText
    is_active: bool
    sentence: str
    date_created: datetime
    date_changed: datetime


class PolicyWrite(PolicyText, rename="camel", kw_only=True):
    """A policy to store. `acceptLockout`: even if you could not administer any more yourself."""

    accept_lockout: bool = False


class DryRunRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What to try out: a new policy, a changed one (with `policyId`), or with `policyId` alone its
    removal. `address` and `at` (ISO 8601) are where and when people come; unless they are given,
    yours and now, or if the policy has nothing to say then, the nearest of which it has."""

    policy: PolicyText | None = None
    policy_id: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | None = None
    address: Annotated[str, msgspec.Meta(max_length=100)] = ""
    at: Annotated[str, msgspec.Meta(max_length=40)] = ""


class DryRunChange(msgspec.Struct, rename="camel"):
    """What changes alike for `count` people or tokens of a role; `example` is one of them.
    Without `projects` it changes everywhere; with an `environment`, for its events."""

    kind: Literal["user", "token"]
    role: str
    second_factor: bool
    count: int
    example: str
    lost: list[str]
    gained: list[str]
    projects: list[str]
    environment: str | None


class DryRunResult(msgspec.Struct, rename="camel"):
    """People were taken to come from `address` at the time `at`. `lockout` is "editor" or
    "everyone", with the reason in `message`, when saving would lock you or everyone out."""

    address: str
    at: datetime
    members: int
    members_changed: int
    tokens: int
    tokens_changed: int
    changes: list[DryRunChange]
    lockout: Literal["", "editor", "everyone"]
    message: str


class ExplainStep(msgspec.Struct):
    """One rule that was asked."""

    rule: str
    passed: bool
    text: str


class ExplainResult(msgspec.Struct):
    """Whether it is allowed; `rule` and `text` are of the rule that decided."""

    actor: str
    allowed: bool
    rule: str
    text: str
    steps: list[ExplainStep]


@routes.get(
    _ROOT,
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    doc=Operation(
        "List an organization's policies",
        description="In the order in which they are asked.",
        returns=list[PolicyInfo],
        errors=(401, 403, 404),
        tag="Policies",
        paged=True,
    ),
)
def list_policies(req: Req, organization: Organization) -> Response:
    reader = req.meta.read()
    names = queries.names(reader, organization.id)
    found = queries.policies(reader, organization.id)
    headers = link_header(req, previous=None, next=None)
    return json([_info(policy, names) for policy in found], headers=headers)


@routes.post(
    _ROOT,
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    step_up=True,
    doc=Operation(
        "Create a policy",
        description=_WRITING,
        body=PolicyWrite,
        returns=PolicyInfo,
        status=201,
        errors=_ERRORS,
        tag="Policies",
    ),
)
def create(req: Req, organization: Organization) -> Response:
    wanted = req.decode(PolicyWrite)
    by = lockout.editor(req, knowingly=wanted.accept_lockout)
    with req.meta.write() as tx:
        names = queries.names(tx, organization.id)
        policy = actions.create(tx, organization.id, read(wanted, names), by=by)
    return json(_info(policy, names), status=201)


@routes.get(
    _ONE,
    can=Permission.ORG_ADMIN,
    load=queries.policy_of,
    doc=Operation("Retrieve a policy", returns=PolicyInfo, errors=(401, 403, 404), tag="Policies"),
)
def one(req: Req, policy: StoredPolicy) -> Response:
    return json(_info(policy, queries.names(req.meta.read(), policy.organization_id)))


@routes.put(
    _ONE,
    can=Permission.ORG_ADMIN,
    load=queries.policy_of,
    step_up=True,
    doc=Operation(
        "Replace a policy",
        description=_WRITING,
        body=PolicyWrite,
        returns=PolicyInfo,
        errors=_ERRORS,
        tag="Policies",
    ),
)
def update(req: Req, policy: StoredPolicy) -> Response:
    wanted = req.decode(PolicyWrite)
    by = lockout.editor(req, knowingly=wanted.accept_lockout)
    with req.meta.write() as tx:
        names = queries.names(tx, policy.organization_id)
        policy = actions.update(tx, policy, read(wanted, names), by=by)
    return json(_info(policy, names))


@routes.delete(
    _ONE,
    can=Permission.ORG_ADMIN,
    load=queries.policy_of,
    step_up=True,
    doc=Operation("Delete a policy", status=204, errors=(401, 403, 404), tag="Policies"),
)
def delete(req: Req, policy: StoredPolicy) -> Response:
    with req.meta.write() as tx:
        actions.delete(tx, policy)
    return empty()


@routes.post(
    _ROOT + "dry-run/",
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    doc=Operation(
        "Try a policy out",
        description="Who could do what before and after. Nothing is stored.",
        body=DryRunRequest,
        returns=DryRunResult,
        errors=(400, 401, 403, 404),
        tag="Policies",
    ),
)
def dry_run(req: Req, organization: Organization) -> Response:
    wanted = req.decode(DryRunRequest)
    reader = req.meta.read()
    names = queries.names(reader, organization.id)
    if wanted.policy is None and wanted.policy_id is None:
        raise Invalid("Send a policy, or the id of one to remove.")
    if wanted.policy_id and queries.policy(reader, req.reach, wanted.policy_id) is None:
        raise NotFound("There is no such policy.")
    draft = read(wanted.policy, names) if wanted.policy is not None else None
    trial = asking.try_out(
        reader,
        organization.id,
        wanted.policy_id,
        draft,
        lockout.editor(req),
        address=wanted.address,
        at=wanted.at,
    )
    return json(_trial(trial, names))


@routes.get(
    _ROOT + "explain/",
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    doc=Operation(
        "Explain a permission",
        description="Whether somebody may do something, and the rule that decides.",
        query=(
            Param("actor", "The e-mail address of a member, or `token:12`."),
            Param("permission", "What they want to do.", values=tuple(sorted(SCOPES))),
            Param("project", "On which project, by slug or id."),
            Param("environment", "On events of which environment of the project."),
            Param("address", "From which address; yours unless given."),
            Param("at", "When, in ISO 8601; now unless given."),
            Param("secondFactor", "A member's second factor.", values=("with", "without")),
        ),
        returns=ExplainResult,
        errors=(400, 401, 403, 404),
        tag="Policies",
    ),
)
def explain(req: Req, organization: Organization) -> Response:
    reader, query = req.meta.read(), req.query
    asked = asking.Asked(
        actor=query.text("actor", max=300),
        permission=query.get("permission"),
        project=query.text("project", max=100),
        environment=query.text("environment", max=100),
        address=query.text("address", max=100),
        at=query.text("at", max=40),
        second_factor=query.choice("secondFactor", ("with", "without"), ""),
    )
    names = queries.names(reader, organization.id)
    here = Circumstances(req.client_ip, req.now)
    who, found = asking.answer(reader, organization.id, names, asked, here)
    steps = [ExplainStep(*step) for step in found.steps]
    return json(ExplainResult(who, found.allowed, found.rule, found.text, steps))


def _info(policy: StoredPolicy, names: Names) -> PolicyInfo:
    text = write(policy.draft, names)
    return PolicyInfo(
        id=str(policy.id),
        name=text.name,
        effect=text.effect,
        conditions=text.conditions,
        requirements=text.requirements,
        is_active=policy.is_active,
        sentence=sentence(policy.draft, names),
        date_created=clock.from_ms(policy.created_at),
        date_changed=clock.from_ms(policy.changed_at),
    )


def _trial(trial: asking.Trial, names: Names) -> DryRunResult:
    result = trial.result
    return DryRunResult(
        address=trial.at.address,
        at=trial.at.at,
        members=result.members,
        members_changed=result.members_changed,
        tokens=result.tokens,
        tokens_changed=result.tokens_changed,
        changes=[
            DryRunChange(
                kind="user" if row.kind == "user" else "token",
                role=row.role,
                second_factor=row.second_factor,
                count=row.count,
                example=row.example,
                lost=list(row.lost),
                gained=list(row.gained),
                projects=[names.projects[id_][0] for id_ in row.project_ids],
                environment=row.environment,
            )
            for row in result.rows
        ],
        lockout=trial.lockout,  # type: ignore[arg-type]
        message=trial.reason,
    )
