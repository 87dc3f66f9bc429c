"""Who belongs to the organization: roles, removal, invitations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import actions, letters, queries
from tracer.accounts.factors.queries import has_factor, with_factor
from tracer.accounts.membership import Invitation, grantable
from tracer.accounts.model import Member, check_email, one_line
from tracer.accounts.pages.suggestions import OFFERED
from tracer.errors import Conflict, Forbidden, Invalid
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.forms import Form
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

routes = Routes()

PAGE = 50
TEAMS_MAX = 50


@routes.get("/members/", can=Permission.MEMBER_READ)
def index(req: Req) -> Response:
    return _page(req, Checked(Form([])))


@routes.get("/members/{user_id:int}/", can=Permission.MEMBER_READ, load=queries.member_in_reach)
def show(req: Req, member: Member) -> Response:
    found = queries.member_teams(req.meta.read(), req.reach.organization_id, [member.user_id])
    roles = grantable(req.actor.role)
    return page(
        req,
        "accounts/member.html",
        member=member,
        teams=[
            (slug, role) if role == "lead" else (slug,)
            for slug, role in found.get(member.user_id, [])
        ],
        has_factor=has_factor(req.meta.read(), member.user_id),
        may_change=member.role in roles,
        role_options=[(one, one.capitalize()) for one in roles],
    )


@routes.post(
    "/members/{user_id:int}/role",
    can=Permission.MEMBER_WRITE,
    load=queries.member_in_reach,
    step_up=True,
)
def set_role(req: Req, member: Member) -> Response:
    role = req.form.get("role")
    with req.meta.write() as tx:
        actions.set_role(tx, req.reach.organization_id, member, role, by=req.actor.role)
    flash(req, f"{member.email} is now {role}.")
    return redirect(f"/members/{member.user_id}/")


@routes.post(
    "/members/{user_id:int}/remove",
    can=Permission.MEMBER_ADMIN,
    load=queries.member_in_reach,
    step_up=True,
)
def remove(req: Req, member: Member) -> Response:
    with req.meta.write() as tx:
        actions.remove_member(tx, req.reach.organization_id, member, by=req.actor.role)
    flash(req, f"{member.email} is no member any more.")
    return redirect("/members/")


@routes.post("/members/invitations", can=Permission.MEMBER_WRITE)
def invite(req: Req) -> Response:
    form = Checked(req.form)
    email = form.read("email", check_email, "")
    nowhere: tuple[int, ...] = ()
    team_ids = form.read("teams", lambda text: _teams(req, text), nowhere)
    if not form:
        return _page(req, form, status=422)
    try:
        with req.meta.write() as tx:
            invitation_id, secret = actions.invite(
                tx,
                req.reach.organization_id,
                email,
                req.form.get("role", "member"),
                team_ids,
                by=req.actor.role,
                invited_by=req.actor.user_id,
            )
            mailed = _mail(tx, req, invitation_id, secret)
    except (Conflict, Invalid, Forbidden) as error:
        form.errors["email"] = error.detail
        return _page(req, form, status=error.status if error.status != 400 else 422)
    return _invited(req, email, secret, mailed=mailed)


@routes.post(
    "/members/invitations/{invitation_id:int}/renew",
    can=Permission.MEMBER_WRITE,
    load=queries.invitation,
)
def renew(req: Req, invitation: Invitation) -> Response:
    with req.meta.write() as tx:
        secret = actions.renew_invitation(tx, invitation, by=req.actor.role)
        mailed = _mail(tx, req, invitation.id, secret)
    return _invited(req, invitation.email, secret, mailed=mailed)


@routes.post(
    "/members/invitations/{invitation_id:int}/revoke",
    can=Permission.MEMBER_WRITE,
    load=queries.invitation,
)
def revoke(req: Req, invitation: Invitation) -> Response:
    with req.meta.write() as tx:
        actions.revoke_invitation(tx, invitation, by=req.actor.role)
    flash(req, f"The invitation of {invitation.email} is revoked.")
    return redirect("/members/")


def _teams(req: Req, text: str) -> tuple[int, ...]:
    """The ids of teams named by their slugs, with commas or blanks between them."""
    found = {}
    for slug in dict.fromkeys(re.split(r"[\s,;]+", text.strip().lower())):
        team = queries.team(req.meta.read(), req.reach, slug) if slug else None
        if slug and team is None:
            raise Invalid(f"There is no team called {one_line(slug)[:50]}.")
        if team is not None:
            found[team.id] = team
    if len(found) > TEAMS_MAX:
        raise Invalid(f"Choose at most {TEAMS_MAX} teams.")
    return tuple(found)


def _mail(tx: Tx, req: Req, invitation_id: int, secret: str) -> bool:
    found = queries.invitation(tx, req.reach, invitation_id)
    return found is not None and letters.invite(tx, req.tracer, found, _link(req, secret))


def _link(req: Req, secret: str) -> str:
    return f"{req.base_url}/invitations/{secret}"


def _invited(req: Req, email: str, secret: str, *, mailed: bool) -> Response:
    """Where no mail was sent, the link to copy: in this answer only, in no cookie or log."""
    if mailed:
        flash(req, f"The invitation is on its way to {email}.")
        return redirect("/members/")
    form = Checked(Form([]))
    answer = _page(req, form, link=_link(req, secret), invited=email, status=201)
    answer.headers["cache-control"] = "no-store"
    return answer


def _page(
    req: Req, form: Checked, *, link: str = "", invited: str = "", status: int = 200
) -> Response:
    reader, organization_id = req.meta.read(), req.reach.organization_id
    text = req.query.text("query", max=200)
    role = req.query.get("role") if req.query.get("role") in grantable("owner") else ""
    number = req.query.int("page", 1, min=1, max=10_000)
    count = queries.count_members(reader, organization_id, text=text, role=role)
    shown = queries.members_page(
        reader, organization_id, text=text, role=role, limit=PAGE, offset=(number - 1) * PAGE
    )
    return page(
        req,
        "accounts/members.html",
        status=status,
        organization=queries.organization(reader, req.reach),
        members=shown,
        with_factor=with_factor(reader, [one.user_id for one in shown]),
        member_teams=queries.member_teams(reader, organization_id, [one.user_id for one in shown]),
        count=count,
        number=number,
        is_last=number * PAGE >= count,
        text=text,
        role=role,
        form=form,
        grantable=grantable(req.actor.role),
        role_options=[(one, one.capitalize()) for one in grantable(req.actor.role)],
        invitations=queries.invitations(reader, organization_id)
        if req.actor.can(Permission.MEMBER_WRITE)
        else [],
        teams=queries.teams(reader, organization_id, limit=OFFERED)
        if req.actor.can(Permission.MEMBER_WRITE)
        else [],
        now_ms=clock.now_ms(),
        link=link,
        invited=invited,
    )
