"""Nobody gets more than was given: by tokens, roles, teams, invitations or stray fields."""

from __future__ import annotations

from typing import Any

import pytest

from security.door import Answer
from security.places import FORBIDDEN, MISSING, address_in, outcome
from security.test_access_walk import TABLE, body_of, name
from security.visitors import login
from security.world import Visitor, World
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.routes import Route

MEMBERS = "/api/0/organizations/acme/members/"
OWN = [
    route
    for route in TABLE.routes
    if route.can is Permission.LOGGED_IN and route.method not in SAFE_METHODS
]


def bearer(text: str, **facts: Any) -> Visitor:
    return Visitor("bearer", (("authorization", f"Bearer {text}"),), **facts)


def role_of(world: World, user_id: int) -> str | None:
    role: str | None = world.value(
        "SELECT role FROM members WHERE organization_id = :org AND user_id = :user",
        org=world.acme.organization_id,
        user=user_id,
    )
    return role


def tokens_made(world: World) -> int:
    return int(world.value("SELECT count(*) FROM tokens"))


# Tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", OWN, ids=name)
def test_no_token_changes_an_account(world: World, route: Route) -> None:
    """Not the one that it belongs to either: whoever steals it must not be able to stay."""
    target = address_in(route.path, world.acme)
    for visitor in ("owner's token", "organization's token", "reading token"):
        answer = world.ask(visitor, route.method, target, **body_of(route))
        assert outcome(answer) in (FORBIDDEN, MISSING), visitor


@pytest.mark.parametrize("role", ["viewer", "member", "admin", "manager"])
def test_token_cannot_be_given_more_than_its_maker_has(world: World, role: str) -> None:
    beyond = sorted(scope for scope in SCOPES if scope not in ROLE_GRANTS[role])
    before = tokens_made(world)
    for scope in beyond:
        wanted = {"name": "x", "scopes": ["event:read", scope]}
        assert world.ask(role, "POST", "/api/0/api-tokens/", json=wanted).status in (400, 403)
        form = {"name": "x", "scope": ["event:read", scope], "lifetime": "30d"}
        assert world.ask(role, "POST", "/account/tokens/", form=form).status in (400, 403, 422)
    assert tokens_made(world) == before


def test_token_of_the_organization_has_nothing_to_do_with_people(world: World) -> None:
    before = tokens_made(world)
    root = "/api/0/organizations/acme/org-auth-tokens/"
    for scope in sorted(SCOPES - ROLE_GRANTS["organization"]):
        wanted = {"name": "x", "scopes": [scope]}
        assert world.ask("owner", "POST", root, json=wanted).status in (400, 403), scope
    assert tokens_made(world) == before


@pytest.mark.parametrize("field", ["projects", "project"])
def test_token_cannot_be_made_for_a_project_out_of_reach(world: World, field: str) -> None:
    for project_id in (world.globex.project.id, 999_999_999):
        wanted = {"scopes": ["event:read"], "projects": [project_id]}
        answer = world.ask("member", "POST", "/api/0/api-tokens/", json=wanted)
        assert answer.status in (400, 403, 404)
        assert "gallery" not in answer.text.lower()
    wanted = {"scopes": ["event:read"], "projects": [world.depot.id]}
    assert world.ask("member", "POST", "/api/0/api-tokens/", json=wanted).status in (400, 403, 404)


def test_token_shrinks_with_the_role_of_its_owner(world: World) -> None:
    admin = world.visitors["admin"]
    token = bearer(world.token(admin.user_id, world.acme.organization_id).text)
    issue = f"/api/0/issues/{world.acme.values['issue_id']}/"
    assert world.ask(token, "PUT", issue, json={"status": "resolved"}).status == 200
    world.execute("UPDATE members SET role = 'viewer' WHERE user_id = :id", id=admin.user_id)
    assert world.ask(token, "PUT", issue, json={"status": "unresolved"}).status == 403
    assert world.ask(token, "GET", issue).status == 200
    world.execute("DELETE FROM team_members WHERE user_id = :id", id=admin.user_id)
    world.execute("UPDATE organizations SET access_version = access_version + 1")
    assert world.ask(token, "GET", issue).status == 404
    world.execute("DELETE FROM members WHERE user_id = :id", id=admin.user_id)
    assert world.ask(token, "GET", issue).status == 401


def test_login_shrinks_with_the_role_at_once(world: World) -> None:
    admin = world.visitors["admin"]
    issue = f"/issues/{world.acme.values['issue_id']}"
    world.execute("UPDATE members SET role = 'viewer' WHERE user_id = :id", id=admin.user_id)
    assert world.ask("admin", "POST", f"{issue}/resolve", form={}).status == 403
    world.execute("DELETE FROM team_members WHERE user_id = :id", id=admin.user_id)
    assert world.ask("admin", "GET", f"{issue}/").status == 404
    world.execute("DELETE FROM members WHERE user_id = :id", id=admin.user_id)
    assert outcome(world.ask("admin", "GET", f"{issue}/")) == "unknown"


def test_token_of_one_project_lists_nothing_of_another(world: World) -> None:
    token = bearer(
        world.token(
            world.acme.user_id, world.acme.organization_id, project_ids=(world.depot.id,)
        ).text
    )
    for path in (
        "/api/0/projects/",
        "/api/0/organizations/acme/projects/",
        "/api/0/organizations/acme/issues/?query=",
    ):
        answer = world.ask(token, "GET", path)
        assert answer.status == 200
        assert '"slug":"shop"' not in answer.text
        assert "SHOP-1" not in answer.text


def test_token_and_login_of_one_organization_open_no_other(world: World) -> None:
    """Also where somebody is a member of both."""
    user_id = world.person("both@acme.example", world.acme, "owner")
    world.member(world.globex.organization_id, user_id, "owner")
    here = login(world, "both", user_id, world.acme, "owner")
    token = bearer(world.token(user_id, world.acme.organization_id).text)
    theirs = world.globex.values["issue_id"]
    for visitor in (here, token):
        assert world.ask(visitor, "GET", f"/api/0/issues/{theirs}/").status == 404
        assert world.ask(visitor, "GET", "/api/0/organizations/globex/").status == 404
        assert world.ask(visitor, "GET", "/api/0/projects/globex/gallery/").status == 404
        assert "gallery" not in world.ask(visitor, "GET", "/api/0/projects/").text


# Roles and teams -------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["manager", "admin", "member", "viewer", "team lead"])
@pytest.mark.parametrize("wanted", ["owner", "root", "organization", "", "Owner"])
def test_nobody_raises_themselves(world: World, by: str, wanted: str) -> None:
    visitor = world.visitors[by]
    before = role_of(world, visitor.user_id or 0)
    answers = [
        world.ask(by, "POST", f"/members/{visitor.user_id}/role", form={"role": wanted}),
        world.ask(by, "PUT", f"{MEMBERS}{visitor.user_id}/", json={"orgRole": wanted}),
        world.ask(by, "PUT", f"{MEMBERS}{visitor.user_id}/", json={"role": wanted}),
    ]
    assert all(answer.status in (400, 403, 422) for answer in answers)
    assert role_of(world, visitor.user_id or 0) == before


@pytest.mark.parametrize("by", ["manager", "admin", "member", "viewer", "team lead"])
def test_nobody_touches_those_above(world: World, by: str) -> None:
    owner = world.acme.user_id
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"/members/{owner}/role", {"form": {"role": "viewer"}}),
        ("POST", f"/members/{owner}/remove", {"form": {}}),
        ("PUT", f"{MEMBERS}{owner}/", {"json": {"orgRole": "viewer"}}),
        ("DELETE", f"{MEMBERS}{owner}/", {}),
    ]
    for method, target, body in requests:
        assert world.ask(by, method, target, **body).status == 403, target
    assert role_of(world, owner) == "owner"


@pytest.mark.parametrize("by", ["manager", "admin", "member", "viewer", "team lead", "manager's"])
def test_nobody_invites_above_themselves(world: World, by: str) -> None:
    visitor: Visitor | str = by
    if by == "manager's":
        manager = world.visitors["manager"]
        visitor = bearer(world.token(manager.user_id, world.acme.organization_id).text)
    before = world.value("SELECT count(*) FROM invitations")
    answers = [
        world.ask(
            visitor, "POST", "/members/invitations", form={"email": "x@y.example", "role": "owner"}
        ),
        world.ask(visitor, "POST", MEMBERS, json={"email": "x@y.example", "orgRole": "owner"}),
    ]
    assert all(answer.status in (400, 403, 422) for answer in answers)
    assert world.value("SELECT count(*) FROM invitations") == before


def test_lead_rules_over_the_own_team_only(world: World) -> None:
    lead, depot = world.visitors["team lead"], world.depot
    refused: list[Answer] = [
        world.ask("team lead", "POST", "/teams/core/projects", form={"project": depot.slug}),
        world.ask("team lead", "POST", f"/api/0/projects/acme/{depot.slug}/teams/core/"),
        world.ask("team lead", "POST", "/teams/stock/members", form={"email": "lead@acme.example"}),
        world.ask("team lead", "POST", f"{MEMBERS}{lead.user_id}/teams/stock/", json={}),
        world.ask("team lead", "PUT", "/api/0/teams/acme/stock/", json={"name": "Mine"}),
        world.ask("team lead", "DELETE", "/api/0/teams/acme/stock/"),
        world.ask("team lead", "PUT", f"/api/0/projects/acme/{depot.slug}/", json={"name": "M"}),
    ]
    assert all(answer.status in (403, 404, 422) for answer in refused)
    assert world.ask("team lead", "GET", f"/projects/{depot.slug}/").status == 404
    owned = world.ask("team lead", "PUT", "/api/0/projects/acme/shop/", json={"name": "Mine"})
    assert owned.status == 200


def test_member_cannot_join_the_team_of_a_closed_project(world: World) -> None:
    other = world.visitors["other team"]
    for answer in (
        world.ask(
            "other team", "POST", "/teams/core/members", form={"email": "other@acme.example"}
        ),
        world.ask("other team", "POST", f"{MEMBERS}{other.user_id}/teams/core/", json={}),
        world.ask(
            "other team", "POST", f"/teams/core/members/{other.user_id}", form={"role": "lead"}
        ),
    ):
        assert answer.status in (403, 404)
    assert world.ask("other team", "GET", f"/issues/{world.acme.values['issue_id']}/").status == 404


def test_invitation_holds_no_team_of_another_organization(world: World) -> None:
    for slug in (world.globex.team, "no-such-team"):
        form = {"email": "new@y.example", "role": "member", "teams": slug}
        assert world.ask("owner", "POST", "/members/invitations", form=form).status == 422
    assert world.value("SELECT count(*) FROM invitations WHERE email = 'new@y.example'") == 0


def test_fields_that_were_not_asked_for_are_not_taken(world: World) -> None:
    project = world.acme.project
    extra = {"id": 1, "organizationId": world.globex.organization_id, "organization": "globex"}
    answer = world.ask("owner", "PUT", "/api/0/projects/acme/shop/", json={"name": "S", **extra})
    assert answer.status in (200, 400)
    owner = world.value("SELECT organization_id FROM projects WHERE id = :id", id=project.id)
    assert owner == world.acme.organization_id
    member = world.visitors["member"].user_id
    fields = {"name": "M", "is_server_admin": "1", "email": "owner@globex.example", "role": "owner"}
    world.ask("member", "POST", "/account/", form=fields)
    row = world.tracer.meta.read().row(
        "SELECT is_server_admin, email FROM users WHERE id = :id", id=member
    )
    assert row == (0, "member@acme.example")
    assert role_of(world, member or 0) == "member"


def test_owner_of_an_organization_is_no_administrator_of_the_server(world: World) -> None:
    for route in TABLE.routes:
        if route.can is Permission.SERVER_ADMIN:
            for visitor in ("owner", "owner's token", "server administrator's token"):
                target = address_in(route.path, world.acme)
                answer = world.ask(visitor, route.method, target, **body_of(route))
                assert answer.status == 403, (name(route), visitor)
