"""Teams through pages and the API, and organizations whose members see only their teams'."""

from __future__ import annotations

from typing import Any

from factor_steps import at
from harness import Running
from tracer import clock
from tracer.accounts import actions, queries


def team(tracer: Running, name: str = "Web") -> Any:
    assert tracer.post("/teams/", {"name": name}).status_code == 303
    return queries.team(tracer.meta.read(), tracer.reach, name.lower())


def close(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        home = queries.organization_settings(tx, tracer.org.id)
        actions.update_organization(tx, home, is_open=False)


def names(tracer: Running, slug: str) -> list[tuple[str, str]]:
    found = queries.team(tracer.meta.read(), tracer.reach, slug)
    return [(one.email, one.role) for one in queries.team_members(tracer.meta.read(), found.id)]


def test_team_has_members_and_projects(tracer: Running) -> None:
    team(tracer)
    tracer.add_user("ada@example.com", "member")
    add = {"email": "ada@example.com", "role": "lead"}
    assert tracer.post("/teams/web/members", add).status_code == 303
    assert names(tracer, "web") == [("ada@example.com", "lead")]
    assert tracer.post("/teams/web/projects", {"project": tracer.project.slug}).status_code == 303
    shown = tracer.page("/teams/web/").text
    assert "ada@example.com" in shown
    assert f"/projects/{tracer.project.slug}/" in shown
    assert "/teams/web/" in tracer.page(f"/projects/{tracer.project.slug}/").text
    unknown = {"email": "nobody@example.com", "role": "lead"}
    assert tracer.post("/teams/web/members", unknown).status_code == 422
    assert tracer.post("/teams/web/projects", {"project": "nothing"}).status_code == 422


def test_lead_manages_the_own_team_only(tracer: Running) -> None:
    team(tracer)
    team(tracer, "Ops")
    lead = tracer.login("lead@example.com", "member")
    other = tracer.login("other@example.com", "member")
    tracer.post("/teams/web/members", {"email": "lead@example.com", "role": "lead"})
    add = {"email": "other@example.com", "role": "contributor"}
    assert tracer.post("/teams/web/members", add, browser=lead).status_code == 303
    assert tracer.post("/teams/ops/members", add, browser=lead).status_code == 403
    assert tracer.post("/teams/web/members", add, browser=other).status_code == 403
    named = {"name": "Web team", "slug": "web"}
    assert tracer.post("/teams/web/", named, browser=lead).status_code == 303
    assert tracer.post("/teams/web/delete", browser=lead).status_code == 403
    project = {"project": tracer.project.slug}
    assert tracer.post("/teams/web/projects", project, browser=lead).status_code == 403
    assert tracer.post("/teams/", {"name": "Mine"}, browser=lead).status_code == 403


def test_contributor_may_leave_but_not_promote_himself(tracer: Running) -> None:
    team(tracer)
    browser = tracer.login("ada@example.com", "member")
    user_id = tracer.add_user("ada@example.com", "member")
    tracer.post("/teams/web/members", {"email": "ada@example.com", "role": "contributor"})
    path = f"/teams/web/members/{user_id}"
    assert tracer.post(path, {"role": "lead"}, browser=browser).status_code == 403
    assert tracer.post("/teams/web/leave", browser=browser).status_code == 303
    assert names(tracer, "web") == []


def test_closed_organization_shows_a_member_the_projects_of_the_teams(tracer: Running) -> None:
    secret = tracer.add_project("secret")
    tracer.send(message="hidden words", project=secret)
    team(tracer)
    browser = tracer.login("ada@example.com", "member")
    tracer.post("/teams/web/members", {"email": "ada@example.com", "role": "contributor"})
    tracer.post("/teams/web/projects", {"project": tracer.project.slug})
    assert browser.get("/projects/secret/").status_code == 200
    assert "hidden words" in browser.get("/issues/?q=hidden").text
    close(tracer)
    assert browser.get("/projects/secret/").status_code == 404
    assert browser.get(f"/projects/{tracer.project.slug}/").status_code == 200
    assert "secret" not in browser.get("/projects/").text
    assert "hidden words" not in browser.get("/issues/?q=hidden").text
    assert browser.get(f"/live/?topic=project:{secret.id}").status_code == 400
    headers = {"Authorization": f"Bearer {tracer.token(email='ada@example.com', role='member')}"}
    root = f"/api/0/projects/{tracer.org.slug}"
    assert tracer.visitor.get(f"{root}/secret/", headers=headers).status_code == 404
    assert tracer.visitor.get(f"{root}/{tracer.project.slug}/", headers=headers).status_code == 200
    assert tracer.page("/projects/secret/").status_code == 200
    tracer.post("/teams/web/projects", {"project": "secret"})
    assert browser.get("/projects/secret/").status_code == 200


def test_team_that_goes_takes_its_view_along(tracer: Running) -> None:
    team(tracer)
    browser = tracer.login("ada@example.com", "member")
    tracer.post("/teams/web/members", {"email": "ada@example.com", "role": "contributor"})
    tracer.post("/teams/web/projects", {"project": tracer.project.slug})
    close(tracer)
    assert browser.get(f"/projects/{tracer.project.slug}/").status_code == 200
    assert tracer.post("/teams/web/delete").status_code == 303
    assert browser.get(f"/projects/{tracer.project.slug}/").status_code == 404


def test_teams_of_another_organization_do_not_exist(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        other = actions.create_organization(tx, "other", "Other")
        actions.create_team(tx, other, "Theirs")
    assert tracer.page("/teams/theirs/").status_code == 404
    assert tracer.post("/teams/theirs/delete").status_code == 404
    assert tracer.api(f"/api/0/teams/{tracer.org.slug}/theirs/").status_code == 404
    assert tracer.api("/api/0/teams/other/theirs/").status_code == 404


def test_api_of_teams(tracer: Running) -> None:
    org = tracer.org.slug
    root = f"/api/0/organizations/{org}"
    made = tracer.api(f"{root}/teams/", "POST", json={"name": "Back End"})
    assert made.status_code == 201
    assert made.json()["slug"] == "back-end"
    assert tracer.api(f"{root}/teams/", "POST", json={"name": "Back End"}).status_code == 409
    user_id = tracer.add_user("ada@example.com", "member")
    member = f"{root}/members/{user_id}/teams/back-end/"
    assert tracer.api(member, "POST", json={"teamRole": "lead"}).status_code == 201
    people = tracer.api(f"/api/0/teams/{org}/back-end/members/").json()
    assert [(one["email"], one["teamRole"]) for one in people] == [("ada@example.com", "lead")]
    project = f"/api/0/projects/{org}/{tracer.project.slug}/teams/back-end/"
    assert tracer.api(project, "POST").status_code == 201
    listed = tracer.api(f"/api/0/teams/{org}/back-end/projects/").json()
    assert [one["slug"] for one in listed] == [tracer.project.slug]
    assert tracer.api(project, "DELETE").status_code == 204
    assert tracer.api(member, "DELETE").status_code == 204
    renamed = tracer.api(f"/api/0/teams/{org}/back-end/", "PUT", json={"slug": "core"})
    assert renamed.json()["slug"] == "core"
    assert [one["slug"] for one in tracer.api(f"{root}/teams/").json()] == ["core"]
    assert tracer.api(f"/api/0/teams/{org}/core/", "DELETE").status_code == 204
    assert tracer.api(f"/api/0/teams/{org}/core/").status_code == 404
    refused = tracer.api(f"{root}/teams/", "POST", json={"name": "x"}, scopes=("team:read",))
    assert refused.status_code == 403


def test_api_of_members(tracer: Running) -> None:
    root = f"/api/0/organizations/{tracer.org.slug}/members/"
    made = tracer.api(root, "POST", json={"email": "new@example.com", "orgRole": "admin"})
    assert made.status_code == 201
    link = made.json()["inviteLink"]
    assert tracer.visitor.get(link).status_code == 200
    assert made.json()["pending"]
    path = f"{root}{made.json()['id']}/"
    again = tracer.api(path, "PUT", json={"reinvite": True}).json()["inviteLink"]
    assert tracer.visitor.get(link).status_code == 404
    assert tracer.visitor.get(again).status_code == 200
    assert tracer.api(path, "DELETE").status_code == 204
    assert tracer.visitor.get(again).status_code == 404
    user_id = tracer.add_user("ada@example.com", "member")
    one = f"{root}{user_id}/"
    assert tracer.api(one).json()["orgRole"] == "member"
    assert tracer.api(one, "PUT", json={"orgRole": "viewer"}).json()["orgRole"] == "viewer"
    assert (
        tracer.api(one, "PUT", json={"orgRole": "viewer"}, scopes=("member:read",)).status_code
        == 403
    )
    assert {member["email"] for member in tracer.api(root).json()} >= {"ada@example.com"}
    assert tracer.api(one, "DELETE").status_code == 204
    assert tracer.api(one).status_code == 404
    assert tracer.api(f"{root}999999/").status_code == 404


def test_api_changes_an_organization(tracer: Running) -> None:
    path = f"/api/0/organizations/{tracer.org.slug}/"
    changed = tracer.api(path, "PUT", json={"name": "Acme", "openMembership": False})
    assert changed.status_code == 200
    assert changed.json()["name"] == "Acme"
    assert not queries.organization_settings(tracer.meta.read(), tracer.org.id).is_open
    assert tracer.api(path, "PUT", json={"name": "x"}, scopes=("org:read",)).status_code == 403


def test_tokens_of_a_removed_member_end(tracer: Running) -> None:
    text = tracer.token(email="ada@example.com", role="member")
    headers = {"Authorization": f"Bearer {text}"}
    path = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.visitor.get(path, headers=headers).status_code == 200
    user_id = tracer.add_user("ada@example.com", "member")
    assert tracer.post(f"/members/{user_id}/remove").status_code == 303
    assert tracer.visitor.get(path, headers=headers).status_code == 401
    tracer.add_user("ada@example.com", "member")
    assert tracer.visitor.get(path, headers=headers).status_code == 401


# Making projects where one sees those of one's teams only -----------------------------------------


def test_maker_of_a_project_in_a_closed_organization_sees_it(tracer: Running) -> None:
    team(tracer)
    team(tracer, "Ops")
    browser = tracer.login("ada@example.com", "admin")
    close(tracer)
    new = {"name": "Shop", "platform": "python"}
    nowhere = tracer.post("/projects/new", new, browser=browser)
    assert nowhere.status_code == 422
    assert "You are in no team" in nowhere.text
    tracer.post("/teams/web/members", {"email": "ada@example.com", "role": "contributor"})
    strange = tracer.post("/projects/new", new | {"team": "ops"}, browser=browser)
    assert strange.status_code == 422
    assert tracer.post("/projects/new", new, browser=browser).status_code == 303
    assert browser.get("/projects/shop/").status_code == 200
    tracer.post("/teams/ops/members", {"email": "ada@example.com", "role": "contributor"})
    unclear = tracer.post("/projects/new", new | {"name": "Two"}, browser=browser)
    assert unclear.status_code == 422
    named = tracer.post("/projects/new", new | {"name": "Two", "team": "ops"}, browser=browser)
    assert named.status_code == 303
    assert browser.get("/projects/two/").status_code == 200


def test_project_is_given_to_teams_in_its_settings(tracer: Running) -> None:
    team(tracer)
    team(tracer, "Ops")
    lead = tracer.login("lead@example.com", "member")
    tracer.post("/teams/web/members", {"email": "lead@example.com", "role": "lead"})
    root = f"/projects/{tracer.project.slug}/teams"
    assert tracer.post(root, {"team": "web"}).status_code == 303
    assert tracer.post(root, {"team": "nothing"}).status_code == 422
    assert 'href="/teams/web/"' in tracer.page(f"/projects/{tracer.project.slug}/").text
    # The lead manages the project now, and the own team, and no other.
    assert tracer.post(root, {"team": "ops"}, browser=lead).status_code == 403
    assert tracer.post(root, {"team": "ops"}).status_code == 303
    assert tracer.post(f"{root}/ops/remove", browser=lead).status_code == 403
    assert tracer.post(f"{root}/nothing/remove").status_code == 404
    assert tracer.post(f"{root}/web/remove", browser=lead).status_code == 303
    assert tracer.post(root, {"team": "web"}, browser=lead).status_code == 403
    html = tracer.page(f"/projects/{tracer.project.slug}/").text
    assert 'href="/teams/ops/"' in html
    assert 'href="/teams/web/"' not in html


def test_api_gives_a_new_project_to_a_team(tracer: Running) -> None:
    team(tracer)
    org = tracer.org.slug
    made = tracer.api(f"/api/0/teams/{org}/web/projects/", "POST", json={"name": "Shop"})
    assert made.status_code == 201
    listed = tracer.api(f"/api/0/teams/{org}/web/projects/").json()
    assert [one["slug"] for one in listed] == ["shop"]
    root = f"/api/0/organizations/{org}/projects/"
    assert tracer.api(root, "POST", json={"name": "Two", "team": "web"}).status_code == 201
    assert len(tracer.api(f"/api/0/teams/{org}/web/projects/").json()) == 2
    assert tracer.api(root, "POST", json={"name": "x", "team": "nothing"}).status_code == 400
    headers = {"Authorization": f"Bearer {tracer.token(email='a@example.com', role='admin')}"}
    close(tracer)
    refused = tracer.visitor.post(root, json={"name": "Three"}, headers=headers)
    assert refused.status_code == 400
    assert "no team" in refused.json()["detail"]


# Pages that watch over themselves -----------------------------------------------------------------


def test_page_is_watched_only_by_who_may_see_it(tracer: Running) -> None:
    secret = tracer.add_project("secret")
    tracer.send(message="hidden words", project=secret)
    [issue_id] = tracer.meta.read().row("SELECT id FROM issues")
    browser = tracer.login("ada@example.com", "member")
    paths = ("/projects/secret/", f"/issues/{issue_id}/")
    for path in paths:
        assert browser.head(f"/live/page?path={path}").status_code == 200, path
    close(tracer)
    for path in paths:
        assert browser.head(f"/live/page?path={path}").status_code == 204, path
    for path in ("/issues/", "/members/", "/members/invitations", "/nowhere"):
        assert browser.head(f"/live/page?path={path}").status_code == 200, path
    for path in ("/settings/tokens/", "/settings/mail/", "/issues/999999/"):
        assert browser.head(f"/live/page?path={path}").status_code == 204, path
    assert tracer.visitor.head("/live/page?path=/issues/").status_code == 303


def test_page_that_is_only_open_keeps_no_login_alive(tracer: Running) -> None:
    browser = tracer.login("ada@example.com", "member")

    def seen_at() -> int:
        tracer.tracer.guard.flush(tracer.meta)
        return tracer.meta.read().value(
            "SELECT l.seen_at FROM logins l JOIN users u ON u.id = l.user_id"
            " WHERE u.email = 'ada@example.com'"
        )

    before = seen_at()
    at(clock.now_s() + 86_400)
    assert browser.head("/live/page?path=/issues/").status_code == 200
    assert seen_at() == before
    assert browser.get("/issues/").status_code == 200
    assert seen_at() > before
