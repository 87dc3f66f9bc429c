"""Organizations with more people, teams and projects than a select can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from tracer.accounts import queries
from tracer.issues.pages.listing import SELECTABLE

MANY = SELECTABLE + 10


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: Any) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("size") / "data"
    with running(folder) as started:
        fill(started)
        yield started


def fill(tracer: Running) -> None:
    org = tracer.org.id
    with tracer.meta.write(unaudited="test") as tx:
        for number in range(MANY):
            user = tx.insert(
                "INSERT INTO users (email, name, created_at) VALUES (:email, :name, 1)",
                email=f"user{number:03}@example.com",
                name=f"Person {number:03}",
            )
            tx.execute("INSERT INTO members VALUES (:org, :user, 'member', 1)", org=org, user=user)
            for table in ("teams", "projects"):
                tx.execute(
                    f"INSERT INTO {table} (organization_id, slug, name, created_at)"
                    " VALUES (:org, :slug, :name, 1)",
                    org=org,
                    slug=f"{table}-{number:03}",
                    name=f"The {table} {number:03}",
                )
    tracer.send(message="one")


def options(html: str) -> list[str]:
    return re.findall(r'<option value="([^"]*)"', html)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/members/suggest?email=USER057", ["user057@example.com"]),
        ("/members/suggest?assigned=person+058", ["user058@example.com"]),
        ("/teams/suggest?team=058", ["teams-058"]),
        ("/teams/suggest?teams=teams-001%2C+057", ["teams-001, teams-057"]),
        ("/projects/suggest?project=The+projects+055", ["projects-055"]),
        ("/members/suggest?email=nobody", []),
    ],
)
def test_fields_offer_what_fits_as_one_types(tracer: Running, path: str, found: list[str]) -> None:
    assert options(tracer.page(path, part=True).text) == found


@pytest.mark.parametrize("path", ["/members/suggest", "/teams/suggest", "/projects/suggest"])
def test_fields_offer_a_few_of_many(tracer: Running, path: str) -> None:
    assert len(options(tracer.page(path, part=True).text)) == 20


def test_issue_list_offers_projects_and_people_to_type(tracer: Running) -> None:
    html = tracer.page("/issues/").text
    assert '<select class="input select-small" name="project"' not in html
    assert '<select class="input select-small" name="assigned"' not in html
    assert 'hx-get="/projects/suggest"' in html
    assert len(options(html)) < 80
    assert "one" in tracer.page(f"/issues/?project={tracer.project.slug}").text
    assert tracer.page("/issues/?project=projects-059").status_code == 200
    assert tracer.page("/issues/?project=nothing").status_code == 404


def test_issue_is_assigned_to_somebody_who_was_looked_up(tracer: Running) -> None:
    found = queries.member_by_email(tracer.meta.read(), tracer.org.id, "user059@example.com")
    [issue_id] = tracer.meta.read().row("SELECT id FROM issues")
    head = tracer.page(f"/issues/{issue_id}/").text
    assert "Person 059" not in head
    assert f'hx-get="/issues/assignees?issue={issue_id}"' in head
    shown = tracer.page(f"/issues/assignees?find=son+059&issue={issue_id}", part=True).text
    assert f'value="{found.user_id}"' in shown
    assert f'formaction="/issues/{issue_id}/assign"' in shown
    assert tracer.post(f"/issues/{issue_id}/assign", {"user": found.user_id}).status_code == 303
    assert "one" in tracer.page("/issues/?assigned=user059@example.com").text
    bulk = tracer.page("/issues/assignees?find=son+058", part=True).text
    assert 'name="assign"' in bulk
    assert "Nobody found" in tracer.page("/issues/assignees?find=zzz", part=True).text


def test_member_of_a_team_is_found_far_down_the_list(tracer: Running) -> None:
    data = {"email": "user059@example.com", "role": "lead"}
    assert tracer.post("/teams/teams-059/members", data).status_code == 303
    data = {"project": "projects-059"}
    assert tracer.post("/teams/teams-059/projects", data).status_code == 303
    html = tracer.page("/teams/teams-059/").text
    assert "Person 059" in html
    assert "The projects 059" in html


def test_feedback_is_narrowed_to_a_project_by_its_slug(tracer: Running) -> None:
    html = tracer.page("/feedback/").text
    assert 'hx-get="/projects/suggest"' in html
    assert "<select" not in html
    assert tracer.page("/feedback/?project=projects-059").status_code == 200
    assert tracer.page("/feedback/?project=nothing").status_code == 404
