"""Members and invitations in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import actions, letters, queries
from tracer.accounts.api.shapes import (
    MemberInfo,
    MemberInvite,
    MemberUpdate,
    invited_info,
    member_info,
)
from tracer.accounts.membership import Invitation
from tracer.accounts.model import Member, Organization
from tracer.errors import NotFound
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor, link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Param, Routes

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader, Tx

routes = Routes()

PAGE = 100
_ROOT = "/api/0/organizations/{organization_slug}/members/"
_ONE = _ROOT + "{member_id}/"


def member_of(
    reader: Reader, reach: Reach, organization_slug: str, member_id: str
) -> Member | Invitation | None:
    """A member by user id, `me` not included, or a pending one by `i` and the invitation's id."""
    if queries.organization_by_slug(reader, reach, organization_slug) is None:
        return None
    number = member_id.removeprefix("i")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    if number != member_id:
        return queries.invitation(reader, reach, int(number))
    return queries.member_in_reach(reader, reach, int(number))


@routes.get(
    _ROOT,
    can=Permission.MEMBER_READ,
    load=queries.organization_by_slug,
    doc=Operation(
        "List an organization's members",
        description="Pending members are on the first page, before the others.",
        query=(Param("query", "Only members whose name or e-mail address contains this."),),
        returns=list[MemberInfo],
        errors=(400, 401, 403, 404),
        tag="Members",
        paged=True,
    ),
)
def list_members(req: Req, organization: Organization) -> Response:
    reader = req.meta.read()
    offset = decode_cursor(req.query.get("cursor"), int) or 0
    offset = min(max(offset, 0), 1_000_000)
    text = req.query.text("query", max=200)
    found = queries.members_page(reader, organization.id, text=text, limit=PAGE + 1, offset=offset)
    shown = found[:PAGE]
    teams = queries.member_teams(reader, organization.id, [one.user_id for one in shown])
    pending = [] if offset or text else queries.invitations(reader, organization.id)
    return json(
        [invited_info(one) for one in pending]
        + [member_info(one, teams.get(one.user_id, [])) for one in shown],
        headers=link_header(
            req,
            previous=encode_cursor(max(0, offset - PAGE)) if offset else None,
            next=encode_cursor(offset + PAGE) if len(found) > PAGE else None,
        ),
    )


@routes.post(
    _ROOT,
    can=Permission.MEMBER_WRITE,
    load=queries.organization_by_slug,
    doc=Operation(
        "Invite somebody to an organization",
        description="Sends a mail. Without a mail server, `inviteLink` is to be handed over.",
        body=MemberInvite,
        returns=MemberInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Members",
    ),
)
def invite(req: Req, organization: Organization) -> Response:
    wanted = req.decode(MemberInvite)
    with req.meta.write() as tx:
        team_ids = []
        for slug in wanted.teams:
            team = queries.team(tx, req.reach, slug)
            if team is None:
                raise NotFound(f"There is no team called {slug[:50]}.")
            team_ids.append(team.id)
        invitation_id, secret = actions.invite(
            tx,
            organization.id,
            wanted.email,
            wanted.org_role or wanted.role or "member",
            team_ids,
            by=req.actor.role,
            invited_by=req.actor.user_id,
        )
        return _told(tx, req, invitation_id, secret, status=201)


@routes.get(
    _ONE,
    can=Permission.MEMBER_READ,
    load=member_of,
    doc=Operation("Retrieve a member", returns=MemberInfo, errors=(401, 403, 404), tag="Members"),
)
def one(req: Req, member: Member | Invitation) -> Response:
    return json(_info(req, member))


@routes.put(
    _ONE,
    can=Permission.MEMBER_WRITE,
    load=member_of,
    step_up=True,
    doc=Operation(
        "Change the role of a member or of somebody invited, or renew an invitation",
        body=MemberUpdate,
        returns=MemberInfo,
        errors=(400, 401, 403, 404, 409),
        tag="Members",
    ),
)
def update(req: Req, member: Member | Invitation) -> Response:
    wanted = req.decode(MemberUpdate)
    role = wanted.org_role or wanted.role
    with req.meta.write() as tx:
        if isinstance(member, Invitation):
            if role is not None:
                actions.set_invited_role(tx, member, role, by=req.actor.role)
            if wanted.reinvite:
                secret = actions.renew_invitation(tx, member, by=req.actor.role)
                return _told(tx, req, member.id, secret, status=200)
        elif role is not None:
            actions.set_role(tx, req.reach.organization_id, member, role, by=req.actor.role)
    return json(_info(req, _again(req, member)))


@routes.delete(
    _ONE,
    can=Permission.MEMBER_ADMIN,
    load=member_of,
    step_up=True,
    doc=Operation(
        "Remove a member, or revoke an invitation",
        description="Access, logins and personal tokens in the organization end at once.",
        status=204,
        errors=(401, 403, 404, 409),
        tag="Members",
    ),
)
def remove(req: Req, member: Member | Invitation) -> Response:
    with req.meta.write() as tx:
        if isinstance(member, Invitation):
            actions.revoke_invitation(tx, member, by=req.actor.role)
        else:
            actions.remove_member(tx, req.reach.organization_id, member, by=req.actor.role)
    return empty()


def _told(tx: Tx, req: Req, invitation_id: int, secret: str, *, status: int) -> Response:
    found = queries.invitation(tx, req.reach, invitation_id)
    assert found is not None
    link = f"{req.base_url}/invitations/{secret}"
    mailed = letters.invite(tx, req.tracer, found, link)
    return json(
        invited_info(found, None if mailed else link),
        status=status,
        headers={"cache-control": "no-store"},
    )


def _again(req: Req, member: Member | Invitation) -> Member | Invitation:
    """As it is now; as it was, should it have gone meanwhile."""
    reader = req.meta.read()
    if isinstance(member, Invitation):
        return queries.invitation(reader, req.reach, member.id) or member
    return queries.member_in_reach(reader, req.reach, member.user_id) or member


def _info(req: Req, member: Member | Invitation) -> MemberInfo:
    if isinstance(member, Invitation):
        return invited_info(member)
    teams = queries.member_teams(req.meta.read(), req.reach.organization_id, [member.user_id])
    return member_info(member, teams.get(member.user_id, []))
