"""The API's front door, as Sentry shapes it: who asks, and their organization."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tracer import clock
from tracer.accounts import queries
from tracer.accounts.model import Organization
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import SCOPES, Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Routes

routes = Routes()


class AuthInfo(msgspec.Struct):
    """What the token or login may do."""

    scopes: list[str]


class UserInfo(msgspec.Struct):
    """Who asks."""

    id: str
    email: str
    name: str
    username: str


class Root(msgspec.Struct):
    """`auth` and `user` are null for somebody who is not known."""

    version: str
    auth: AuthInfo | None
    user: UserInfo | None


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
    """An organization with what the actor may do in it."""

    access: list[str]
    role: str


@routes.get(
    "/api/0/",
    can=Permission.PUBLIC,
    doc=Operation("Who asks, and what they may do", returns=Root, errors=(401,), tag="Root"),
)
def root(req: Req) -> Response:
    actor = req.actor
    if actor.is_anonymous:
        return json(Root("0", None, None))
    user = UserInfo(str(actor.user_id), actor.email, actor.name, actor.email)
    return json(Root("0", AuthInfo(scopes(req)), user))


@routes.get(
    "/api/0/organizations/",
    can=Permission.ORG_READ,
    doc=Operation(
        "List organizations",
        returns=list[OrganizationSummary],
        errors=(401, 403),
        tag="Organizations",
        paged=True,
    ),
)
def list_organizations(req: Req) -> Response:
    found = queries.organization(req.meta.read(), req.reach)
    return json(
        [_summary(found)] if found else [], headers=link_header(req, previous=None, next=None)
    )


@routes.get(
    "/api/0/organizations/{organization_slug}/",
    can=Permission.ORG_READ,
    load=queries.organization_by_slug,
    doc=Operation(
        "Retrieve an organization",
        returns=OrganizationDetail,
        errors=(401, 403, 404),
        tag="Organizations",
    ),
)
def one_organization(req: Req, organization: Organization) -> Response:
    summary = msgspec.structs.asdict(_summary(organization))
    return json(OrganizationDetail(**summary, access=scopes(req), role=req.actor.role))


def scopes(req: Req) -> list[str]:
    """The scopes that the actor holds, sorted."""
    return sorted(scope.value for scope in req.actor.permissions & SCOPES)


def _summary(organization: Organization) -> OrganizationSummary:
    return OrganizationSummary(
        id=str(organization.id),
        slug=organization.slug,
        name=organization.name,
        date_created=clock.from_ms(organization.created_at),
        status=Status("active", "active"),
        is_early_adopter=False,
        require_2fa=False,
        require_email_verification=False,
        features=[],
    )
