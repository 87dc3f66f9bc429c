from __future__ import annotations

import re

import pytest

from harness import Running
from tracer.accounts.actions import create_organization
from tracer.projects import queries
from tracer.projects.actions import create_project
from tracer.projects.model import Project


def stored(tracer: Running, slug: str) -> Project:
    from tracer.kit.access import reach_of_all

    reader = tracer.meta.read()
    found = queries.project(reader, reach_of_all(reader, tracer.org.id), slug)
    assert found
    return found


def field_error(page: str, name: str) -> str:
    found = re.search(rf'id="{name}-error">(?:<svg.*?</svg>)?(.*?)</p>', page, re.DOTALL)
    return found[1].strip() if found else ""


def other_organization(tracer: Running) -> Project:
    with tracer.meta.write() as tx:
        organization_id = create_organization(tx, "other", "Other")
        return create_project(tx, organization_id, "secret-plans", "Secret plans")


def test_list_shows_projects_with_their_counts(tracer: Running) -> None:
    shop = tracer.add_project("shop", "python-django")
    tracer.send(message="It broke", project=shop)
    page = tracer.page("/projects/").text
    row = page[page.index("shop</span>") :]
    row = row[: row.index("</tr>")]
    assert re.findall(r'<td class="num">(\d+)</td>', row) == ["1", "1"]
    assert f"/projects/{tracer.project.slug}/start/" in page


def test_list_makes_three_statements_however_many_projects(tracer: Running) -> None:
    for number in range(20):
        tracer.add_project(f"shop-{number}")
    tracer.page("/projects/")
    with tracer.meta.counted() as few:
        reader = tracer.meta.read()
        reach = tracer.reach
        assert len(queries.projects(reader, reach)) == 21
        queries.counts(reader, reach)
    assert few.count == 3


def test_new_project_gets_a_slug_and_a_working_key(tracer: Running) -> None:
    answer = tracer.post("/projects/new", {"name": "Café API", "platform": "python-flask"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/projects/cafe-api/start/python-flask/"
    project = stored(tracer, "cafe-api")
    assert (project.name, project.platform) == ("Café API", "python-flask")
    tracer.send(message="Hello", project=project)


def test_second_project_of_a_name_gets_another_slug(tracer: Running) -> None:
    for slug in ("shop", "shop-2", "shop-3"):
        tracer.post("/projects/new", {"name": "Shop", "platform": "node"})
        assert stored(tracer, slug).name == "Shop"


@pytest.mark.parametrize(
    ("fields", "status", "field", "text"),
    [
        ({"name": "", "platform": "node"}, 422, "name", "Enter a name."),
        ({"name": "x" * 101, "platform": "node"}, 422, "name", "Use at most 100"),
        ({"name": "A", "platform": "node", "slug": "Bad Slug"}, 422, "slug", "Use lower-case"),
        ({"name": "A", "platform": "node", "slug": "123"}, 422, "slug", "at least one letter"),
        ({"name": "A", "platform": "node", "slug": "new"}, 422, "slug", "cannot be a slug"),
        ({"name": "A", "platform": "node", "slug": "taken"}, 409, "slug", "already"),
    ],
)
def test_refused_project_says_which_field_is_wrong(
    tracer: Running, fields: dict[str, str], status: int, field: str, text: str
) -> None:
    tracer.add_project("taken")
    answer = tracer.post("/projects/new", fields)
    assert answer.status_code == status
    assert text in field_error(answer.text, field)
    assert tracer.meta.read().value("SELECT count(*) FROM projects") == 2


def test_project_without_a_platform_is_refused(tracer: Running) -> None:
    answer = tracer.post("/projects/new", {"name": "A"})
    assert answer.status_code == 422
    assert "Choose a platform." in answer.text


def test_settings_are_saved_and_shown(tracer: Running) -> None:
    tracer.add_project("shop")
    fields = {
        "name": "The shop",
        "slug": "the-shop",
        "platform": "go",
        "scrub_ip": "1",
        "sensitive_names": "iban\ntax_id",
        "safe_names": "token_count",
        "allowed_domains": "example.com\n*.example.com",
    }
    answer = tracer.post("/projects/shop/", fields)
    assert answer.headers["location"] == "/projects/the-shop/"
    project = stored(tracer, "the-shop")
    assert project.scrub_ip
    assert not project.scrub_defaults
    assert project.sensitive_names == ("iban", "tax_id")
    assert project.safe_names == ("token_count",)
    assert project.allowed_domains == ("example.com", "*.example.com")
    page = tracer.page("/projects/the-shop/").text
    assert "iban\ntax_id</textarea>" in page
    assert tracer.page("/projects/shop/").status_code == 404


def test_settings_reach_ingest_at_once(tracer: Running) -> None:
    key = tracer.key_of(tracer.project)
    fields = {
        "name": "First",
        "slug": tracer.project.slug,
        "platform": "other",
        "sensitive_names": "iban",
        "allowed_domains": "example.com",
    }
    assert tracer.post(f"/projects/{tracer.project.slug}/", fields).status_code == 303
    found = tracer.tracer.keys.find(key)
    assert found.allowed_domains == ("example.com",)
    assert tracer.tracer.keys.project(tracer.project.id).scrub.sensitive == ("iban",)
    assert tracer.tracer.keys.scrub_rules()[tracer.project.id].defaults is False


def test_refused_settings_keep_what_was_typed(tracer: Running) -> None:
    tracer.add_project("shop")
    fields = {
        "name": "",
        "slug": "Sh op",
        "platform": "go",
        "sensitive_names": "\n".join(f"n{n}" for n in range(300)),
        "allowed_domains": "not a domain",
    }
    answer = tracer.post("/projects/shop/", fields)
    assert answer.status_code == 422
    for field in ("name", "slug", "sensitive_names", "allowed_domains"):
        assert field_error(answer.text, field), field
    assert "not a domain</textarea>" in answer.text
    assert 'value="Sh op"' in answer.text
    assert stored(tracer, "shop").name == "shop"


def test_slug_of_another_project_is_refused(tracer: Running) -> None:
    tracer.add_project("shop")
    fields = {"name": "First", "slug": "shop", "platform": "other"}
    answer = tracer.post(f"/projects/{tracer.project.slug}/", fields)
    assert answer.status_code == 409
    assert "already" in field_error(answer.text, "slug")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/secret-plans/"),
        ("POST", "/projects/secret-plans/"),
        ("POST", "/projects/secret-plans/delete"),
        ("GET", "/projects/secret-plans/keys/"),
        ("POST", "/projects/secret-plans/keys/"),
        ("POST", "/projects/secret-plans/keys/2/rotate"),
        ("POST", "/projects/secret-plans/keys/2/disable"),
        ("GET", "/projects/secret-plans/start/"),
        ("GET", "/projects/secret-plans/start/python/"),
        ("GET", "/projects/secret-plans/waiting"),
        ("POST", "/projects/secret-plans/sample"),
    ],
)
def test_project_of_another_organization_is_not_there(
    tracer: Running, method: str, path: str
) -> None:
    project = other_organization(tracer)
    assert project.id == 2
    answer = tracer.page(path) if method == "GET" else tracer.post(path, {"confirm": project.slug})
    assert answer.status_code == 404
    assert "Secret plans" not in answer.text
    assert "secret-plans" not in tracer.page("/projects/").text


def test_key_of_another_project_is_not_there(tracer: Running) -> None:
    project = other_organization(tracer)
    [key] = queries.keys(tracer.meta.read(), project.id)
    for verb in ("rotate", "disable", "enable", "delete", "rename"):
        path = f"/projects/{tracer.project.slug}/keys/{key.id}/{verb}"
        assert tracer.post(path, {"overlap": "1d"}).status_code == 404, verb


def test_viewer_sees_but_changes_nothing(tracer: Running) -> None:
    viewer = tracer.login("eve@example.com", "viewer")
    slug = tracer.project.slug
    page = tracer.page(f"/projects/{slug}/", browser=viewer)
    assert page.status_code == 200
    assert "Delete project" not in page.text
    assert ">Save<" not in page.text
    for path in (
        f"/projects/{slug}/",
        f"/projects/{slug}/delete",
        f"/projects/{slug}/keys/",
        f"/projects/{slug}/keys/1/disable",
        f"/projects/{slug}/sample",
        "/projects/new",
    ):
        answer = tracer.post(path, {"name": "x", "slug": "x", "confirm": slug}, browser=viewer)
        assert answer.status_code == 403, path
    assert stored(tracer, slug).name == tracer.project.name


def test_form_without_the_csrf_token_is_refused(tracer: Running) -> None:
    browser = tracer.login()
    for path in ("/projects/new", f"/projects/{tracer.project.slug}/delete"):
        fields = {"name": "x", "platform": "node", "confirm": tracer.project.slug}
        assert browser.post(path, data=fields).status_code == 403
        assert browser.post(path, data={**fields, "csrf": "a.b"}).status_code == 403
    assert tracer.meta.read().value("SELECT count(*) FROM projects WHERE deleted_at IS NULL") == 1
