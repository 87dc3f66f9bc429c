"""Quotas for programs: list, set, remove, and what one would have dropped."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tracer import clock
from tracer.accounts.model import Organization
from tracer.accounts.queries import organization_by_slug
from tracer.errors import Invalid
from tracer.features.quotas import queries, view
from tracer.features.quotas.model import Draft, Effect, Shown
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes
from tracer.projects import queries as projects
from tracer.projects.model import Project
from tracer.projects.quotas import actions
from tracer.projects.quotas.model import AMOUNT_MAX, Quota, window_name

routes = Routes()

_OF_ORGANIZATION = "/api/0/organizations/{organization_slug}/quotas/"
_OF_PROJECT = "/api/0/projects/{organization_slug}/{project_slug}/quotas/"
_TAG = "Quotas"

Category = Literal[
    "all",
    "error",
    "transaction",
    "span",
    "session",
    "attachment",
    "feedback",
    "replay",
    "profile",
    "monitor",
    "log_item",
    "trace_metric",
]
Amount = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
Window = Annotated[
    str, msgspec.Meta(pattern=r"^(second|minute|hour|day|month|[1-9][0-9]{0,4})$", max_length=6)
]


class QuotaSet(msgspec.Struct):
    """A quota to set. `window` is second, minute, hour, day, month or a number of seconds; `key`
    is the public part of a key of the project, for a quota of this key alone."""

    category: Category
    window: Window
    amount: Amount
    kind: Literal["hard", "soft"] = "hard"
    key: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class QuotaInfo(msgspec.Struct, rename="camel"):
    """A quota with its use. `forecast` is what its month comes to; null for a short window."""

    id: str
    scope: Literal["organization", "project", "key"]
    project_id: str | None
    key_id: str | None
    category: Category
    window: str
    amount: int
    kind: Literal["hard", "soft"]
    date_created: datetime
    used: int
    forecast: int | None
    is_exceeded: bool


class EffectInfo(msgspec.Struct):
    """What a quota would have let go of what came in the last seven days, in items; `hours` are
    those in which it would have dropped anything. Bursts within an hour make it more."""

    offered: int
    dropped: int
    hours: int


@routes.get(
    _OF_ORGANIZATION,
    can=Permission.ORG_READ,
    load=organization_by_slug,
    doc=Operation(
        "List quotas",
        description="Those of the organization, of its projects in reach and of their keys.",
        returns=list[QuotaInfo],
        errors=(401, 403, 404),
        tag=_TAG,
        paged=True,
    ),
)
def list_quotas(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _list(req, view.every_shown(req))


@routes.get(
    _OF_PROJECT,
    can=Permission.PROJECT_READ,
    load=projects.project_of,
    doc=Operation(
        "List a project's quotas",
        returns=list[QuotaInfo],
        errors=(401, 403, 404),
        tag=_TAG,
        paged=True,
    ),
)
def list_of_project(req: Req, project: Project) -> Response:
    return _list(req, view.every_shown(req, project.id))


@routes.post(
    _OF_ORGANIZATION,
    can=Permission.ORG_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "Set a quota of the organization",
        description="In place of the one of the same category, window and kind, if there is one.",
        body=QuotaSet,
        returns=QuotaInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag=_TAG,
    ),
)
def set_for_organization(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _set(req, None)


@routes.post(
    _OF_PROJECT,
    can=Permission.PROJECT_WRITE,
    load=projects.project_of,
    doc=Operation(
        "Set a quota of a project or of one of its keys",
        description="In place of the one of the same category, window and kind, if there is one.",
        body=QuotaSet,
        returns=QuotaInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag=_TAG,
    ),
)
def set_for_project(req: Req, project: Project) -> Response:
    return _set(req, project)


@routes.post(
    _OF_ORGANIZATION + "dry-run/",
    can=Permission.ORG_WRITE,
    load=organization_by_slug,
    doc=Operation(
        "Tell what a quota of the organization would have dropped in the last seven days",
        body=QuotaSet,
        returns=EffectInfo,
        errors=(400, 401, 403, 404),
        tag=_TAG,
    ),
)
def try_for_organization(req: Req, organization: Organization) -> Response:  # noqa: ARG001
    return _effect(view.effect(req, _draft(req, None), None))


@routes.post(
    _OF_PROJECT + "dry-run/",
    can=Permission.PROJECT_WRITE,
    load=projects.project_of,
    doc=Operation(
        "Tell what a quota of a project would have dropped in the last seven days",
        description="That of a key as if all of the project had come under it.",
        body=QuotaSet,
        returns=EffectInfo,
        errors=(400, 401, 403, 404),
        tag=_TAG,
    ),
)
def try_for_project(req: Req, project: Project) -> Response:
    return _effect(view.effect(req, _draft(req, project), project))


@routes.delete(
    _OF_ORGANIZATION + "{quota_id:int}/",
    can=Permission.ORG_WRITE,
    load=queries.organization_quota_named,
    doc=Operation(
        "Remove a quota of the organization", status=204, errors=(401, 403, 404), tag=_TAG
    ),
)
def remove_from_organization(req: Req, quota: Quota) -> Response:
    return _remove(req, quota)


@routes.delete(
    _OF_PROJECT + "{quota_id:int}/",
    can=Permission.PROJECT_WRITE,
    load=queries.quota_named,
    doc=Operation(
        "Remove a quota of a project or of one of its keys",
        status=204,
        errors=(401, 403, 404),
        tag=_TAG,
    ),
)
def remove_from_project(req: Req, quota: Quota) -> Response:
    return _remove(req, quota)


def _list(req: Req, shown: list[Shown]) -> Response:
    return json([_info(one) for one in shown], headers=link_header(req, previous=None, next=None))


def _set(req: Req, project: Project | None) -> Response:
    draft = _draft(req, project)
    with req.meta.write() as tx:
        quota = actions.set_quota(
            tx,
            req.reach.organization_id,
            project.id if project else None,
            draft.key_id,
            category=draft.category,
            window_s=draft.window_s,
            amount=draft.amount,
            is_hard=draft.is_hard,
        )
    [made] = [one for one in view.every_shown(req) if one.quota.id == quota.id]
    return json(_info(made), status=201)


def _remove(req: Req, quota: Quota) -> Response:
    with req.meta.write() as tx:
        actions.remove_quota(tx, quota)
    return empty()


def _draft(req: Req, project: Project | None) -> Draft:
    wanted = req.decode(QuotaSet)
    key_id = None
    if wanted.key is not None:
        key = projects.key_by_public(req.meta.read(), project.id, wanted.key) if project else None
        if key is None:
            raise Invalid("There is no such key of a project here.")
        key_id = key.id
    is_hard = wanted.kind == "hard"
    return Draft.read(wanted.category, wanted.window, wanted.amount, is_hard=is_hard, key_id=key_id)


def _effect(effect: Effect) -> Response:
    return json(EffectInfo(effect.offered, effect.dropped, effect.hours))


def _info(shown: Shown) -> QuotaInfo:
    quota = shown.quota
    return QuotaInfo(
        id=str(quota.id),
        scope=quota.scope,  # type: ignore[arg-type]
        project_id=None if quota.project_id is None else str(quota.project_id),
        key_id=None if quota.key_id is None else str(quota.key_id),
        category=quota.category or "all",  # type: ignore[arg-type]
        window=window_name(quota.window_s),
        amount=quota.amount,
        kind="hard" if quota.is_hard else "soft",
        date_created=clock.from_ms(quota.created_at),
        used=shown.used,
        forecast=shown.forecast,
        is_exceeded=shown.is_over,
    )
