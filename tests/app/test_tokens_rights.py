"""What a token may do follows its owner: role, teams, membership and the organization's rules."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Running
from tracer.accounts import actions as accounts
from tracer.accounts import queries as account_queries
from tracer.accounts.tokens import actions, queries
from tracer.accounts.tokens.model import ORGANIZATION, PERSONAL, PROJECTS_MAX, Made, NewToken
from tracer.errors import Invalid
from tracer.kit.permissions import SCOPES
from tracer.projects import actions as projects

BOB = "bob@example.com"
EVERYTHING = tuple(sorted(SCOPES))
PROJECTS = "/api/0/projects/"


def make(tracer: Running, kind: str = PERSONAL, user_id: int | None = None, **fields: Any) -> Made:
    wanted = {"name": "t", "scopes": EVERYTHING, "organization_id": tracer.org.id, **fields}
    new = NewToken(kind, user_id or tracer.add_user(), **wanted)
    with tracer.meta.write() as tx:
        return actions.create_token(tx, tracer.tracer.vault, new)


def ask(tracer: Running, text: str, path: str, method: str = "GET", body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {text}"}
    return tracer.visitor.request(method, path, json=body, headers=headers)


def scopes(tracer: Running, text: str) -> set[str]:
    return set(ask(tracer, text, "/api/0/").json()["auth"]["scopes"])


def slugs(tracer: Running, text: str) -> list[str]:
    return [project["slug"] for project in ask(tracer, text, PROJECTS).json()]


def member(tracer: Running, email: str = BOB) -> Any:
    user = account_queries.user_by_email(tracer.meta.read(), email)
    return account_queries.member(tracer.meta.read(), tracer.org.id, user.id)


def set_role(tracer: Running, role: str) -> None:
    with tracer.meta.write() as tx:
        accounts.set_role(tx, tracer.org.id, member(tracer), role, by="owner")


def team_of(tracer: Running, *slugs: str) -> Any:
    with tracer.meta.write() as tx:
        home = account_queries.organization_settings(tx, tracer.org.id)
        accounts.update_organization(tx, home, is_open=False)
        team = accounts.create_team(tx, tracer.org.id, "Web")
        for project in tracer.projects():
            if project.slug in slugs:
                accounts.add_team_project(tx, team, project.id)
    return team


def test_token_shrinks_and_grows_with_the_role_of_its_owner(tracer: Running) -> None:
    tracer.add_user()
    bob = tracer.add_user(BOB, "manager")
    text = make(tracer, user_id=bob).text
    assert {"member:admin", "org:write", "project:write"} <= scopes(tracer, text)
    assert "org:admin" not in scopes(tracer, text)
    seen = []
    for role in ("admin", "member", "viewer"):
        set_role(tracer, role)
        seen.append(scopes(tracer, text))
    assert seen[0] > seen[1] > seen[2]
    assert all(scope.endswith(":read") for scope in seen[2])
    body = {"name": "New"}
    path = f"/api/0/organizations/{tracer.org.slug}/projects/"
    assert ask(tracer, text, path, "POST", body).status_code == 403
    set_role(tracer, "admin")
    assert ask(tracer, text, path, "POST", body).status_code == 201


@pytest.mark.parametrize("leaves", [True, False])
def test_token_ends_for_good_when_its_owner_leaves_or_is_removed(
    tracer: Running, leaves: bool
) -> None:
    tracer.add_user()
    bob = tracer.add_user(BOB, "member")
    text = make(tracer, user_id=bob).text
    assert ask(tracer, text, PROJECTS).status_code == 200
    with tracer.meta.write() as tx:
        if leaves:
            accounts.leave(tx, tracer.org.id, member(tracer))
        else:
            accounts.remove_member(tx, tracer.org.id, member(tracer), by="owner")
    assert ask(tracer, text, PROJECTS).status_code == 401
    tracer.add_user(BOB, "owner")
    assert ask(tracer, text, PROJECTS).status_code == 401


def test_token_sees_the_projects_of_its_owners_teams_as_they_are_now(tracer: Running) -> None:
    tracer.add_user()
    tracer.add_project("secret")
    mine = tracer.project.slug
    bob = tracer.add_user(BOB, "member")
    text = make(tracer, user_id=bob).text
    assert slugs(tracer, text) == sorted([mine, "secret"])
    team = team_of(tracer, mine)
    assert slugs(tracer, text) == []
    with tracer.meta.write() as tx:
        accounts.put_team_member(tx, team, member(tracer), "contributor")
    assert slugs(tracer, text) == [mine]
    assert ask(tracer, text, f"/api/0/projects/{tracer.org.slug}/secret/").status_code == 404
    with tracer.meta.write() as tx:
        accounts.remove_team_project(tx, team, tracer.project.id)
    assert slugs(tracer, text) == []


def test_token_of_a_lead_administers_until_they_lead_no_more(tracer: Running) -> None:
    tracer.add_user()
    other = tracer.add_project("other")
    team = team_of(tracer, tracer.project.slug, other.slug)
    bob = tracer.add_user(BOB, "member")
    with tracer.meta.write() as tx:
        accounts.put_team_member(tx, team, member(tracer), "lead")
    wide = make(tracer, user_id=bob).text
    narrow = make(tracer, user_id=bob, scopes=("project:read", "project:releases")).text
    one = make(tracer, user_id=bob, project_ids=(other.id,)).text
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/keys/"
    assert ask(tracer, wide, path, "POST", {"name": "k"}).status_code == 201
    assert ask(tracer, narrow, path, "POST", {"name": "k"}).status_code == 403
    assert ask(tracer, one, path, "POST", {"name": "k"}).status_code == 404
    with tracer.meta.write() as tx:
        accounts.put_team_member(tx, team, member(tracer), "contributor")
    assert ask(tracer, wide, path, "POST", {"name": "k"}).status_code == 403
    with tracer.meta.write() as tx:
        accounts.remove_team_member(tx, team, member(tracer))
    assert ask(tracer, wide, path).status_code == 404


def test_token_of_a_removed_project_sees_nothing_instead_of_everything(tracer: Running) -> None:
    other = tracer.add_project("other")
    text = make(tracer, project_ids=(other.id,)).text
    assert slugs(tracer, text) == ["other"]
    with tracer.meta.write() as tx:
        projects.delete_project(tx, other)
    assert slugs(tracer, text) == []


def test_token_is_of_one_organization_though_its_owner_is_in_two(tracer: Running) -> None:
    owner = tracer.add_user()
    with tracer.meta.write() as tx:
        second = accounts.create_organization(tx, "globex", "Globex")
        accounts.add_member(tx, second, owner, "owner")
    for kind in (PERSONAL, ORGANIZATION):
        here = make(tracer, kind).text
        there = make(tracer, kind, organization_id=second).text
        path = "/api/0/organizations/{}/projects/"
        assert ask(tracer, here, path.format(tracer.org.slug)).status_code == 200
        assert ask(tracer, here, path.format("globex")).status_code == 404
        assert ask(tracer, there, path.format("globex")).status_code == 200
        assert ask(tracer, there, path.format(tracer.org.slug)).status_code == 404
        found = ask(tracer, there, "/api/0/organizations/").json()
        assert [one["slug"] for one in found] == ["globex"]
        assert slugs(tracer, there) == []


def test_token_of_somebody_without_the_second_factor_that_is_asked_for(tracer: Running) -> None:
    bob = tracer.add_user(BOB, "member")
    personal, machine = make(tracer, user_id=bob).text, make(tracer, ORGANIZATION).text
    with tracer.meta.write() as tx:
        home = account_queries.organization_settings(tx, tracer.org.id)
        accounts.update_organization(tx, home, second_factor="everyone")
    refused = ask(tracer, personal, PROJECTS)
    assert refused.status_code == 403
    assert "second factor" in refused.json()["detail"]
    assert ask(tracer, machine, PROJECTS).status_code == 200


def test_scope_of_builds_is_enough_for_releases_and_nothing_else(tracer: Running) -> None:
    text = make(tracer, ORGANIZATION, scopes=("org:ci",)).text
    assert scopes(tracer, text) == {"org:ci", "project:releases"}
    assert ask(tracer, text, PROJECTS).status_code == 403


def test_token_names_few_enough_projects_to_fit_a_header(tracer: Running) -> None:
    most = tuple(range(10**9, 10**9 + PROJECTS_MAX))
    made = make(tracer, project_ids=most)
    assert ask(tracer, made.text, PROJECTS).status_code == 200
    with pytest.raises(Invalid, match="at most 100 projects"):
        make(tracer, project_ids=(*most, 1))


def test_rotated_token_has_no_scope_that_its_owner_lost(tracer: Running) -> None:
    bob = tracer.add_user(BOB, "viewer")
    made = make(tracer, user_id=bob)
    role, allowed = queries.scopes_of_owner(tracer.meta.read(), PERSONAL, tracer.org.id, bob)
    assert role == "viewer"
    with tracer.meta.write() as tx:
        new = actions.rotate_token(tx, tracer.tracer.vault, made.token, 60, allowed)
    assert all(scope.endswith(":read") for scope in new.token.scopes)


def test_two_credentials_in_one_request_are_no_credential(tracer: Running) -> None:
    good, other = make(tracer).text, make(tracer, ORGANIZATION).text
    for pair in ((good, other), (good, good), ("x", good)):
        headers = [("Authorization", f"Bearer {text}") for text in pair]
        assert tracer.visitor.get(PROJECTS, headers=headers).status_code == 401
    # A bad token is not made up for by a login.
    browser = tracer.login()
    headers = {"Authorization": f"Bearer {good}x"}
    assert browser.get(PROJECTS, headers=headers).status_code == 401


def test_uses_are_written_together_and_not_by_each_request(tracer: Running) -> None:
    text = make(tracer).text
    ask(tracer, text, PROJECTS)
    writer = tracer.meta._writer
    before = writer.total_changes()
    for _ in range(5):
        ask(tracer, text, PROJECTS)
    assert writer.total_changes() == before
    assert tracer.meta.read().value("SELECT used_at FROM tokens") is None
    tracer.app.guard.flush(tracer.meta)
    assert tracer.meta.read().value("SELECT used_at FROM tokens") is not None
