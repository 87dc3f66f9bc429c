"""Every route and API method of the application, as everybody who may come to the door.

What is expected comes from the route's own declaration and the tables of permissions.
"""

from __future__ import annotations

import pytest

from security.places import (
    FORBIDDEN,
    LET_IN,
    address_in,
    expected,
    may,
    outcome,
    places,
)
from security.world import Things, Visitor, World
from tracer.app import build
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.permissions import Permission
from tracer.kit.routes import Route
from tracer.settings import Settings

TABLE = build(Settings()).table

COMMENT = "/comments/{comment_id:int}/"
TOKENS = ("/settings/tokens/", "/api/0/organizations/{organization_slug}/org-auth-tokens/")
#: Routes without an object that concern the whole organization.
EVERYWHERE = (
    "POST /teams/",
    "GET /projects/new",
    "POST /projects/new",
    "GET /settings/dead-letters/",
    "POST /settings/dead-letters/replay",
    "POST /settings/dead-letters/discard",
    "POST /settings/dead-letters/export",
)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", TABLE.routes, ids=name)
def test_route_lets_in_whom_its_declaration_lets_in(world: World, route: Route) -> None:
    target = address_in(route.path, world.acme)
    wrong: list[str] = []
    for visitor in world.visitors.values():
        answer = world.ask(visitor, route.method, target, **body_of(route))
        wanted = expected(route, visitor, world.acme)
        if wanted == {LET_IN} and is_refused_by_handler(route, visitor, world.acme):
            wanted = {FORBIDDEN}
        if (found := outcome(answer)) not in wanted:
            wrong.append(f"{visitor.name}: {found}, not {' or '.join(sorted(wanted))}")
        if route.method not in SAFE_METHODS and answer.status < 400:
            world.restore()
    assert not wrong, "; ".join(wrong)


#: Bodies of handlers that look closer only at what they can read: path ending -> JSON.
BODIES: dict[str, object] = {"/comments/{comment_id:int}/": {"text": "Changed"}}


def body_of(route: Route) -> dict[str, object]:
    """A body that is read without complaint; what it lacks is the handler's affair."""
    if route.method in SAFE_METHODS or route.method == "DELETE":
        return {}
    known = [body for ending, body in BODIES.items() if route.path.endswith(ending)]
    return {"json": known[0] if known else {}} if route.is_api else {"form": {}}


def is_refused_by_handler(route: Route, visitor: Visitor, things: Things) -> bool:
    """Handlers that look closer than their declaration can say."""
    key = name(route)
    if route.path.endswith(COMMENT):
        return visitor.user_id != things.user_id  # only its author may change a comment
    if route.path.startswith(TOKENS) and key != "GET /settings/tokens/":
        return visitor.scopes is not None  # no token makes, sees or ends others
    if route.can is Permission.PROJECT_WRITE and route.path.startswith("/projects/{slug}/teams/"):
        return not may(visitor, Permission.TEAM_WRITE, things.project.id)  # of the team as well
    if key == "POST /projects/{slug}/teams/{team_slug}/remove":
        return not may(visitor, Permission.TEAM_WRITE, things.project.id)  # of both sides
    if key in EVERYWHERE:
        return not may(visitor, route.can)  # leading one team is not enough
    if key == "POST /organizations/":
        return not (visitor.is_server_admin or may(visitor, Permission.ORG_WRITE))
    return False


def test_every_place_of_every_path_can_be_filled() -> None:
    for route in TABLE.routes:
        places(route.path)
    for raw in TABLE.raws:
        places(raw.path)


def test_walk_lets_in_and_keeps_out() -> None:
    """Should everything be kept out, or nothing, the walk above would be worth nothing."""
    asked = [route for route in TABLE.routes if route.can is not Permission.PUBLIC]
    assert len(asked) > 90
