"""Organizations, members, invitations and teams through pages and the API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts import actions, queries

GOOD = "seven purple lamps sleep"
DAY_S = 86_400


def member(tracer: Running, email: str, role: str) -> Any:
    tracer.add_user(email, role)
    return queries.member_by_email(tracer.meta.read(), tracer.org.id, email)


def invite(tracer: Running, email: str, role: str = "member", **more: Any) -> str:
    """The path of the link that the page shows once."""
    answer = tracer.post("/members/invitations", {"email": email, "role": role, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return re.search(r"http://testserver(/invitations/[\w-]+)", answer.text)[1]


def role_of(tracer: Running, email: str) -> str | None:
    found = queries.member_by_email(tracer.meta.read(), tracer.org.id, email)
    return found.role if found else None


def audited(tracer: Running, action: str) -> int:
    return tracer.meta.read().value("SELECT count(*) FROM audit WHERE action = :a", a=action)


def take_cookie(browser: Any, answer: Any) -> None:
    """Go on with the cookie of an answer in place of the one that the test set."""
    cookie = answer.cookies["tracer_login"]
    browser.cookies.clear()
    browser.cookies.set("tracer_login", cookie)


def second_organization(tracer: Running, *members: tuple[str, str]) -> int:
    with tracer.meta.write(unaudited="test") as tx:
        made = actions.create_organization(tx, "other", "Other")
        for email, role in members:
            found = queries.user_by_email(tx, email)
            actions.add_member(tx, made, found.id, role)
    return made


# Invitations ------------------------------------------------------------------------------------


def test_invited_person_makes_an_account_and_is_in(tracer: Running) -> None:
    path = invite(tracer, "new@example.com", "admin")
    assert role_of(tracer, "new@example.com") is None
    browser = tracer.browser()
    assert "new@example.com" in browser.get(path).text
    answer = tracer.post(path, {"password": GOOD, "name": "New"}, browser=browser)
    assert answer.status_code == 303, answer.text
    assert role_of(tracer, "new@example.com") == "admin"
    assert browser.get("/issues/").status_code == 200
    assert browser.get(path).status_code == 404
    assert audited(tracer, "invitation.create") == audited(tracer, "invitation.accept") == 1


def test_invitation_wants_a_good_password(tracer: Running) -> None:
    path = invite(tracer, "new@example.com")
    answer = tracer.post(path, {"password": "password1"}, browser=tracer.browser())
    assert answer.status_code == 422
    assert role_of(tracer, "new@example.com") is None


def test_invitation_ends_when_revoked_renewed_or_old(tracer: Running) -> None:
    first = invite(tracer, "a@example.com")
    found = queries.invitations(tracer.meta.read(), tracer.org.id)[0]
    renewed = tracer.post(f"/members/invitations/{found.id}/renew")
    second = re.search(r"http://testserver(/invitations/[\w-]+)", renewed.text)[1]
    assert tracer.visitor.get(first).status_code == 404
    assert tracer.visitor.get(second).status_code == 200
    assert tracer.post(f"/members/invitations/{found.id}/revoke").status_code == 303
    assert tracer.visitor.get(second).status_code == 404
    third = invite(tracer, "a@example.com")
    later_s = clock.now_s() + 8 * DAY_S
    clock.set_clock(lambda: later_s)
    assert tracer.visitor.get(third).status_code == 404


def test_invitation_is_for_its_own_address_only(tracer: Running) -> None:
    path = invite(tracer, "new@example.com")
    other = tracer.login("somebody@example.com", "viewer")
    assert tracer.post(path, {}, browser=other).status_code == 403
    assert role_of(tracer, "new@example.com") is None


def test_account_of_another_organization_logs_in_to_accept(tracer: Running) -> None:
    tracer.add_user("both@example.com", "member")
    second_organization(tracer, ("both@example.com", "owner"))
    with tracer.meta.write(unaudited="test") as tx:
        who = queries.member_by_email(tx, tracer.org.id, "both@example.com")
        actions.remove_member(tx, tracer.org.id, who, by="owner")
    path = invite(tracer, "both@example.com", "viewer")
    browser = tracer.browser()
    answer = tracer.post(path, {"password": GOOD}, browser=browser)
    assert answer.headers["location"] == f"/login?next={path}"
    data = {"email": "both@example.com", "password": PASSWORD, "next": path}
    assert tracer.post("/login", data, browser=browser).headers["location"] == path
    old = browser.cookies["tracer_login"]
    assert tracer.post(path, {}, browser=browser).status_code == 303
    assert role_of(tracer, "both@example.com") == "viewer"
    assert browser.cookies["tracer_login"] != old


def test_removed_account_comes_back_with_its_own_password(tracer: Running) -> None:
    who = member(tracer, "back@example.com", "member")
    assert tracer.post(f"/members/{who.user_id}/remove").status_code == 303
    path = invite(tracer, "back@example.com")
    browser = tracer.browser()
    assert tracer.post(path, {"password": GOOD}, browser=browser).status_code == 422
    assert tracer.post(path, {"password": PASSWORD}, browser=browser).status_code == 303
    assert role_of(tracer, "back@example.com") == "member"


def test_invited_person_is_in_the_teams_of_the_invitation(tracer: Running) -> None:
    tracer.post("/teams/", {"name": "Web"})
    team = queries.team(tracer.meta.read(), tracer.reach, "web")
    path = invite(tracer, "new@example.com", teams=team.slug)
    tracer.post(path, {"password": GOOD}, browser=tracer.browser())
    assert [one.email for one in queries.team_members(tracer.meta.read(), team.id)] == [
        "new@example.com"
    ]


# Roles ------------------------------------------------------------------------------------------


def test_nobody_grants_above_the_own_role(tracer: Running) -> None:
    tracer.login()
    manager = tracer.login("manager@example.com", "manager")
    data = {"email": "x@example.com", "role": "owner"}
    assert tracer.post("/members/invitations", data, browser=manager).status_code == 403
    plain = member(tracer, "plain@example.com", "member")
    path = f"/members/{plain.user_id}/role"
    assert tracer.post(path, {"role": "owner"}, browser=manager).status_code == 403
    assert tracer.post(path, {"role": "manager"}, browser=manager).status_code == 303


def test_manager_cannot_touch_an_owner(tracer: Running) -> None:
    manager = tracer.login("manager@example.com", "manager")
    tracer.add_user("boss@example.com", "owner")
    owner = member(tracer, "owner@example.com", "owner")
    root = f"/members/{owner.user_id}/"
    assert tracer.post(root + "role", {"role": "viewer"}, browser=manager).status_code == 403
    assert tracer.post(root + "remove", browser=manager).status_code == 403
    assert role_of(tracer, "owner@example.com") == "owner"


def test_last_owner_stays(tracer: Running) -> None:
    owner = member(tracer, "owner@example.com", "owner")
    root = f"/members/{owner.user_id}/"
    assert tracer.post(root + "role", {"role": "member"}).status_code == 409
    assert tracer.post(root + "remove").status_code == 409
    assert tracer.post(f"/organizations/{tracer.org.id}/leave").status_code == 409
    assert role_of(tracer, "owner@example.com") == "owner"


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_lower_roles_do_not_manage_members(tracer: Running, role: str) -> None:
    browser = tracer.login("low@example.com", role)
    other = member(tracer, "other@example.com", "viewer")
    data = {"email": "x@example.com", "role": "viewer"}
    assert tracer.post("/members/invitations", data, browser=browser).status_code == 403
    for path in ("role", "remove"):
        answer = tracer.post(
            f"/members/{other.user_id}/{path}", {"role": "member"}, browser=browser
        )
        assert answer.status_code == 403
    assert "Pending" not in browser.get("/members/").text


# Removal ----------------------------------------------------------------------------------------


def test_removal_ends_the_login_at_once(tracer: Running) -> None:
    browser = tracer.login("gone@example.com", "member")
    who = member(tracer, "gone@example.com", "member")
    assert browser.get("/issues/").status_code == 200
    assert tracer.post(f"/members/{who.user_id}/remove").status_code == 303
    assert browser.get("/issues/").headers["location"].startswith("/login")
    assert audited(tracer, "member.remove") == 1


def test_removal_moves_the_login_to_another_organization(tracer: Running) -> None:
    browser = tracer.login("both@example.com", "member")
    second_organization(tracer, ("both@example.com", "viewer"))
    who = member(tracer, "both@example.com", "member")
    tracer.post(f"/members/{who.user_id}/remove")
    page = browser.get("/organizations/")
    assert page.status_code == 200
    assert "Other" in page.text
    assert browser.get(f"/projects/{tracer.project.slug}/").status_code == 404


def test_member_leaves(tracer: Running) -> None:
    browser = tracer.login("bye@example.com", "member")
    answer = tracer.post(f"/organizations/{tracer.org.id}/leave", browser=browser)
    assert answer.status_code == 303
    assert role_of(tracer, "bye@example.com") is None


# Organizations ----------------------------------------------------------------------------------


def test_switch_keeps_the_login_and_rotates_its_cookie(tracer: Running) -> None:
    browser = tracer.login("both@example.com", "member")
    other = second_organization(tracer, ("both@example.com", "owner"))
    before = browser.cookies["tracer_login"]
    answer = tracer.post(f"/organizations/{other}/switch", browser=browser)
    assert answer.status_code == 303
    take_cookie(browser, answer)
    assert browser.cookies["tracer_login"] != before
    assert tracer.project.name not in browser.get("/projects/").text
    stale = tracer.browser()
    stale.cookies.set("tracer_login", before)
    assert stale.get("/projects/").status_code == 303


def test_nobody_switches_to_a_strange_organization(tracer: Running) -> None:
    other = second_organization(tracer)
    assert tracer.post(f"/organizations/{other}/switch").status_code == 404
    assert tracer.post("/organizations/999/switch").status_code == 404


def test_owner_makes_and_deletes_another_organization(tracer: Running) -> None:
    assert tracer.post("/settings/delete", {"confirm": tracer.org.slug}).status_code == 409
    made = tracer.post("/organizations/", {"name": "Second One"})
    assert made.status_code == 303
    take_cookie(tracer.client, made)
    assert "second-one" in tracer.page("/settings/").text
    assert tracer.post("/settings/delete", {"confirm": "nonsense"}).status_code == 422
    assert tracer.post("/settings/delete", {"confirm": "second-one"}).status_code == 303
    assert queries.count_organizations(tracer.meta.read()) == 1
    assert tracer.page("/issues/").status_code == 200


def test_member_makes_no_organization(tracer: Running) -> None:
    browser = tracer.login("low@example.com", "admin")
    assert tracer.post("/organizations/", {"name": "Mine"}, browser=browser).status_code == 403


def test_settings_are_saved(tracer: Running) -> None:
    data = {
        "name": "Acme",
        "slug": "acme",
        "second_factor": "optional",
        "join_domains": "example.com, @Example.org",
        "join_role": "viewer",
    }
    assert tracer.post("/settings/", data).status_code == 303
    found = queries.organization_settings(tracer.meta.read(), tracer.org.id)
    assert (found.name, found.slug, found.is_open) == ("Acme", "acme", False)
    assert found.join_domains == ("example.com", "example.org")
    assert tracer.post("/settings/", data | {"join_domains": "not a domain!"}).status_code == 422
    assert tracer.post("/settings/", data | {"second_factor": "everyone"}).status_code == 422


def test_nobody_joins_by_domain_without_mail(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        home = queries.organization_settings(tx, tracer.org.id)
        actions.update_organization(tx, home, join_domains=("example.com",))
    assert tracer.visitor.get(f"/join/{tracer.org.slug}").status_code == 404


def test_join_link_works_once_and_only_while_the_domain_is_allowed(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        home = queries.organization_settings(tx, tracer.org.id)
        home = actions.update_organization(tx, home, join_domains=("example.com",))
        first = actions.create_join_link(tx, home, "joiner@example.com")
        second = actions.create_join_link(tx, home, "late@example.com")
    browser = tracer.browser()
    answer = tracer.post(f"/joining/{first}", {"password": GOOD}, browser=browser)
    assert answer.status_code == 303, answer.text
    assert role_of(tracer, "joiner@example.com") == "member"
    assert tracer.visitor.get(f"/joining/{first}").status_code == 404
    with tracer.meta.write(unaudited="test") as tx:
        actions.update_organization(tx, home, join_domains=())
    assert tracer.visitor.get(f"/joining/{second}").status_code == 404


def test_members_page_searches_and_pages(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        for number in range(60):
            user_id = actions.create_user(tx, f"many{number:02}@example.com", None)
            actions.add_member(tx, tracer.org.id, user_id, "viewer")
    first, second = tracer.page("/members/").text, tracer.page("/members/?page=2").text
    assert "many10@" in first
    assert "many10@" not in second
    assert "many59@" in second
    assert "many33@" in tracer.page("/members/?query=MANY33").text
    assert "many10@" not in tracer.page("/members/?query=many33").text
