"""For somebody who cannot log in any more: an administrator makes a link to replace a lost
password, or removes lost second factors. Either is told by mail to the account's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import actions, queries
from tracer.accounts.factors import actions as factor_actions
from tracer.accounts.factors import queries as factor_queries
from tracer.accounts.model import ADMIN_RESET_AGE_MS, Member, User
from tracer.errors import Forbidden, NotFound
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

if TYPE_CHECKING:
    from tracer.kit.context import Reach, Req
    from tracer.storage.meta import Reader

routes = Routes()

_HOUR_MS = 3_600_000
_MEMBER = "/members/{user_id:int}/"
_ACCOUNT = "/settings/accounts/{user_id:int}/"


def _member(reader: Reader, reach: Reach, user_id: int) -> Member | None:
    return queries.member_in_reach(reader, reach, user_id)


def _anybody(reader: Reader, _reach: Reach, user_id: int) -> User | None:
    return queries.user(reader, user_id)


@routes.post(_MEMBER + "reset-link", can=Permission.ORG_ADMIN, load=_member, step_up=True)
def make_link_for_member(req: Req, member: Member) -> Response:
    return _make_link(req, _own(req, member))


@routes.post(_ACCOUNT + "reset-link", can=Permission.SERVER_ADMIN, load=_anybody, step_up=True)
def make_link(req: Req, user: User) -> Response:
    return _make_link(req, user)


@routes.post(_MEMBER + "reset-second-factor", can=Permission.ORG_ADMIN, load=_member, step_up=True)
def reset_factors_of_member(req: Req, member: Member) -> Response:
    return _reset_factors(req, _own(req, member))


@routes.post(
    _ACCOUNT + "reset-second-factor", can=Permission.SERVER_ADMIN, load=_anybody, step_up=True
)
def reset_factors(req: Req, user: User) -> Response:
    return _reset_factors(req, user)


def _own(req: Req, member: Member) -> User:
    """The member's account, if it opens nothing but this organization: who chooses its password or
    removes its factors has all that it opens."""
    reader = req.meta.read()
    user = queries.user(reader, member.user_id)
    if user is None:
        raise NotFound("The requested resource does not exist")
    if not queries.belongs_here_alone(reader, user.id, req.reach.organization_id):
        raise Forbidden(
            "This account also belongs to another organization or administers the server. "
            "Only an administrator of the server can do this."
        )
    return user


def _make_link(req: Req, user: User) -> Response:
    """The link, shown once: it is in no address, cookie or log."""
    with req.meta.write() as tx:
        secret = actions.create_password_link(
            tx, user, age_ms=ADMIN_RESET_AGE_MS, created_by=req.actor.user_id, by="page"
        )
    answer = page(
        req,
        "accounts/reset_link.html",
        status=201,
        user=user,
        link=f"{req.base_url}/reset/{secret}",
        hours=ADMIN_RESET_AGE_MS // _HOUR_MS,
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _reset_factors(req: Req, user: User) -> Response:
    reader = req.meta.read()
    is_here = queries.member_in_reach(reader, req.reach, user.id) is not None
    back = f"/members/{user.id}/" if is_here else "/members/"
    if not factor_queries.has_factor(reader, user.id):
        flash(req, f"{user.email} has no second factor.", "error")
        return redirect(back)
    with req.meta.write() as tx:
        factor_actions.reset_factors(tx, req.tracer.vault, user.id)
    flash(req, f"{user.email} has no second factor any more and is logged out everywhere.")
    return redirect(back)
