"""What stands in the placeholders of paths, and what should be answered to whom.

A new placeholder gets one line in PLACES, or in AT where its name means something else below one
path. The expected answer comes from what a route declares and from the tables of permissions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from security.door import Answer
from security.world import Things, Visitor
from tracer.kit.permissions import TEAM_GRANTS, Permission, granted, named
from tracer.kit.routes import Route

Bound = Literal["project", "organization", "person", "nothing"]


@dataclass(frozen=True)
class Place:
    """The value of a placeholder in an organization, what it belongs to, and a value that is not
    there at all. `person`: to the organization's owner alone."""

    of: Callable[[Things], Any]
    bound: Bound
    missing: Any = 999_999_999


def kept(name: str) -> Callable[[Things], Any]:
    """A value that the world keeps by name."""
    return lambda things: things.values[name]


#: placeholder -> its value
PLACES: dict[str, Place] = {
    "organization_slug": Place(lambda t: t.organization, "organization", "no-such-thing"),
    "project_slug": Place(lambda t: t.project.slug, "project", "no-such-thing"),
    "project_id": Place(lambda t: t.project.id, "project"),
    "slug": Place(lambda t: t.project.slug, "project", "no-such-thing"),
    "issue_id": Place(kept("issue_id"), "project"),
    "event_id": Place(kept("event_id"), "project", "f" * 32),
    "comment_id": Place(kept("comment_id"), "project"),
    "attachment_id": Place(kept("attachment_id"), "project"),
    "feedback_id": Place(kept("feedback_id"), "project"),
    "discard_id": Place(kept("discard_id"), "project"),
    "filter_id": Place(lambda t: "localhost", "nothing", "no-such-filter"),
    "letter_id": Place(kept("letter_id"), "project"),
    "quota_id": Place(kept("quota_id"), "project"),
    "key_id": Place(kept("key_id"), "project"),
    "key": Place(lambda t: "level", "nothing", "no-such-tag"),
    "platform_id": Place(lambda t: "python-django", "nothing", "no-such-platform"),
    "signal": Place(lambda t: "traces", "nothing", "no-such-signal"),
    "token": Place(lambda t: "0" * 43, "nothing", "1" * 43),
    "secret": Place(lambda t: "0" * 43, "nothing", "1" * 43),
    "token_id": Place(kept("token_id"), "person"),
    "ref": Place(kept("login_ref"), "person", "f" * 64),
    "factor_id": Place(kept("factor_id"), "person"),
    "user_id": Place(kept("member_id"), "organization"),
    "member_id": Place(kept("member_id"), "organization"),
    "invitation_id": Place(kept("invitation_id"), "organization"),
    "organization_id": Place(lambda t: t.organization_id, "organization"),
    "policy_id": Place(kept("policy_id"), "organization"),
    "team_slug": Place(lambda t: t.team, "organization", "no-such-team"),
}

#: (beginning of the path, placeholder) -> its value there
AT: dict[tuple[str, str], Place] = {
    ("/api/0/projects/{organization_slug}/{project_slug}/keys/", "key_id"): Place(
        kept("public_key"), "project", "f" * 32
    ),
    ("/teams/", "slug"): Place(lambda t: t.team, "organization", "no-such-team"),
    ("/join/", "slug"): Place(lambda t: t.organization, "nothing", "no-such-organization"),
    ("/account/security/devices/", "ref"): Place(kept("device_ref"), "person", "f" * 64),
    ("/settings/server/errors/", "event_id"): Place(lambda t: "0" * 32, "nothing", "1" * 32),
    ("/settings/server/tasks/", "task_id"): Place(lambda t: 1, "nothing"),
    ("/settings/tokens/", "token_id"): Place(kept("organization_token_id"), "organization"),
    ("/api/0/organizations/", "token_id"): Place(kept("organization_token_id"), "organization"),
    ("/settings/quotas/", "quota_id"): Place(kept("organization_quota_id"), "organization"),
    ("/api/0/organizations/", "quota_id"): Place(kept("organization_quota_id"), "organization"),
}

_PLACEHOLDER = re.compile(r"\{(\w+)(?::\w+)?\}")


def places(path: str) -> dict[str, Place]:
    """The places of a path; KeyError names one that nobody knows how to fill."""
    found = {}
    for name in _PLACEHOLDER.findall(path):
        at = [place for (start, key), place in AT.items() if key == name and path.startswith(start)]
        found[name] = at[0] if at else PLACES[name]
    return found


def address(path: str, values: Mapping[str, Any]) -> str:
    """The path with values in its places."""
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), path)


def address_in(path: str, things: Things) -> str:
    """The path to an organization's things."""
    return address(path, {name: place.of(things) for name, place in places(path).items()})


# What is answered ------------------------------------------------------------------------------

UNKNOWN, FORBIDDEN, MISSING, LET_IN = "unknown", "forbidden", "missing", "let in"


def outcome(answer: Answer) -> str:
    """How the guard's decision shows: what a handler makes of the request is its own affair."""
    to_login = answer.status == 303 and answer.header("location").startswith("/login?")
    if answer.status == 401 or to_login or answer.header("location") == "/login":
        return UNKNOWN
    if answer.status in (403, 404):
        return FORBIDDEN if answer.status == 403 else MISSING
    return LET_IN if answer.status < 500 else f"broken: {answer.status}"


def expected(route: Route, visitor: Visitor, things: Things) -> set[str]:
    """The answers that the declarations allow for things of one organization."""
    if visitor.is_refused:
        return {UNKNOWN}
    if route.can is Permission.PUBLIC:
        return {LET_IN, MISSING, UNKNOWN}  # a secret in the path, or to the login from there
    if not visitor.is_known:
        return {UNKNOWN}
    bounds = {place.bound for place in places(route.path).values()}
    if route.can is Permission.LOGGED_IN:
        return _own(visitor, things, bounds)
    if route.can is Permission.SERVER_ADMIN:
        return {LET_IN} if visitor.is_server_admin else {FORBIDDEN}
    if route.load is None:
        return {LET_IN} if _somewhere(visitor, route.can) else {FORBIDDEN}
    if visitor.organization != things.organization and bounds & {"organization", "project"}:
        return {MISSING}
    if "project" in bounds and things.project.id not in visitor.sees:
        return {MISSING}
    # The lead of a team is the one of its project here.
    is_led = "project" in bounds or names_team(route)
    on_project = things.project.id if is_led else None
    return {LET_IN} if may(visitor, route.can, on_project) else {FORBIDDEN}


def names_team(route: Route) -> bool:
    """Whether the path is that of one team."""
    return route.path.startswith("/teams/{slug}/") or "{team_slug}" in route.path


def may(visitor: Visitor, permission: Permission, project_id: int | None = None) -> bool:
    """Whether the tables of permissions grant it: by the role, or by leading the project's team."""
    if permission in granted(visitor.role, visitor.scopes):
        return True
    return project_id in visitor.leads and permission in _of_lead(visitor)


def _somewhere(visitor: Visitor, permission: Permission) -> bool:
    leads = bool(visitor.leads) and permission in _of_lead(visitor)
    return leads or permission in granted(visitor.role, visitor.scopes)


def _of_lead(visitor: Visitor) -> frozenset[Permission]:
    grants = TEAM_GRANTS["lead"]
    return grants if visitor.scopes is None else grants & named(visitor.scopes)


def _own(visitor: Visitor, things: Things, bounds: set[Bound]) -> set[str]:
    """One's own account is for logins; what is somebody else's is not there."""
    if visitor.scopes is not None:
        return {LET_IN, FORBIDDEN} if bounds <= {"nothing"} else {FORBIDDEN, MISSING}
    if "organization" in bounds and visitor.organization != things.organization:
        return {MISSING}
    if "person" in bounds and visitor.user_id != things.user_id:
        return {MISSING}
    return {LET_IN}
