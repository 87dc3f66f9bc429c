"""Who may do what: the permissions a route can ask for and what each role grants.

Names are the scopes of Sentry, so that a token means what its users expect.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """What `can=` of a route names. The first four are no scopes: no token can carry them.

    LOGGED_IN is anybody with an account here, about the own account; SERVER_ADMIN is about what
    all organizations of this server share.
    """

    PUBLIC = "public"
    PROJECT_KEY = "project_key"
    LOGGED_IN = "logged_in"
    SERVER_ADMIN = "server_admin"

    EVENT_READ = "event:read"
    EVENT_WRITE = "event:write"
    EVENT_ADMIN = "event:admin"
    PROJECT_READ = "project:read"
    PROJECT_WRITE = "project:write"
    PROJECT_ADMIN = "project:admin"
    PROJECT_RELEASES = "project:releases"
    TEAM_READ = "team:read"
    TEAM_WRITE = "team:write"
    TEAM_ADMIN = "team:admin"
    MEMBER_READ = "member:read"
    MEMBER_WRITE = "member:write"
    MEMBER_ADMIN = "member:admin"
    ORG_READ = "org:read"
    ORG_WRITE = "org:write"
    ORG_ADMIN = "org:admin"
    ORG_INTEGRATIONS = "org:integrations"
    ORG_CI = "org:ci"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"


P = Permission

SCOPES: frozenset[Permission] = frozenset(P) - {
    P.PUBLIC,
    P.PROJECT_KEY,
    P.LOGGED_IN,
    P.SERVER_ADMIN,
}

_VIEWER = {P.EVENT_READ, P.PROJECT_READ, P.TEAM_READ, P.MEMBER_READ, P.ORG_READ, P.ALERTS_READ}
_MEMBER = _VIEWER | {
    P.EVENT_WRITE,
    P.EVENT_ADMIN,
    P.PROJECT_RELEASES,
    P.ALERTS_WRITE,
    P.ORG_CI,
}
_ADMIN = _MEMBER | {P.PROJECT_WRITE, P.PROJECT_ADMIN, P.TEAM_WRITE, P.TEAM_ADMIN}
_MANAGER = _ADMIN | {P.MEMBER_WRITE, P.MEMBER_ADMIN, P.ORG_WRITE, P.ORG_INTEGRATIONS}
_OWNER = _MANAGER | {P.ORG_ADMIN}

ROLE_GRANTS: dict[str, frozenset[Permission]] = {
    "viewer": frozenset(_VIEWER),
    "member": frozenset(_MEMBER),
    "admin": frozenset(_ADMIN),
    "manager": frozenset(_MANAGER),
    "owner": frozenset(_OWNER),
    # An organization's own token, for machines: nothing about people.
    "organization": frozenset(_ADMIN - {P.TEAM_WRITE, P.TEAM_ADMIN}),
}

#: Roles that administer something: whom "required for admins" means.
ADMINS = frozenset({"owner", "manager", "admin"})

#: What a role in a team adds on that team and its projects.
TEAM_GRANTS: dict[str, frozenset[Permission]] = {
    "lead": frozenset({P.PROJECT_WRITE, P.PROJECT_ADMIN, P.TEAM_WRITE}),
    "contributor": frozenset(),
}

#: Permissions that are asked of a team, where one is named.
OF_TEAMS: frozenset[Permission] = frozenset({P.TEAM_READ, P.TEAM_WRITE, P.TEAM_ADMIN})

#: Permissions to change who may do what: the narrower address list of an organization holds here.
ADMINISTRATION: frozenset[Permission] = frozenset(
    {P.MEMBER_WRITE, P.MEMBER_ADMIN, P.TEAM_ADMIN, P.ORG_WRITE, P.ORG_ADMIN, P.ORG_INTEGRATIONS}
)

# A scope holds the weaker ones of its kind, as in Sentry; that of builds what they are made for.
_IMPLIED = {
    scope: frozenset(
        P(f"{scope.split(':')[0]}:{weaker}")
        for weaker in {"admin": ("write", "read"), "write": ("read",)}.get(scope.split(":")[1], ())
    )
    for scope in SCOPES
} | {P.ORG_CI: frozenset({P.PROJECT_RELEASES})}


#: A permission and those that hold it: whoever may not read, may not write either.
WITH_STRONGER: dict[Permission, frozenset[Permission]] = {
    scope: frozenset({scope} | {other for other in SCOPES if scope in _IMPLIED[other]})
    for scope in SCOPES
}


def granted(role: str, scopes: Iterable[str] | None = None) -> frozenset[Permission]:
    """What a member with `role` may do; with a token, only what its `scopes` name as well.

    An unknown role or scope grants nothing.
    """
    held = ROLE_GRANTS.get(role, frozenset())
    return held if scopes is None else held & named(scopes)


def named(scopes: Iterable[str]) -> frozenset[Permission]:
    """The permissions that scopes stand for, the weaker ones of each kind included."""
    found = {P(scope) for scope in scopes if scope in SCOPES}
    return frozenset(found.union(*(_IMPLIED[scope] for scope in found)))
