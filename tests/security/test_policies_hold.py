"""A policy that denies something on a project denies it at every door to that project."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from security.places import FORBIDDEN, MISSING, address_in, outcome, places
from security.test_access_walk import TABLE, body_of, name
from security.test_mixed_requests import issue_rows
from security.world import World
from tracer import clock
from tracer.kit.permissions import Permission
from tracer.kit.routes import Route

P = Permission
#: What is asked of a team is no question about a project.
OF_PROJECT = [
    route
    for route in TABLE.routes
    if str(route.can).startswith(("event:", "project:"))
    and any(place.bound == "project" for place in places(route.path).values())
]
OF_TEAM = [route for route in TABLE.routes if route.can in (P.TEAM_WRITE, P.TEAM_ADMIN)]
ISSUES = "/api/0/organizations/acme/issues/"


def deny(world: World, *permissions: str, **conditions: Any) -> None:
    """An active policy of acme."""
    now = clock.now_ms()
    world.insert(
        "policies",
        organization_id=world.acme.organization_id,
        name="closed",
        effect="deny",
        conditions=msgspec.json.encode({"permissions": permissions, **conditions}).decode(),
        created_at=now,
        changed_at=now,
    )


@pytest.mark.parametrize("route", OF_PROJECT, ids=name)
def test_denied_on_the_project_is_refused_everywhere(world: World, route: Route) -> None:
    deny(world, route.can, project_ids=[world.acme.project.id])
    target = address_in(route.path, world.acme)
    for visitor in ("owner", "owner's token", "team lead"):
        answer = world.ask(visitor, route.method, target, **body_of(route))
        assert outcome(answer) in (FORBIDDEN, MISSING), (visitor, answer.status)


@pytest.mark.parametrize("route", OF_TEAM, ids=name)
def test_denied_on_teams_is_refused_to_leads_too(world: World, route: Route) -> None:
    deny(world, P.TEAM_WRITE)
    target = address_in(route.path, world.acme)
    for visitor in ("owner", "owner's token", "team lead", "lead's token"):
        answer = world.ask(visitor, route.method, target, **body_of(route))
        assert outcome(answer) == FORBIDDEN, (visitor, answer.status)


@pytest.mark.parametrize("permission", [P.EVENT_READ, P.PROJECT_READ])
def test_lists_leave_out_what_may_not_be_read(world: World, permission: Permission) -> None:
    deny(world, permission, project_ids=[world.acme.project.id])
    for path in (
        "/issues/",
        "/issues/?query=SHOP-1",
        "/feedback/?status=all",
        ISSUES + "?query=",
        f"{ISSUES}?query=issue:SHOP-1",
    ):
        answer = world.ask("owner", "GET", path)
        assert answer.status in (200, 403)
        text = answer.text.replace("query=SHOP-1", "").replace('value="SHOP-1"', "")
        assert "StockError" not in text, path
        assert "Broken" not in text, path
    if permission is P.PROJECT_READ:
        assert '"slug":"shop"' not in world.ask("owner", "GET", "/api/0/projects/").text


@pytest.mark.parametrize("permission", [P.EVENT_WRITE, P.EVENT_ADMIN])
def test_bulk_changes_pass_over_what_may_not_be_changed(
    world: World, permission: Permission
) -> None:
    deny(world, permission, project_ids=[world.acme.project.id])
    before = issue_rows(world, world.acme.organization_id)
    mine = world.acme.values["issue_id"]
    if permission is P.EVENT_WRITE:
        world.ask("owner", "POST", "/issues/bulk", form={"id": mine, "action": "resolve"})
        world.ask("owner", "POST", "/issues/bulk", form={"id": mine, "assign": 0})
        for query in (f"?id={mine}", "?query="):
            world.ask("owner", "PUT", ISSUES + query, json={"status": "resolved"})
    world.ask("owner", "POST", "/issues/bulk", form={"id": mine, "action": "delete"})
    world.ask("owner", "DELETE", f"{ISSUES}?id={mine}")
    assert issue_rows(world, world.acme.organization_id) == before


def test_policy_about_tokens_holds_for_tokens_only(world: World) -> None:
    deny(world, P.EVENT_READ, actor_kinds=["token"])
    issue = f"/api/0/issues/{world.acme.values['issue_id']}/"
    assert world.ask("owner", "GET", issue).status == 200
    assert world.ask("owner's token", "GET", issue).status == 403
    assert world.ask("organization's token", "GET", issue).status == 403


def test_policy_of_one_organization_says_nothing_in_another(world: World) -> None:
    deny(world, P.EVENT_READ)
    theirs = f"/api/0/issues/{world.globex.values['issue_id']}/"
    assert world.ask("outsider", "GET", theirs).status == 200
