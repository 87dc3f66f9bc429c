"""What the pages and the API of quotas show, and how a quota that was typed is read."""

from __future__ import annotations

from typing import Any

from tracer import clock
from tracer.errors import Invalid
from tracer.features.quotas import queries
from tracer.features.quotas.model import (
    Draft,
    Effect,
    Shown,
    by_category,
    errors_by_project,
    show,
    would_drop,
)
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.projects import queries as project_queries
from tracer.projects.model import Project
from tracer.projects.quotas import queries as quotas
from tracer.projects.quotas.model import AMOUNT_MAX, NAMES, window

PROJECTS_SHOWN = 20
QUOTAS_SHOWN = 100
NOTICES_SHOWN = 3

CATEGORIES = [("all", "Everything")] + [
    (name, text.capitalize()) for name, text in NAMES.items() if name
]
WINDOWS = [
    ("month", "a month"),
    ("day", "a day"),
    ("hour", "an hour"),
    ("minute", "a minute"),
    ("second", "a second"),
]
KINDS = [("hard", "refuse what is more"), ("soft", "warn only")]


def organization(req: Req) -> dict[str, Any]:
    """The values of the organization's page."""
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    org = req.reach.organization_id
    may_write = req.actor.can(Permission.ORG_WRITE)
    # Whoever sees some projects only is shown no numbers of the others.
    ids = queries.project_ids(reader, org) if may_write else req.reach.project_ids
    seen, since_ms = queries.seen(reader, ids, now_ms), queries.since(reader, org)
    labels = queries.key_labels(reader, org)
    names = {ref.id: ref for ref in req.projects}
    shown = [
        show(
            quota,
            use,
            seen,
            since_ms=since_ms,
            now_ms=now_ms,
            where=labels.get(quota.key_id or 0, ""),
        )
        for quota, use in quotas.quotas(reader, req.reach)
    ]
    of_projects = [
        (names[one.quota.project_id], one) for one in shown if one.quota.project_id in names
    ]
    return {
        "rows": by_category(seen, since_ms=since_ms, now_ms=now_ms),
        "projects_use": [
            (names[id_], month, comes)
            for id_, month, comes in errors_by_project(seen, since_ms=since_ms, now_ms=now_ms)
            if id_ in names
        ][:PROJECTS_SHOWN],
        "own": [one for one in shown if one.quota.project_id is None],
        "of_projects": of_projects[:QUOTAS_SHOWN],
        "more_of_projects": max(0, len(of_projects) - QUOTAS_SHOWN),
        "spikes": [(names[one.project_id], one) for one in queries.lasting(reader, req.reach)],
        "may_write": may_write,
        **_choices(),
    }


def project(req: Req, owner: Project) -> dict[str, Any]:
    """The values of a project's page."""
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    seen = queries.seen(reader, [owner.id], now_ms)
    keys = project_queries.keys(reader, owner.id)
    labels = {key.id: key.label for key in keys}
    every = [
        show(
            quota,
            use,
            seen,
            since_ms=owner.created_at,
            now_ms=now_ms,
            where=labels.get(quota.key_id or 0, ""),
        )
        for quota, use in quotas.quotas(reader, req.reach)
        if quota.project_id in (None, owner.id)
    ]
    return {
        "rows": by_category(seen, since_ms=owner.created_at, now_ms=now_ms),
        "own": [one for one in every if one.quota.project_id == owner.id],
        "above": [one for one in every if one.quota.project_id is None],
        "spikes": queries.spikes(reader, owner),
        "floor": req.tracer.settings.spike_floor_events,
        "may_write": req.actor.can(Permission.PROJECT_WRITE, owner.id),
        "keys": [("", "the whole project"), *((key.id, f"the key {key.label}") for key in keys)],
        **_choices(),
    }


def notices(req: Req) -> dict[str, Any]:
    """The exceeded quotas and lasting spikes that concern what is in reach."""
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    names = {ref.id: ref for ref in req.projects}
    exceeded = [
        (names.get(quota.project_id or 0), quota)
        for quota, use in quotas.quotas(reader, req.reach)
        if use.is_over(quota, now_ms)
    ]
    spikes = [(names[one.project_id], one) for one in queries.lasting(reader, req.reach)]
    return {
        "exceeded": exceeded[:NOTICES_SHOWN],
        "spikes": spikes[:NOTICES_SHOWN],
        "more": max(0, len(exceeded) - NOTICES_SHOWN) + max(0, len(spikes) - NOTICES_SHOWN),
    }


def draft(req: Req, form: Checked, owner: Project | None) -> Draft:
    """The quota that was typed. Invalid with the fields that are wrong in `form`."""
    category = form.read("category", _category, "all")
    per = form.read("per", _per, "month")
    amount = form.read("amount", _amount, 0)
    is_hard = form.read("kind", _kind, "hard") == "hard"
    key_id = form.read("key", lambda text: _key(req, owner, text), None)
    if not form:
        raise Invalid("Look at what is marked.")
    try:
        return Draft.read(category, per, amount, is_hard=is_hard, key_id=key_id)
    except Invalid as error:
        form.errors["amount"] = error.detail
        raise


def effect(req: Req, wanted: Draft, owner: Project | None) -> Effect:
    """What a quota would have dropped in the last seven days."""
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    org = req.reach.organization_id
    ids = queries.project_ids(reader, org) if owner is None else [owner.id]
    hours = queries.hours(reader, wanted, ids, now_ms)
    return would_drop(wanted.quota(org, owner.id if owner else None, now_ms), hours, now_ms)


def every_shown(req: Req, project_id: int | None = None) -> list[Shown]:
    """The quotas in reach for the API; of one project, or all."""
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    org = req.reach.organization_id
    seen, since_ms = queries.seen(reader, req.reach.project_ids, now_ms), queries.since(reader, org)
    return [
        show(quota, use, seen, since_ms=since_ms, now_ms=now_ms)
        for quota, use in quotas.quotas(reader, req.reach)
        if project_id in (None, quota.project_id)
    ]


def _choices() -> dict[str, Any]:
    return {"categories": CATEGORIES, "windows": WINDOWS, "kinds": KINDS}


def _category(text: str) -> str:
    if text not in dict(CATEGORIES):
        raise Invalid("Choose what to count.")
    return text


def _per(text: str) -> str:
    window(text)
    return text


def _kind(text: str) -> str:
    if text not in dict(KINDS):
        raise Invalid("Choose what happens to what is more.")
    return text


def _amount(text: str) -> int:
    text = text.strip().replace(",", "").replace(" ", "")
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= AMOUNT_MAX):
        raise Invalid(f"Enter a whole number from 0 to {AMOUNT_MAX:,}.")
    return int(text)


def _key(req: Req, owner: Project | None, text: str) -> int | None:
    if not text:
        return None
    keys = project_queries.keys(req.meta.read(), owner.id) if owner else []
    for key in keys:
        if str(key.id) == text:
            return key.id
    raise Invalid("Choose a key of this project.")
