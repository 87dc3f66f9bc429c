"""What cannot be undone asks for the password again, and an organization that is deleted ends."""

from __future__ import annotations

from typing import Any

import pytest

from factor_steps import at
from harness import Running
from tracer import clock
from tracer.accounts import actions, queries
from tracer.projects import actions as projects


def second(tracer: Running) -> int:
    with tracer.meta.write(unaudited="test") as tx:
        return actions.create_organization(tx, "other", "Other")


def count(tracer: Running, table: str) -> int:
    sql = f"SELECT count(*) FROM {table} WHERE organization_id = :id"
    return tracer.meta.read().value(sql, id=tracer.org.id)


# Step-up ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/members/{member}/remove", {}),
        ("/organizations/{org}/leave", {}),
        ("/settings/delete", {"confirm": "default"}),
        ("/teams/web/delete", {}),
        ("/projects/{project}/delete", {"confirm": "first-project"}),
    ],
)
def test_dangerous_actions_ask_for_the_password_after_a_while(
    tracer: Running, path: str, data: dict[str, str]
) -> None:
    second(tracer)
    member = tracer.add_user("ada@example.com", "owner")
    assert tracer.post("/teams/", {"name": "Web"}).status_code == 303
    target = path.format(member=member, org=tracer.org.id, project=tracer.project.slug)
    before = tracer.meta.read().value("SELECT count(*) FROM audit")
    now_s = clock.now_s()
    at(now_s + 16 * 60)
    answer = tracer.post(target, data)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/account/confirm/?next=")
    assert tracer.meta.read().value("SELECT count(*) FROM audit") == before
    at(now_s + 14 * 60)
    again = tracer.post(target, data)
    assert not again.headers.get("location", "").startswith("/account/confirm/")
    assert tracer.meta.read().value("SELECT count(*) FROM audit") > before


# The end of an organization -----------------------------------------------------------------------


@pytest.fixture
def ended(tracer: Running) -> Any:
    """Deletes the first organization; gives what worked before: token, key, invitation."""
    other = second(tracer)
    tracer.send(message="old secret")
    token = {"Authorization": f"Bearer {tracer.token()}"}
    answer = tracer.api(
        f"/api/0/organizations/{tracer.org.slug}/members/", "POST", json={"email": "n@example.com"}
    )
    link = answer.json()["inviteLink"]
    path = f"/api/0/organizations/{tracer.org.slug}/"
    assert tracer.visitor.get(path, headers=token).status_code == 200
    assert tracer.visitor.get(link).status_code == 200
    assert tracer.post("/settings/delete", {"confirm": tracer.org.slug}).status_code == 303
    return other, token, link, path


def test_deleted_organization_ends_at_once(tracer: Running, ended: Any) -> None:
    _, token, link, path = ended
    assert tracer.visitor.get(path, headers=token).status_code == 401
    assert tracer.visitor.get(link).status_code == 404
    assert tracer.client.get("/issues/").headers["location"].startswith("/login")
    assert tracer.visitor.post(
        f"/api/{tracer.project.id}/store/?sentry_key={tracer.key}", json={"message": "late"}
    ).status_code in (401, 403)
    assert [count(tracer, name) for name in ("members", "invitations", "tokens", "teams")] == [
        0
    ] * 4
    assert queries.count_organizations(tracer.meta.read()) == 1


def test_deleted_organization_leaves_its_slug_and_in_the_end_no_row(
    tracer: Running, ended: Any
) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        again = actions.create_organization(tx, tracer.org.slug, "Again")
    assert again != tracer.org.id
    assert count(tracer, "projects") == 1
    tracer.run_tasks()
    assert count(tracer, "projects") == 0
    gone = "SELECT count(*) FROM organizations WHERE id = :id"
    assert tracer.meta.read().value(gone, id=tracer.org.id) == 0
    assert tracer.meta.read().value("SELECT count(*) FROM issues") == 0


def test_project_that_is_erased_leaves_its_living_organization(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        projects.delete_project(tx, tracer.project)
    tracer.run_tasks()
    assert count(tracer, "projects") == 0
    assert queries.first_organization(tracer.meta.read()) == tracer.org


def test_last_organization_and_its_projects_stay(tracer: Running) -> None:
    assert tracer.post("/settings/delete", {"confirm": tracer.org.slug}).status_code == 409
    assert tracer.page(f"/projects/{tracer.project.slug}/").status_code == 200
    assert tracer.send(message="still taken")
