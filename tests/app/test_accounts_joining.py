"""Coming in by mail or by a link: invitations, e-mail domains, and what stands before."""

from __future__ import annotations

import re
from typing import Any

from factor_steps import SECOND, add_app, at, code, csrf_of, logged_in
from harness import PASSWORD, Running
from mail_sink import mailbox
from tracer import clock
from tracer.accounts import actions, queries

GOOD = "seven purple lamps sleep"
DAY_S = 86_400
LINK = re.compile(r"http://\S+?(/(?:invitations|joining)/[\w-]+)")


def role_of(tracer: Running, email: str) -> str | None:
    found = queries.member_by_email(tracer.meta.read(), tracer.org.id, email)
    return found.role if found else None


def link_in(mail: Any) -> str:
    """The path of the link in a mail; it is in its text and its HTML alike."""
    text = mail.get_body(("plain",)).get_content()
    path = LINK.search(text)[1]
    assert path in mail.get_body(("html",)).get_content()
    return path


def pending(tracer: Running) -> Any:
    return queries.invitations(tracer.meta.read(), tracer.org.id)[0]


def allow(tracer: Running, *domains: str, role: str = "viewer") -> None:
    with tracer.meta.write(unaudited="test") as tx:
        home = queries.organization_settings(tx, tracer.org.id)
        actions.update_organization(tx, home, join_domains=domains, join_role=role)


# Invitations by mail ----------------------------------------------------------------------------


def test_invitation_comes_by_mail_and_its_link_is_not_on_the_page(tracer: Running) -> None:
    with mailbox(tracer) as mails:
        data = {"email": "new@example.com", "role": "admin"}
        answer = tracer.post("/members/invitations", data)
        assert answer.status_code == 303
        assert "/invitations/" not in tracer.page("/members/").text.replace(
            "/members/invitations", ""
        )
        tracer.run_tasks()
        [mail] = mails
    assert mail["to"] == "new@example.com"
    path = link_in(mail)
    browser = tracer.browser()
    assert role_of(tracer, "new@example.com") is None
    assert tracer.post(path, {"password": GOOD}, browser=browser).status_code == 303
    assert role_of(tracer, "new@example.com") == "admin"


def test_mailed_link_ends_when_renewed_revoked_or_old(tracer: Running) -> None:
    with mailbox(tracer) as mails:
        for act in ("invitations", None, None):
            path = "/members/invitations" if act else f"/members/invitations/{pending(tracer).id}/"
            tracer.post(path if act else path + "renew", {"email": "a@example.com"})
            tracer.run_tasks()
        first, second, third = map(link_in, mails)
    assert [tracer.visitor.get(path).status_code for path in (first, second, third)] == [
        404, 404, 200,
    ]  # fmt: skip
    now_s = clock.now_s()
    at(now_s + 7 * DAY_S + 1)
    assert tracer.visitor.get(third).status_code == 404
    assert tracer.post(third, {"password": GOOD}, browser=tracer.browser()).status_code == 404
    at(now_s)
    assert tracer.visitor.get(third).status_code == 200
    tracer.post(f"/members/invitations/{pending(tracer).id}/revoke")
    assert tracer.visitor.get(third).status_code == 404
    assert tracer.post(third, {"password": GOOD}, browser=tracer.browser()).status_code == 404
    assert role_of(tracer, "a@example.com") is None


def test_pending_member_has_no_access(tracer: Running) -> None:
    browser = tracer.login("both@example.com", "member")
    with tracer.meta.write(unaudited="test") as tx:
        other = actions.create_organization(tx, "other", "Other")
        actions.invite(tx, other, "both@example.com", "owner", by="owner", invited_by=None)
    assert "Other" not in browser.get("/organizations/").text
    assert tracer.post(f"/organizations/{other}/switch", browser=browser).status_code == 404
    assert browser.get("/api/0/organizations/other/").status_code == 404
    people = tracer.api(f"/api/0/organizations/{tracer.org.slug}/members/").json()
    assert all(not one["pending"] for one in people)


# Joining by domain ------------------------------------------------------------------------------


def test_owner_of_an_address_at_an_allowed_domain_joins_by_mail(tracer: Running) -> None:
    allow(tracer, "example.com")
    page = f"/join/{tracer.org.slug}"
    with mailbox(tracer) as mails:
        assert tracer.visitor.get(page).status_code == 200
        tracer.add_user("known@example.com", "member")
        wrong = tracer.post(page, {"email": "x@example.org"}, browser=tracer.browser())
        assert wrong.status_code == 422
        sub = tracer.post(page, {"email": "x@mail.example.com"}, browser=tracer.browser())
        assert sub.status_code == 422
        answers = [
            tracer.post(page, {"email": email}, browser=tracer.browser())
            for email in ("new@example.com", "known@example.com")
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        told = [
            re.sub(r"new@|known@|csrf.{0,200}", "", one.text.partition("<main")[2])
            for one in answers
        ]
        assert told[0] == told[1]
        tracer.run_tasks()
        path = link_in(next(mail for mail in mails if mail["to"] == "new@example.com"))
    assert role_of(tracer, "new@example.com") is None
    browser = tracer.browser()
    assert tracer.post(path, {"password": GOOD}, browser=browser).status_code == 303
    assert role_of(tracer, "new@example.com") == "viewer"
    assert browser.get("/issues/").status_code == 200
    assert tracer.visitor.get(path).status_code == 404


def test_link_to_join_ends_after_a_day(tracer: Running) -> None:
    allow(tracer, "example.com")
    with tracer.meta.write(unaudited="test") as tx:
        home = queries.organization_settings(tx, tracer.org.id)
        secret = actions.create_join_link(tx, home, "late@example.com")
    assert tracer.visitor.get(f"/joining/{secret}").status_code == 200
    at(clock.now_s() + DAY_S + 1)
    assert tracer.visitor.get(f"/joining/{secret}").status_code == 404


# The second factor stands before -----------------------------------------------------------------


def test_account_with_a_second_factor_shows_it_before_it_joins(tracer: Running) -> None:
    at(clock.now_s())
    browser = logged_in(tracer, "back@example.com", "member")
    seed, _ = add_app(browser)
    user_id = tracer.add_user("back@example.com", "member")
    assert tracer.post(f"/members/{user_id}/remove").status_code == 303
    answer = tracer.post("/members/invitations", {"email": "back@example.com", "role": "viewer"})
    path = LINK.search(answer.text)[1]
    at(clock.now_s() + 60)
    fresh = tracer.browser()
    proof = tracer.post(path, {"password": PASSWORD}, browser=fresh)
    assert proof.headers["location"] == SECOND
    assert role_of(tracer, "back@example.com") is None
    assert fresh.get("/issues/").status_code == 303
    token = csrf_of(fresh.get(SECOND).text)
    wrong = fresh.post(SECOND, data={"csrf": token, "code": "000000"})
    assert wrong.status_code == 422
    assert role_of(tracer, "back@example.com") is None
    right = fresh.post(SECOND, data={"csrf": token, "code": code(seed)})
    assert right.headers["location"] == "/issues/", right.text
    assert role_of(tracer, "back@example.com") == "viewer"
    assert fresh.get("/issues/").status_code == 200
    assert tracer.visitor.get(path).status_code == 404


# Invitations end with who made them ---------------------------------------------------------------


def test_invitations_of_a_removed_or_lowered_manager_end(tracer: Running) -> None:
    manager = tracer.login("manager@example.com", "manager")
    user_id = tracer.add_user("manager@example.com", "manager")
    paths = {}
    for role in ("manager", "viewer"):
        data = {"email": f"{role}s@example.com", "role": role}
        answer = tracer.post("/members/invitations", data, browser=manager)
        paths[role] = LINK.search(answer.text)[1]
    assert tracer.post(f"/members/{user_id}/role", {"role": "member"}).status_code == 303
    assert tracer.visitor.get(paths["manager"]).status_code == 404
    assert tracer.visitor.get(paths["viewer"]).status_code == 200
    assert tracer.post(f"/members/{user_id}/remove").status_code == 303
    assert tracer.visitor.get(paths["viewer"]).status_code == 404


def test_unknown_team_is_refused_and_the_invitation_not_made(tracer: Running) -> None:
    data = {"email": "new@example.com", "role": "member", "teams": "web, nothing"}
    answer = tracer.post("/members/invitations", data)
    assert answer.status_code == 422
    assert "There is no team called web" in answer.text
    assert queries.invitations(tracer.meta.read(), tracer.org.id) == []
