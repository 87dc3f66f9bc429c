from __future__ import annotations

import pytest

from harness import Running
from tracer.projects.model import Project
from tracer.storage.tables import EVENTS, PAYLOADS


@pytest.fixture
def shop(tracer: Running) -> Project:
    project = tracer.add_project("shop")
    attachment = ({"type": "attachment", "filename": "log.txt"}, b"only the shop has this")
    both = ({"type": "attachment", "filename": "both.txt"}, b"both have this")
    tracer.send(message="In the shop", project=project, items=[attachment, both])
    tracer.send(message="Elsewhere", items=[both])
    return project


def delete(tracer: Running, project: Project) -> None:
    answer = tracer.post(f"/projects/{project.slug}/delete", {"confirm": project.slug})
    assert answer.headers["location"] == "/projects/"


def rows_that_name(tracer: Running, project_id: int) -> dict[str, int]:
    reader = tracer.meta.read()
    tables = reader.rows(
        """
        SELECT t.name
        FROM sqlite_schema t
        JOIN pragma_table_info(t.name) c ON c.name = 'project_id'
        WHERE t.type = 'table' AND t.name <> 'audit'
        """
    )
    counts = {
        name: reader.value(f'SELECT count(*) FROM "{name}" WHERE project_id = :id', id=project_id)
        for (name,) in tables
    }
    return {name: count for name, count in counts.items() if count}


def test_deletion_wants_the_slug_typed(tracer: Running, shop: Project) -> None:
    for typed in ("", "Shop", "shop2"):
        answer = tracer.post("/projects/shop/delete", {"confirm": typed})
        assert answer.status_code == 422
        assert "Type shop to confirm." in answer.text
    assert tracer.page("/projects/shop/").status_code == 200


def test_deleted_project_is_gone_at_once(tracer: Running, shop: Project) -> None:
    key = tracer.key_of(shop)
    issue_id = tracer.meta.read().value("SELECT id FROM issues WHERE project_id = :p", p=shop.id)
    assert tracer.page(f"/issues/{issue_id}/").status_code == 200
    delete(tracer, shop)
    assert tracer.page("/projects/shop/").status_code == 404
    assert tracer.page(f"/issues/{issue_id}/").status_code == 404
    assert "shop</span>" not in tracer.page("/projects/").text
    assert tracer.tracer.keys.find(key) is None
    assert tracer.tracer.keys.project(shop.id) is None


def test_everything_of_a_deleted_project_is_erased(tracer: Running, shop: Project) -> None:
    other = tracer.project
    kept = rows_that_name(tracer, other.id)
    blobs = dict(tracer.meta.read().rows("SELECT name, blob FROM attachments"))
    delete(tracer, shop)
    tracer.run_tasks()
    tracer.run_tasks()
    assert rows_that_name(tracer, shop.id) == {}
    assert tracer.meta.read().value("SELECT count(*) FROM projects WHERE id = :p", p=shop.id) == 0
    assert tracer.meta.read().value("SELECT count(*) FROM tasks") == 0
    for table in (EVENTS, PAYLOADS):
        assert tracer.tracer.events.erase(table, shop.id) == 0
    assert not tracer.tracer.blobs.exists(blobs["log.txt"])
    assert tracer.tracer.blobs.exists(blobs["both.txt"])
    assert rows_that_name(tracer, other.id) == kept
    assert tracer.tracer.events.erase(EVENTS, other.id) == 1


def test_slug_of_a_deleted_project_is_free_again(tracer: Running, shop: Project) -> None:
    delete(tracer, shop)
    again = tracer.add_project("shop")
    assert again.id != shop.id
    tracer.run_tasks()
    assert tracer.page("/projects/shop/").status_code == 200
    tracer.send(message="Hello", project=again)
    assert tracer.meta.read().value("SELECT count(*) FROM issues WHERE project_id = :p", p=again.id)


def test_project_that_is_not_deleted_is_never_erased(tracer: Running, shop: Project) -> None:
    from tracer.projects.tasks import erase_project

    before = rows_that_name(tracer, shop.id)
    erase_project(tracer.tracer, shop.id)
    assert rows_that_name(tracer, shop.id) == before
    assert tracer.tracer.events.erase(EVENTS, shop.id) == 1
