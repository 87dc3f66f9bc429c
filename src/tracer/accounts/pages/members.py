"""Who belongs to the organization."""

from __future__ import annotations

from tracer.accounts import queries
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page
from tracer.kit.routes import Routes

routes = Routes()


@routes.get("/members/", can=Permission.MEMBER_READ)
def index(req: Req) -> Response:
    reader = req.meta.read()
    return page(
        req,
        "accounts/members.html",
        organization=queries.organization(reader, req.reach),
        members=queries.members(reader, req.reach.organization_id),
    )
