"""Who may do what: the permissions a route can ask for and what each role grants.

Names are the scopes of Sentry, so that a token means what its users expect.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """What `can=` of a route names. The first three are no scopes: no token can carry them."""

    PUBLIC = "public"
    PROJECT_KEY = "project_key"
    LOGGED_IN = "logged_in"

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
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"


P = Permission

SCOPES: frozenset[Permission] = frozenset(P) - {P.PUBLIC, P.PROJECT_KEY, P.LOGGED_IN}

_VIEWER = {P.EVENT_READ, P.PROJECT_READ, P.TEAM_READ, P.MEMBER_READ, P.ORG_READ, P.ALERTS_READ}
_MEMBER = _VIEWER | {P.EVENT_WRITE, P.EVENT_ADMIN, P.PROJECT_RELEASES, P.ALERTS_WRITE}
_ADMIN = _MEMBER | {P.PROJECT_WRITE, P.PROJECT_ADMIN, P.TEAM_WRITE, P.TEAM_ADMIN}
_MANAGER = _ADMIN | {P.MEMBER_WRITE, P.MEMBER_ADMIN, P.ORG_WRITE}
_OWNER = _MANAGER | {P.ORG_ADMIN}

ROLE_GRANTS: dict[str, frozenset[Permission]] = {
    "viewer": frozenset(_VIEWER),
    "member": frozenset(_MEMBER),
    "admin": frozenset(_ADMIN),
    "manager": frozenset(_MANAGER),
    "owner": frozenset(_OWNER),
}

# A scope holds the weaker ones of its kind, as in Sentry.
_IMPLIED = {
    scope: frozenset(
        P(f"{scope.split(':')[0]}:{weaker}")
        for weaker in {"admin": ("write", "read"), "write": ("read",)}.get(scope.split(":")[1], ())
    )
    for scope in SCOPES
}


def granted(role: str, scopes: Iterable[str] | None = None) -> frozenset[Permission]:
    """What a member with `role` may do; with a token, only what its `scopes` name as well.

    An unknown role or scope grants nothing.
    """
    held = ROLE_GRANTS.get(role, frozenset())
    if scopes is None:
        return held
    named = {P(scope) for scope in scopes if scope in SCOPES}
    return held & named.union(*(_IMPLIED[scope] for scope in named))
