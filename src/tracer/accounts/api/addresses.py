"""The address lists of an organization in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from tracer.accounts.model import Organization
from tracer.accounts.policies import actions, lockout
from tracer.accounts.queries import organization_by_slug
from tracer.kit import directory
from tracer.kit.permissions import Permission
from tracer.kit.render import json
from tracer.kit.routes import Operation, Routes

if TYPE_CHECKING:
    from tracer.kit.context import Req
    from tracer.kit.render import Response

routes = Routes()

_PATH = "/api/0/organizations/{organization_slug}/addresses/"
_Ranges = list[Annotated[str, msgspec.Meta(max_length=100)]]


class AddressLists(msgspec.Struct, forbid_unknown_fields=True):
    """IPv4 and IPv6 addresses and ranges; an empty list lets every address in."""

    everyone: _Ranges
    administration: _Ranges


@routes.get(
    _PATH,
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    doc=Operation(
        "Retrieve the address lists of an organization",
        returns=AddressLists,
        errors=(401, 403, 404),
        tag="Policies",
    ),
)
def show(req: Req, organization: Organization) -> Response:
    return json(_lists(req, organization))


@routes.put(
    _PATH,
    can=Permission.ORG_ADMIN,
    load=organization_by_slug,
    step_up=True,
    doc=Operation(
        "Replace the address lists of an organization",
        description="409 when a list does not hold the address that the request comes from.",
        body=AddressLists,
        returns=AddressLists,
        errors=(400, 401, 403, 404, 409),
        tag="Policies",
    ),
)
def update(req: Req, organization: Organization) -> Response:
    wanted = req.decode(AddressLists)
    with req.meta.write() as tx:
        actions.set_addresses(
            tx,
            organization.id,
            everyone=wanted.everyone,
            administration=wanted.administration,
            by=lockout.editor(req),
        )
    return json(_lists(req, organization))


def _lists(req: Req, organization: Organization) -> AddressLists:
    view = directory.read(req.meta.read(), organization.id)
    return AddressLists(list(view.ip_ranges), list(view.admin_ip_ranges))
