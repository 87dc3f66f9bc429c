"""The server's own errors: in a project of their own, for server administrators, without loops."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import Running, running
from tracer import manifest
from tracer.accounts.actions import set_server_admin
from tracer.features.operations import queries, tasks
from tracer.kit.context import Req
from tracer.kit.feature import Feature
from tracer.kit.own_errors import A_MINUTE, OwnErrors
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes
from tracer.kit.samples import SLOW_S, Sample
from tracer.storage.timing import SlowQuery

broken = Routes()
log = logging.getLogger("tracer.web")


@broken.get("/broken/", can=Permission.LOGGED_IN)
def fail(req: Req) -> None:
    raise RuntimeError("could not reach https://bob:hunter22@db.example.com token=abcdef123456")


@pytest.fixture
def tracer(tmp_path: Path) -> Iterator[Running]:
    """The application with a page that has a bug."""
    features = (*manifest.FEATURES, Feature("broken", routes=(broken,)))
    with running(tmp_path / "data", features) as started:
        yield started


def admin(tracer: Running, email: str = "owner@example.com", *, value: bool = True) -> None:
    user_id = tracer.add_user(email)
    with tracer.meta.write() as tx:
        set_server_admin(tx, user_id, value)


def own(tracer: Running) -> queries.OwnProject:
    tasks.deliver(tracer.tracer)
    tracer.digest()
    found = queries.own_project(tracer.meta.read())
    assert found is not None
    return found


def titles(tracer: Running) -> list[str]:
    project = own(tracer)
    sql = "SELECT title FROM issues WHERE project_id = :id ORDER BY id"
    return [row[0] for row in tracer.meta.read().rows(sql, id=project.id)]


def test_bug_of_a_page_becomes_an_event_that_its_id_leads_to(tracer: Running) -> None:
    admin(tracer)
    page = tracer.page("/broken/")
    assert page.status_code == 500
    link = re.search(r'href="(/settings/server/errors/([0-9a-f]{32}))"', page.text)
    assert link is not None
    assert f"Internal error {link[2][:12]}" in page.text
    project = own(tracer)
    found = tracer.page(link[1])
    assert found.status_code == 200
    opened = tracer.post(link[1])
    assert opened.status_code == 303
    event = tracer.page(opened.headers["location"])
    assert event.status_code == 200
    assert "RuntimeError" in event.text
    assert "test_operations_own_errors.py" in event.text
    assert page.headers["x-request-id"] in event.text
    assert tracer.page(link[1]).headers["location"] == opened.headers["location"]
    assert project.organization_id != tracer.org.id


def test_report_holds_no_secret_and_no_variable(tracer: Running) -> None:
    tracer.page("/broken/")
    [event] = tracer.tracer.own_errors.waiting
    assert "hunter22" not in str(event)
    assert "abcdef123456" not in str(event)
    assert "'vars'" not in str(event)
    assert str(Path(__file__).parent) not in str(event)


def test_only_server_administrators_see_the_project(tracer: Running) -> None:
    admin(tracer)
    admin(tracer, "second@example.com")
    plain = tracer.login("plain@example.com", "owner")
    tracer.page("/broken/")
    project = own(tracer)
    members = "SELECT u.email FROM members m JOIN users u ON u.id = m.user_id "
    members += "WHERE m.organization_id = :id ORDER BY u.email"

    def who() -> list[str]:
        return [row[0] for row in tracer.meta.read().rows(members, id=project.organization_id)]

    assert who() == ["owner@example.com", "second@example.com"]
    page = tracer.page("/broken/", browser=plain)
    assert "/settings/server/errors/" not in page.text
    assert tracer.page("/settings/server/", browser=plain).status_code == 403
    assert "This server" not in tracer.page("/organizations/", browser=plain).text
    switch = f"/organizations/{project.organization_id}/switch"
    assert tracer.post(switch, browser=plain).status_code == 404
    admin(tracer, "second@example.com", value=False)
    assert who() == ["owner@example.com"]
    admin(tracer, "plain@example.com")
    assert who() == ["owner@example.com", "plain@example.com"]


def test_same_error_is_reported_once_a_minute(tracer: Running) -> None:
    for _ in range(5):
        tracer.page("/broken/")
    assert len(titles(tracer)) == 1
    assert tracer.tracer.own_errors.left_out == 4


def test_error_while_reporting_causes_no_report() -> None:
    errors = OwnErrors()
    alone = logging.Logger("tracer.alone")
    alone.addHandler(errors)

    class Loops:
        def __str__(self) -> str:
            alone.error("again")
            raise ValueError("and again")

    alone.error("%s", Loops())
    assert list(errors.waiting) == []
    assert errors.left_out == 1


@pytest.mark.parametrize("name", ["tracer.own", "tracer.otlp"])
def test_errors_of_reporting_itself_are_never_reported(tracer: Running, name: str) -> None:
    logging.getLogger(name).error("the report could not be handed over")
    assert not tracer.tracer.own_errors.waiting


def test_reports_are_few_whatever_happens() -> None:
    errors = OwnErrors()
    for number in range(500):
        errors.note_query(SlowQuery("meta", f"SELECT {number}", 9.0))
    assert len(errors.waiting) == A_MINUTE


def test_slow_requests_and_very_slow_queries_are_reported(tracer: Running) -> None:
    query = SlowQuery("events", "SELECT count(*) FROM events", SLOW_S)
    sample = Sample(0, SLOW_S, "GET", "/issues/", 200, "id-1", "slow", "ab" * 16, "", (query,))
    tracer.tracer.samples.keep(sample)
    tracer.tracer.samples.keep(replace(sample, route="/api/{project_id:int}/store/", trace_id=""))
    tracer.tracer.own_errors.note_query(query)
    tracer.tracer.own_errors.note_query(query._replace(sql="SELECT 1", seconds=0.2))
    found = titles(tracer)
    assert "Slow request: GET /issues/" in found[0]
    assert "Slow query of events" in found[1]
    assert len(found) == 2


def test_deleted_project_is_made_anew_and_a_closed_key_ends_the_reports(tracer: Running) -> None:
    tracer.page("/broken/")
    first = own(tracer)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE project_keys SET is_active = 0 WHERE project_id = :id", id=first.id)
    tracer.tracer.own_errors.note_query(SlowQuery("meta", "SELECT 2", 9.0))
    assert own(tracer) == first
    assert not tracer.tracer.own_errors.waiting
    assert len(titles(tracer)) == 1


def test_reports_can_be_switched_off(tmp_path: Path) -> None:
    with running(tmp_path, own_errors="off") as tracer:
        log.error("nobody wants to know")
        tracer.tracer.samples.keep(Sample(0, 9, "GET", "/issues/", 200, "id-1", "slow"))
        assert not tracer.tracer.own_errors.waiting
