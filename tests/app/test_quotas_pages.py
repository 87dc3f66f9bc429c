"""The pages of quotas: use, forecast, what one would have dropped, setting and removing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import Running, envelope
from tracer import clock
from tracer.ingest.outcomes import HOUR_MS
from tracer.projects import queries as projects
from tracer.storage.counting import counted

PAGE = "/settings/quotas/"
QUERY_BUDGET = 12
EVENT = ({"type": "event"}, {"message": "It broke"})
FORM = {"category": "error", "amount": "2", "per": "month", "kind": "hard"}


@pytest.fixture
def root(tracer: Running) -> str:
    return f"/projects/{tracer.project.slug}/quotas/"


def set_quota(tracer: Running, path: str, **changes: str) -> Any:
    """Asks for the effect first, as people do."""
    shown = tracer.post(path, {**FORM, **changes})
    assert shown.status_code == 200, shown.text
    found = re.search(r'name="tried" value="([^"]+)"', shown.text)
    assert found
    return tracer.post(path, {**FORM, **changes, "tried": found[1]})


def rows(tracer: Running) -> list[Any]:
    return tracer.meta.read().rows("SELECT project_id, category, window_s, amount FROM quotas")


def hour_of_errors(tracer: Running, hours_ago: int, count: int) -> None:
    now = clock.now_ms()
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute(
            "INSERT INTO outcomes VALUES (:p, :at, 'error', 'stored', '', :n)",
            p=tracer.project.id,
            at=now - now % HOUR_MS - hours_ago * HOUR_MS,
            n=count,
        )


def test_effect_is_shown_before_anything_is_set(tracer: Running, root: str) -> None:
    for hours_ago in (2, 5):
        hour_of_errors(tracer, hours_ago, 100)
    answer = tracer.post(root, {**FORM, "per": "hour", "amount": "30"})
    assert answer.status_code == 200
    text = re.sub(r"\s+", " ", answer.text)
    assert "would have dropped 80 of 200 (40.0 %), in 2 hours" in text
    assert rows(tracer) == []


def test_changed_form_is_reckoned_again(tracer: Running, root: str) -> None:
    answer = tracer.post(root, {**FORM, "tried": "error|0|1|1|0"})
    assert answer.status_code == 200
    assert rows(tracer) == []


def test_quota_of_a_project_is_set_holds_and_is_removed(tracer: Running, root: str) -> None:
    assert set_quota(tracer, root).headers["location"] == root
    assert rows(tracer) == [(tracer.project.id, "error", 0, 2)]
    raw = envelope({}, [EVENT])
    assert [tracer.post_envelope(raw).status_code for _ in range(3)] == [200, 200, 429]
    tracer.digest()
    page = tracer.page(root).text
    assert "2 errors a month" in page
    assert "2 of 2" in page
    quota_id = tracer.meta.read().value("SELECT id FROM quotas")
    assert tracer.post(f"{root}{quota_id}/remove").status_code == 303
    assert rows(tracer) == []
    assert tracer.post_envelope(raw).status_code == 200


def test_organizations_page_shows_use_forecast_and_all_quotas(tracer: Running, root: str) -> None:
    set_quota(tracer, PAGE, amount="5000")
    set_quota(tracer, root, per="minute", amount="60")
    tracer.send(message="It broke")
    text = tracer.page(PAGE).text
    for shown in ("5,000 errors a month", "60 errors a minute", "This month", "Forecast"):
        assert shown in text
    assert "1 of 5,000" in text


def test_quota_of_a_key_is_shown_with_its_label(tracer: Running, root: str) -> None:
    key = projects.working_key(tracer.meta.read(), tracer.project.id)
    set_quota(tracer, root, key=str(key.id), per="hour")
    assert f"key {key.label}" in tracer.page(root).text
    assert "at most 2 events an hour" in tracer.page(f"/projects/{tracer.project.slug}/keys/").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "-1"},
        {"amount": "1000000001"},
        {"amount": "1.5"},
        {"amount": ""},
        {"amount": "9" * 30},
        {"category": "cats"},
        {"per": "century"},
        {"per": "0"},
        {"kind": "gentle"},
        {"amount": "0", "kind": "soft"},
        {"key": "999"},
    ],
)
def test_what_makes_no_quota_is_refused(tracer: Running, root: str, wrong: dict[str, str]) -> None:
    answer = tracer.post(root, {**FORM, **wrong})
    assert answer.status_code == 422
    assert answer.text.count("field-error") == 1
    assert rows(tracer) == []


def test_key_of_another_project_is_refused(tracer: Running, root: str) -> None:
    other = tracer.add_project("other")
    key = projects.working_key(tracer.meta.read(), other.id)
    assert tracer.post(root, {**FORM, "key": str(key.id)}).status_code == 422


def test_who_may_only_look_is_shown_no_form(tracer: Running, root: str) -> None:
    set_quota(tracer, root)
    viewer = tracer.login("viewer@example.com", "viewer")
    for path in (PAGE, root):
        page = tracer.page(path, browser=viewer)
        assert page.status_code == 200
        assert "2 errors a month" in page.text
        assert "quota-form" not in page.text
        assert tracer.post(path, FORM, browser=viewer).status_code == 403
    quota_id = tracer.meta.read().value("SELECT id FROM quotas")
    assert tracer.post(f"{root}{quota_id}/remove", browser=viewer).status_code == 403
    assert tracer.post(f"{root}protection", browser=viewer).status_code == 403


def test_admin_sets_quotas_of_projects_and_not_of_the_organization(
    tracer: Running, root: str
) -> None:
    admin = tracer.login("admin@example.com", "admin")
    assert tracer.post(root, FORM, browser=admin).status_code == 200
    assert tracer.post(PAGE, FORM, browser=admin).status_code == 403


def test_quota_of_a_project_is_not_removed_by_the_organizations_door(
    tracer: Running, root: str
) -> None:
    set_quota(tracer, root)
    quota_id = tracer.meta.read().value("SELECT id FROM quotas")
    assert tracer.post(f"{PAGE}{quota_id}/remove").status_code == 404
    other = tracer.add_project("other")
    assert tracer.post(f"/projects/{other.slug}/quotas/{quota_id}/remove").status_code == 404
    assert len(rows(tracer)) == 1


def test_too_many_quotas_in_one_place_are_refused(tracer: Running, root: str) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.many(
            """
            INSERT INTO quotas
                (organization_id, project_id, category, window_s, amount, is_hard, created_at)
            VALUES (?, ?, 'error', ?, 1, 1, 1)
            """,
            [(tracer.org.id, tracer.project.id, 100 + n) for n in range(50)],
        )
    answer = set_quota(tracer, root)
    assert answer.status_code == 409
    assert "at most 50 quotas" in answer.text


def test_spike_protection_is_switched_off_and_on(tracer: Running, root: str) -> None:
    assert 'name="spike_protection" value="1" checked' in tracer.page(root).text
    assert tracer.post(f"{root}protection", {}).status_code == 303
    assert not tracer.tracer.keys.is_protected(tracer.project.id)
    tracer.post(f"{root}protection", {"spike_protection": "1"})
    assert tracer.tracer.keys.is_protected(tracer.project.id)


def test_settings_of_a_project_leave_spike_protection_alone(tracer: Running, root: str) -> None:
    tracer.post(f"{root}protection", {})
    form = {"name": "x", "slug": tracer.project.slug, "platform": "python"}
    assert tracer.post(f"/projects/{tracer.project.slug}/", form).status_code == 303
    assert not tracer.tracer.keys.is_protected(tracer.project.id)


def test_what_is_exceeded_is_told_above_the_pages(tracer: Running, root: str) -> None:
    assert "notice-" not in tracer.page("/quotas/notices").text
    set_quota(tracer, root, amount="0")
    set_quota(tracer, PAGE, amount="1", kind="soft", category="attachment")
    tracer.post_envelope(envelope({}, [EVENT]))
    file = ({"type": "attachment", "filename": "a"}, b"text")
    for _ in range(2):
        tracer.post_envelope(envelope({"event_id": clock.new_id()}, [file]))
    tracer.digest()
    tracer.tracer.digest.flush()
    text = tracer.page("/quotas/notices").text
    assert "notice-error" in text
    assert "0 errors a month" in text
    assert "notice-warning" in text
    assert "1 attachment a month" in text
    for path in ("/issues/", "/projects/", root):
        assert 'hx-get="/quotas/notices"' in tracer.page(path).text or path == root


def test_many_notices_are_summed_up(tracer: Running, root: str) -> None:
    for n in range(5):
        set_quota(tracer, root, amount="0", per=str(100 + n))
    tracer.post_envelope(envelope({}, [EVENT]))
    tracer.tracer.digest.flush()
    text = tracer.page("/quotas/notices").text
    assert text.count("notice-error") == 3
    assert "2 more notices" in text


def test_pages_keep_their_query_budget(tracer: Running, root: str) -> None:
    for n in range(5):
        tracer.add_project(f"more-{n}")
        set_quota(tracer, PAGE, per=str(100 + n))
    for path in (PAGE, root, "/quotas/notices"):
        tracer.page(path)
        with counted() as queries:
            assert tracer.page(path).status_code == 200
        assert queries.count <= QUERY_BUDGET, path
