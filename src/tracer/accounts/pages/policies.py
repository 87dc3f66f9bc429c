"""The organization's policies: list, write, try out, switch on and off, delete; and why somebody
may or may not do something."""

from __future__ import annotations

from dataclasses import replace

from tracer.accounts.pages.policy_form import (
    DAY_NAMES,
    EMPTY,
    PERMISSIONS,
    ROLE_NAMES,
    ROLES,
    PolicyForm,
    read_form,
)
from tracer.accounts.policies import actions, asking, lockout, queries
from tracer.accounts.policies.circumstances import Circumstances
from tracer.accounts.policies.model import StoredPolicy, write
from tracer.accounts.policies.sentences import sentence
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_HOME = "/settings/policies/"
_ONE = _HOME + "{policy_id:int}/"
#: So many names are offered while one types a team, project or actor.
_OFFERED = 200


@routes.get(_HOME, can=Permission.ORG_ADMIN)
def index(req: Req) -> Response:
    reader, organization_id = req.meta.read(), req.reach.organization_id
    names = queries.names(reader, organization_id)
    found = queries.policies(reader, organization_id)
    return page(
        req,
        "accounts/policies.html",
        policies=[(policy, sentence(policy.draft, names)) for policy in found],
    )


@routes.get(_HOME + "new", can=Permission.ORG_ADMIN, step_up=True)
def new(req: Req) -> Response:
    return _form(req, None, PolicyForm(EMPTY))


@routes.post(_HOME, can=Permission.ORG_ADMIN, step_up=True)
def create(req: Req) -> Response:
    return _save(req, None)


@routes.get(_ONE, can=Permission.ORG_ADMIN, load=queries.policy, step_up=True)
def edit(req: Req, policy: StoredPolicy) -> Response:
    names = queries.names(req.meta.read(), policy.organization_id)
    return _form(req, policy, PolicyForm(write(policy.draft, names)))


@routes.post(_ONE, can=Permission.ORG_ADMIN, load=queries.policy, step_up=True)
def update(req: Req, policy: StoredPolicy) -> Response:
    return _save(req, policy)


@routes.post(_HOME + "dry-run", can=Permission.ORG_ADMIN)
def dry_run(req: Req) -> Response:
    """The form again, with what saving it would change."""
    policy_id = req.form.int("policy_id", 0)
    policy = queries.policy(req.meta.read(), req.reach, policy_id) if policy_id else None
    if policy_id and policy is None:
        raise NotFound("There is no such policy.")
    return _tried(req, policy, _read(req, policy))


@routes.get(_HOME + "dry-run", can=Permission.ORG_ADMIN)
def after_dry_run(_req: Req) -> Response:
    """Where one comes back to when the address of a dry run is opened again."""
    return redirect(_HOME)


@routes.post(_ONE + "enable", can=Permission.ORG_ADMIN, load=queries.policy, step_up=True)
def enable(req: Req, policy: StoredPolicy) -> Response:
    try:
        with req.meta.write() as tx:
            actions.set_active(tx, policy, active=True, by=lockout.editor(req))
    except Conflict as error:
        names = queries.names(req.meta.read(), policy.organization_id)
        form = PolicyForm(write(policy.draft, names), policy.draft, error.detail, activate=True)
        return _tried(req, policy, form, status=409)
    flash(req, f"“{policy.name}” holds from now on.")
    return redirect(_HOME)


@routes.post(_ONE + "disable", can=Permission.ORG_ADMIN, load=queries.policy, step_up=True)
def disable(req: Req, policy: StoredPolicy) -> Response:
    with req.meta.write() as tx:
        actions.set_active(tx, policy, active=False, by=lockout.editor(req))
    flash(req, f"“{policy.name}” is switched off.")
    return redirect(_HOME)


@routes.post(_ONE + "delete", can=Permission.ORG_ADMIN, load=queries.policy, step_up=True)
def delete(req: Req, policy: StoredPolicy) -> Response:
    with req.meta.write() as tx:
        actions.delete(tx, policy)
    flash(req, f"“{policy.name}” is deleted.")
    return redirect(_HOME)


@routes.get(_HOME + "explain", can=Permission.ORG_ADMIN)
def explain(req: Req) -> Response:
    reader, query, organization_id = req.meta.read(), req.query, req.reach.organization_id
    names = queries.names(reader, organization_id)
    asked = asking.Asked(
        actor=query.text("actor", max=300, default=req.actor.email),
        permission=query.get("permission") or Permission.EVENT_READ.value,
        project=query.text("project", max=100),
        environment=query.text("environment", max=100),
        address=query.text("address", max=100),
        at=query.text("at", max=40),
        second_factor=query.choice("second_factor", ("with", "without"), ""),
    )
    who, found, error = "", None, ""
    if "actor" in query:
        try:
            here = Circumstances(req.client_ip, req.now)
            who, found = asking.answer(reader, organization_id, names, asked, here)
        except Invalid as problem:
            error = problem.detail
    return page(
        req,
        "accounts/policy_explain.html",
        status=422 if error else 200,
        asked=asked,
        who=who,
        found=found,
        error=error,
        permissions=[(name, name) for name in PERMISSIONS],
        offered=[slug for slug, _ in list(names.projects.values())[:_OFFERED]],
    )


def _read(req: Req, policy: StoredPolicy | None) -> PolicyForm:
    names = queries.names(req.meta.read(), req.reach.organization_id)
    return read_form(req.form, names, was_active=policy is None or policy.is_active)


def _save(req: Req, policy: StoredPolicy | None) -> Response:
    """Stores the policy if it is the one whose dry run was shown; else shows that first."""
    form = _read(req, policy)
    if form.draft is None or req.form.get("tried") != form.digest:
        return _tried(req, policy, form)
    by = lockout.editor(req, knowingly=req.form.flag("accept_lockout"))
    try:
        with req.meta.write() as tx:
            if policy is None:
                actions.create(tx, req.reach.organization_id, form.draft, by=by)
            else:
                actions.update(tx, policy, form.draft, by=by)
    except Conflict as error:
        return _tried(req, policy, replace(form, error=error.detail), status=409)
    flash(req, f"“{form.draft.name}” is saved.")
    return redirect(_HOME)


def _tried(
    req: Req, policy: StoredPolicy | None, form: PolicyForm, *, status: int = 200
) -> Response:
    """The form with what saving it would change; without, and with the reason, if it is wrong."""
    if form.draft is None:
        return _form(req, policy, form, status=422)
    try:
        trial = asking.try_out(
            req.meta.read(),
            req.reach.organization_id,
            policy.id if policy else None,
            replace(form.draft, is_active=True),
            lockout.editor(req),
            address=form.try_address,
            at=form.try_at,
        )
    except Invalid as error:
        return _form(req, policy, replace(form, error=error.detail), status=422)
    return _form(req, policy, form, trial=trial, status=status)


def _form(
    req: Req,
    policy: StoredPolicy | None,
    form: PolicyForm,
    *,
    trial: asking.Trial | None = None,
    status: int = 200,
) -> Response:
    names = queries.names(req.meta.read(), req.reach.organization_id)
    return page(
        req,
        "accounts/policy.html",
        status=status,
        policy=policy,
        form=form,
        typed=form.typed,
        said=sentence(form.draft, names) if form.draft else "",
        trial=trial,
        names=names,
        permissions=[(name, name) for name in PERMISSIONS],
        roles=[(role, ROLE_NAMES.get(role, role)) for role in ROLES],
        days=DAY_NAMES,
        offered_teams=list(names.teams.values()),
        offered_projects=list(names.projects.values()),
    )
