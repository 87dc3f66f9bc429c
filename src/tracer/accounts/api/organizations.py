"""Organizations in the API, as Sentry shapes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.api.root import scopes
from tracer.accounts.api.shapes import OrganizationUpdate
from tracer.accounts.membership import (
    OrganizationSettings,
    check_domains,
    check_second_factor,
)
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Routes

routes = Routes()


class Status(msgspec.Struct):
    id: str
    name: str


class OrganizationSummary(msgspec.Struct, rename="camel"):
    """An organization as lists show it."""

    id: str
    slug: str
    name: str
    date_created: datetime
    status: Status
    is_early_adopter: bool
    require_2fa: bool = msgspec.field(name="require2FA")
    require_email_verification: bool
    features: list[str]


class OrganizationDetail(OrganizationSummary, rename="camel"):
    """An organization with its settings, and with what the actor may do in it.

    `open_membership`: every member sees every project.
    """

    access: list[str]
    role: str
    open_membership: bool
    second_factor: str
    join_domains: list[str]
    join_role: str


@routes.get(
    "/api/0/organizations/",
    can=Permission.ORG_READ,
    doc=Operation(
        "List organizations",
        description="All that the login's user belongs to; a token has one.",
        returns=list[OrganizationSummary],
        errors=(401, 403),
        tag="Organizations",
        paged=True,
    ),
)
def list_organizations(req: Req) -> Response:
    found = _visible(req)
    return json(
        [_summary(one) for one in found], headers=link_header(req, previous=None, next=None)
    )


@routes.get(
    "/api/0/organizations/{organization_slug}/",
    can=Permission.ORG_READ,
    load=queries.settings_by_slug,
    doc=Operation(
        "Retrieve an organization",
        returns=OrganizationDetail,
        errors=(401, 403, 404),
        tag="Organizations",
    ),
)
def one_organization(req: Req, organization: OrganizationSettings) -> Response:
    return json(_detail(req, organization))


@routes.put(
    "/api/0/organizations/{organization_slug}/",
    can=Permission.ORG_WRITE,
    load=queries.settings_by_slug,
    step_up=True,
    doc=Operation(
        "Update an organization",
        body=OrganizationUpdate,
        returns=OrganizationDetail,
        errors=(400, 401, 403, 404, 409),
        tag="Organizations",
    ),
)
def update(req: Req, organization: OrganizationSettings) -> Response:
    changes = _changes(req.decode(OrganizationUpdate))
    asked = changes.get("second_factor", organization.second_factor)
    if asked != organization.second_factor:
        check_second_factor(asked, has_own=req.actor.second_factor)
    with req.meta.write() as tx:
        saved = actions.update_organization(tx, organization, **changes)
    return json(_detail(req, saved))


def _visible(req: Req) -> list[OrganizationSettings]:
    """A login's are all those of its user, a token's the one it was made for."""
    reader, actor = req.meta.read(), req.actor
    ids = [req.reach.organization_id]
    if actor.kind == "user" and actor.user_id is not None:
        ids = [one.id for one, _ in queries.organizations_of(reader, actor.user_id)]
    found = (queries.organization_settings(reader, id_) for id_ in ids)
    return [one for one in found if one is not None]


def _changes(wanted: OrganizationUpdate) -> dict[str, Any]:
    """The fields of OrganizationSettings that are given."""
    given: dict[str, Any] = {
        "name": wanted.name,
        "slug": wanted.slug,
        "is_open": wanted.open_membership,
        "second_factor": wanted.second_factor,
        "join_domains": wanted.join_domains,
        "join_role": wanted.join_role,
    }
    changes = {key: value for key, value in given.items() if value is not msgspec.UNSET}
    if wanted.require_2fa is not msgspec.UNSET and "second_factor" not in changes:
        changes["second_factor"] = "everyone" if wanted.require_2fa else "optional"
    if "join_domains" in changes:
        changes["join_domains"] = check_domains("\n".join(changes["join_domains"]))
    return changes


def _summary(organization: OrganizationSettings) -> OrganizationSummary:
    return OrganizationSummary(
        id=str(organization.id),
        slug=organization.slug,
        name=organization.name,
        date_created=clock.from_ms(organization.created_at),
        status=Status("active", "active"),
        is_early_adopter=False,
        require_2fa=organization.second_factor == "everyone",
        require_email_verification=False,
        features=[],
    )


def _detail(req: Req, organization: OrganizationSettings) -> OrganizationDetail:
    return OrganizationDetail(
        **msgspec.structs.asdict(_summary(organization)),
        access=scopes(req),
        role=req.actor.role,
        open_membership=organization.is_open,
        second_factor=organization.second_factor,
        join_domains=list(organization.join_domains),
        join_role=organization.join_role,
    )
