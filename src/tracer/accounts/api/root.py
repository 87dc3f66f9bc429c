"""The API's root: who asks, and what they may do."""

from __future__ import annotations

import msgspec

from tracer.kit.context import Req
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


@routes.get(
    "/api/0/",
    can=Permission.PUBLIC,
    doc=Operation("Who asks, and what they may do", returns=Root, errors=(401,), tag="Root"),
)
def root(req: Req) -> Response:
    actor = req.actor
    if actor.is_anonymous:
        return json(Root("0", None, None))
    user = None
    if actor.user_id is not None:
        user = UserInfo(str(actor.user_id), actor.email, actor.name, actor.email)
    return json(Root("0", AuthInfo(scopes(req)), user))


def scopes(req: Req) -> list[str]:
    """The scopes that the actor holds, sorted."""
    return sorted(scope.value for scope in req.actor.permissions & SCOPES)
