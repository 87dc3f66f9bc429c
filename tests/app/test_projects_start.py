from __future__ import annotations

from html import unescape

import pytest

from harness import Running
from tracer.projects.platforms import PLATFORMS


@pytest.fixture
def start(tracer: Running) -> str:
    return f"/projects/{tracer.project.slug}/start/"


def test_every_platform_can_be_chosen(tracer: Running) -> None:
    tracer.add_project("shop", "go")
    page = tracer.page("/projects/shop/start/").text
    for platform in PLATFORMS.values():
        assert f'href="/projects/shop/start/{platform.id}/"' in page
        assert platform.name in page


def test_first_choice_is_stored_with_the_project(tracer: Running, start: str) -> None:
    assert 'value="python-flask"' in tracer.page(start).text
    answer = tracer.post(start, {"platform": "python-flask"})
    assert answer.headers["location"] == f"{start}python-flask/"
    assert tracer.tracer.keys.project(tracer.project.id).platform == "python-flask"
    tracer.post(start, {"platform": "go"})
    assert tracer.tracer.keys.project(tracer.project.id).platform == "python-flask"
    assert tracer.post(start, {"platform": "cobol"}).status_code == 400


def test_every_guide_has_the_dsn_filled_in(tracer: Running, start: str) -> None:
    dsn = f"http://{tracer.key}@testserver/{tracer.project.id}"
    for platform_id in PLATFORMS:
        answer = tracer.page(f"{start}{platform_id}/")
        assert answer.status_code == 200
        assert unescape(answer.text).count(dsn) >= 2, platform_id
        assert "Waiting for the first event" in answer.text


def test_unknown_platform_is_not_there(tracer: Running, start: str) -> None:
    for name in ("cobol", "..%2Fsamples", "samples"):
        assert tracer.page(f"{start}{name}/").status_code == 404


def test_guide_says_that_otlp_is_not_there_yet(tracer: Running, start: str) -> None:
    page = tracer.page(f"{start}opentelemetry/").text
    assert f"/api/{tracer.project.id}/integration/otlp/v1/traces" in page
    assert "not kept yet" in page


def test_project_without_a_working_key_says_so(tracer: Running, start: str) -> None:
    tracer.post(f"/projects/{tracer.project.slug}/keys/1/disable")
    page = tracer.page(f"{start}python/").text
    assert "No key of this project works" in page
    assert tracer.post(f"/projects/{tracer.project.slug}/sample").status_code == 409


def test_panel_turns_over_when_the_first_event_arrives(tracer: Running) -> None:
    path = f"/projects/{tracer.project.slug}/waiting"
    before = tracer.page(path, part=True).text
    assert 'id="project-waiting"' in before
    assert 'hx-trigger="every 2s"' in before
    assert f'data-live="/live/?topic=project:{tracer.project.id}"' in before
    assert "<html" not in before
    tracer.send(message="Hello")
    after = tracer.page(path, part=True).text
    issue_id = tracer.meta.read().value("SELECT id FROM issues")
    assert 'id="project-waiting"' in after
    assert f'href="/issues/{issue_id}/"' in after
    assert "hx-trigger" not in after


def test_sample_event_takes_the_real_road_to_an_issue(tracer: Running) -> None:
    root = f"/projects/{tracer.project.slug}/"
    answer = tracer.post(f"{root}sample", {"platform": "python-django"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{root}start/python-django/"
    tracer.digest()
    title, platform = tracer.meta.read().row("SELECT title, platform FROM issues")
    assert title.startswith("PaymentError")
    assert platform == "python"
    assert "See the first issue" in tracer.page(answer.headers["location"]).text


def test_sample_event_of_every_platform_is_digested(tracer: Running) -> None:
    for platform_id in PLATFORMS:
        path = f"/projects/{tracer.project.slug}/sample"
        assert tracer.post(path, {"platform": platform_id}).status_code == 303
    tracer.digest()
    assert tracer.tracer.spool.letters.read.count() == 0
    reader = tracer.meta.read()
    assert reader.value("SELECT sum(event_count) FROM issues") == len(PLATFORMS)
    stored = {row[0] for row in reader.rows("SELECT platform FROM issues")}
    assert stored >= {"python", "javascript", "node", "go", "java", "csharp", "php", "ruby"}
    bad = reader.rows("SELECT * FROM outcomes WHERE outcome != 'stored'")
    assert bad == []


def test_sample_event_of_an_unknown_platform_is_refused(tracer: Running) -> None:
    answer = tracer.post(f"/projects/{tracer.project.slug}/sample", {"platform": "cobol"})
    assert answer.status_code == 400
