"""What the API of members and teams takes and gives, as Sentry shapes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tracer import clock
from tracer.accounts.membership import (
    DOMAIN_PATTERN,
    DOMAINS_MAX,
    Invitation,
    Team,
    TeamMember,
)
from tracer.accounts.model import EMAIL_MAX, NAME_MAX, SLUG_MAX, SLUG_PATTERN, Member

Role = Literal["owner", "manager", "admin", "member", "viewer"]
TeamRole = Literal["lead", "contributor"]
SecondFactor = Literal["optional", "admins", "everyone"]
JoinRole = Literal["viewer", "member"]
Domains = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=3, max_length=253, pattern=DOMAIN_PATTERN)]],
    msgspec.Meta(max_length=DOMAINS_MAX),
]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=EMAIL_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX, pattern=r"\S")]
Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=SLUG_MAX, pattern=SLUG_PATTERN)]
Slugs = Annotated[list[str], msgspec.Meta(max_length=200)]


class MemberUser(msgspec.Struct, rename="camel"):
    """The account of a member."""

    id: str
    email: str
    name: str
    username: str
    last_login: datetime | None


class MemberInfo(msgspec.Struct, rename="camel"):
    """A member, or somebody who is invited: `pending`, with an id that begins with `i`."""

    id: str
    email: str
    name: str
    user: MemberUser | None
    org_role: str
    role: str
    pending: bool
    expired: bool
    date_created: datetime
    teams: list[str]
    team_roles: list[dict[str, str]]
    invite_link: str | None = None


class MemberInvite(msgspec.Struct, rename="camel"):
    """Whom to invite as what. `org_role` or, as older clients name it, `role`."""

    email: Email
    org_role: Role | None = None
    role: Role | None = None
    teams: Slugs = []


class MemberUpdate(msgspec.Struct, rename="camel"):
    """The new role; `reinvite` makes a new link for somebody who is invited."""

    org_role: Role | None = None
    role: Role | None = None
    reinvite: bool = False


class TeamInfo(msgspec.Struct, rename="camel"):
    """A team."""

    id: str
    slug: str
    name: str
    date_created: datetime
    is_member: bool
    team_role: str | None
    member_count: int
    has_access: bool


class TeamCreate(msgspec.Struct):
    """A new team: its name, its slug, or both."""

    name: Name | None = None
    slug: Slug | None = None


class TeamUpdate(msgspec.Struct):
    """What to change of a team."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    slug: Slug | msgspec.UnsetType = msgspec.UNSET


class TeamRoleUpdate(msgspec.Struct, rename="camel"):
    """The role in the team."""

    team_role: TeamRole = "contributor"


class OrganizationUpdate(msgspec.Struct, rename="camel"):
    """What to change of an organization. `require2FA`, as in Sentry, asks everyone for a second
    factor or nobody; `second_factor` knows "admins" as well."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    slug: Slug | msgspec.UnsetType = msgspec.UNSET
    open_membership: bool | msgspec.UnsetType = msgspec.UNSET
    require_2fa: bool | msgspec.UnsetType = msgspec.field(name="require2FA", default=msgspec.UNSET)
    second_factor: SecondFactor | msgspec.UnsetType = msgspec.UNSET
    join_domains: Domains | msgspec.UnsetType = msgspec.UNSET
    join_role: JoinRole | msgspec.UnsetType = msgspec.UNSET


class TeamMemberInfo(msgspec.Struct, rename="camel"):
    """Somebody in a team."""

    id: str
    email: str
    name: str
    team_role: str


class TeamProject(msgspec.Struct):
    """A project of a team."""

    id: str
    slug: str
    name: str
    platform: str


def member_info(member: Member, teams: list[tuple[str, str]]) -> MemberInfo:
    """A member with the teams (slug, role)."""
    login = None if member.login_at is None else clock.from_ms(member.login_at)
    name = member.name or member.email
    return MemberInfo(
        id=str(member.user_id),
        email=member.email,
        name=name,
        user=MemberUser(str(member.user_id), member.email, name, member.email, login),
        org_role=member.role,
        role=member.role,
        pending=False,
        expired=False,
        date_created=clock.from_ms(member.created_at),
        teams=[slug for slug, _ in teams],
        team_roles=[{"teamSlug": slug, "role": role} for slug, role in teams],
    )


def invited_info(invitation: Invitation, link: str | None = None) -> MemberInfo:
    """Somebody who is invited."""
    return MemberInfo(
        id=f"i{invitation.id}",
        email=invitation.email,
        name=invitation.email,
        user=None,
        org_role=invitation.role,
        role=invitation.role,
        pending=True,
        expired=invitation.is_over(clock.now_ms()),
        date_created=clock.from_ms(invitation.created_at),
        teams=[],
        team_roles=[],
        invite_link=link,
    )


def team_info(team: Team, role: str | None, *, has_access: bool) -> TeamInfo:
    """A team as its reader sees it; `role` is the reader's own in it."""
    return TeamInfo(
        id=str(team.id),
        slug=team.slug,
        name=team.name,
        date_created=clock.from_ms(team.created_at),
        is_member=role is not None,
        team_role=role,
        member_count=team.members,
        has_access=has_access,
    )


def team_member_info(member: TeamMember) -> TeamMemberInfo:
    """Somebody in a team."""
    return TeamMemberInfo(str(member.user_id), member.email, member.name, member.role)
