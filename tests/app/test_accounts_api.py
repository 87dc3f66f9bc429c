from __future__ import annotations

from factor_steps import add_app, csrf_of, logged_in
from harness import Running
from tracer.accounts.actions import add_member, create_organization
from tracer.accounts.queries import user_by_email


def test_root_tells_who_asks(tracer: Running) -> None:
    answer = tracer.api("/api/0/", scopes=("project:read", "event:read"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["version"] == "0"
    assert body["auth"] == {"scopes": ["event:read", "project:read"]}
    assert body["user"]["email"] == "owner@example.com"
    assert body["user"]["id"].isdigit()


def test_root_is_open_and_then_knows_nobody(tracer: Running) -> None:
    answer = tracer.visitor.get("/api/0/")
    assert answer.status_code == 200
    assert answer.json() == {"version": "0", "auth": None, "user": None}


def test_wrong_token_is_refused_in_json(tracer: Running) -> None:
    headers = {"Authorization": "Bearer sntryu_" + "0" * 64}
    for path in ("/api/0/", "/api/0/organizations/"):
        answer = tracer.visitor.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Invalid token"}


def test_organizations_have_what_sentry_cli_requires(tracer: Running) -> None:
    answer = tracer.api("/api/0/organizations/?cursor=")
    [organization] = answer.json()
    assert organization["id"] == str(tracer.org.id)
    assert organization["slug"] == tracer.org.slug
    assert organization["dateCreated"].endswith("Z")
    for name in ("isEarlyAdopter", "require2FA", "requireEmailVerification"):
        assert organization[name] is False
    assert organization["features"] == []
    assert 'rel="next"; results="false"' in answer.headers["link"]


def test_organization_is_found_by_slug_and_id(tracer: Running) -> None:
    by_slug = tracer.api(f"/api/0/organizations/{tracer.org.slug}/").json()
    assert by_slug == tracer.api(f"/api/0/organizations/{tracer.org.id}/").json()
    assert by_slug["role"] == "owner"
    assert "org:admin" in by_slug["access"]


def test_other_organization_is_not_found(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        other = create_organization(tx, "other", "Other")
    for name in ("other", str(other), "nonsense"):
        answer = tracer.api(f"/api/0/organizations/{name}/")
        assert answer.status_code == 404, name


def test_missing_scope_is_forbidden(tracer: Running) -> None:
    assert tracer.api("/api/0/organizations/", scopes=("event:read",)).status_code == 403
    path = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.api(path, scopes=("event:read",)).status_code == 403
    assert tracer.visitor.get(path).status_code == 401


def test_login_lists_all_its_organizations_and_a_token_its_own(tracer: Running) -> None:
    browser = tracer.login("ada@example.com", "member")
    with tracer.meta.write(unaudited="test") as tx:
        other = create_organization(tx, "other", "Other")
        add_member(tx, other, user_by_email(tx, "ada@example.com").id, "viewer")
        create_organization(tx, "strange", "Strange")
    listed = browser.get("/api/0/organizations/").json()
    assert [one["slug"] for one in listed] == [tracer.org.slug, "other"]
    headers = {"Authorization": f"Bearer {tracer.token(email='ada@example.com', role='member')}"}
    answer = tracer.visitor.get("/api/0/organizations/", headers=headers)
    assert [one["slug"] for one in answer.json()] == [tracer.org.slug]


def test_organization_is_changed_field_by_field(tracer: Running) -> None:
    path = f"/api/0/organizations/{tracer.org.slug}/"
    given = {"openMembership": False, "joinDomains": ["example.com"], "joinRole": "viewer"}
    changed = tracer.api(path, "PUT", json=given).json()
    assert {key: changed[key] for key in given} == given
    assert (changed["name"], changed["secondFactor"]) == (tracer.org.name, "optional")
    assert tracer.api(path).json() == changed
    for wrong in ({"joinDomains": ["no domain"]}, {"joinRole": "owner"}, {"secondFactor": "never"}):
        assert tracer.api(path, "PUT", json=wrong).status_code == 400, wrong
    # Whoever has no second factor asks nobody for one.
    for asked in ({"require2FA": True}, {"secondFactor": "admins"}):
        assert tracer.api(path, "PUT", json=asked).status_code == 400, asked
    assert tracer.api(path).json() == changed


def test_second_factor_is_required_by_one_who_has_one(tracer: Running) -> None:
    browser = logged_in(tracer, "boss@example.com", "owner")
    add_app(browser)
    path = f"/api/0/organizations/{tracer.org.slug}/"
    token = csrf_of(browser.get("/account/").text)
    headers = {"X-CSRF-Token": token}
    changed = browser.put(path, json={"require2FA": True}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["require2FA"], changed.json()["secondFactor"]) == (True, "everyone")
    # From here on everybody else lacks one.
    assert tracer.api(path).status_code == 403
    assert browser.put(path, json={"require2FA": False}, headers=headers).status_code == 200
    assert tracer.api(path).json()["secondFactor"] == "optional"


def test_role_of_an_invitation_is_changed(tracer: Running) -> None:
    root = f"/api/0/organizations/{tracer.org.slug}/members/"
    made = tracer.api(root, "POST", json={"email": "new@example.com", "orgRole": "viewer"}).json()
    path = f"{root}{made['id']}/"
    changed = tracer.api(path, "PUT", json={"orgRole": "admin"}).json()
    assert (changed["orgRole"], changed["pending"], changed["inviteLink"]) == ("admin", True, None)
    again = tracer.api(path, "PUT", json={"role": "manager", "reinvite": True}).json()
    assert again["orgRole"] == "manager"
    assert tracer.visitor.get(made["inviteLink"]).status_code == 404
    assert "As manager" in tracer.visitor.get(again["inviteLink"]).text
    headers = {"Authorization": f"Bearer {tracer.token(email='m@example.com', role='manager')}"}
    up = tracer.visitor.put(path, json={"orgRole": "owner"}, headers=headers)
    assert up.status_code == 403
    assert tracer.api(path).json()["orgRole"] == "manager"
