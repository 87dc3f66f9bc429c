"""The accounting page and its API: what is shown of what was sent, and to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import Running, running
from tracer.accounts import actions
from tracer.accounts import queries as account_queries
from tracer.features.accounting import queries
from tracer.features.accounting.pages import PATH


@pytest.fixture
def tracer(tmp_path: Any) -> Any:
    with running(tmp_path / "data") as site:
        yield site


def send_all_kinds(tracer: Running) -> None:
    report = {
        "discarded_events": [{"reason": "queue_overflow", "category": "error", "quantity": 9}]
    }
    tracer.send(
        message="kept",
        items=[
            ({"type": "log", "item_count": 40}, {}),
            ({"type": "event"}, b"not JSON"),
            ({"type": "client_report"}, report),
        ],
    )


def cells(page: str, category: str) -> list[str]:
    """The texts of the row of a category."""
    row = re.search(rf"<tr>(?:(?!</tr>).)*<td>{category}</td>.*?</tr>", page, re.S)
    assert row, page
    return [
        re.sub(r"<[^>]*>", "", cell).strip()
        for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[0], re.S)
    ]


def test_page_shows_what_became_of_every_item(tracer: Running) -> None:
    send_all_kinds(tracer)
    page = tracer.page(PATH).text
    # Accepted, stored, invalid, unsupported, waiting, dropped by SDKs.
    assert cells(page, "error")[2:8] == ["2", "1", "1", "0", "0", "9"]
    assert cells(page, "log_item")[2:8] == ["40", "0", "0", "40", "0", "0"]
    assert "queue_overflow" in page
    assert "do not balance" not in page


def test_hours_of_a_category_are_told_apart_from_the_others(tracer: Running) -> None:
    send_all_kinds(tracer)
    page = tracer.page(f"{PATH}?project={tracer.project.slug}&category=log_item").text
    assert "log_item" in page
    assert re.search(r"<b>40</b>", page)
    assert tracer.page(f"{PATH}?project={tracer.project.slug}&category=span").status_code == 404


def test_what_waits_for_digest_is_shown_as_waiting(tracer: Running) -> None:
    tracer.page(PATH)  # who asks is known before digest is held up
    with tracer.meta.write():
        tracer.send(message="not yet", digest=False)
        page = tracer.page(PATH).text
    assert cells(page, "error")[2:5] == ["1", "0", "1"]
    tracer.digest()
    assert cells(tracer.page(PATH).text, "error")[2:5] == ["1", "1", "0"]


def test_nothing_is_shown_of_projects_out_of_reach(tracer: Running) -> None:
    send_all_kinds(tracer)
    secret = tracer.add_project("secret")
    tracer.send(message="hidden", project=secret)
    member = tracer.login("member@example.com", "member")
    with tracer.meta.write() as tx:
        home = account_queries.organization_settings(tx, tracer.org.id)
        actions.update_organization(tx, home, is_open=False)
    assert "secret" in tracer.page(PATH).text
    page = tracer.page(PATH, browser=member)
    assert page.status_code == 200
    assert "secret" not in page.text
    assert tracer.page(f"{PATH}?project=secret", browser=member).status_code == 404


def test_an_imbalance_is_said_in_red(tracer: Running) -> None:
    send_all_kinds(tracer)
    with tracer.meta.write(unaudited="a fault") as tx:
        tx.execute("UPDATE accepted SET quantity = quantity + 3 WHERE category = 'error'")
    page = tracer.page(PATH).text
    assert "do not balance" in page
    assert "3 missing" in page


def test_api_tells_the_same(tracer: Running) -> None:
    send_all_kinds(tracer)
    path = f"/api/0/organizations/{tracer.org.slug}/accounting/"
    lines = {line["category"]: line for line in tracer.api(path).json()}
    assert lines["error"]["accepted"] == 2
    assert lines["error"]["outcomes"] == {"stored": 1, "invalid": 1}
    assert lines["error"]["missing"] == 0
    assert lines["error"]["clientDiscards"] == {"queue_overflow": 9}
    assert [hour["accepted"] for hour in lines["log_item"]["hours"]] == [40]
    assert tracer.api(path + "?project=nothing").json() == []
    assert tracer.api(path + "?statsPeriod=2y").status_code == 400
    assert tracer.api(path, scopes=["event:read"]).status_code == 403


def test_page_keeps_to_its_budget(tracer: Running) -> None:
    send_all_kinds(tracer)
    reader, spool = tracer.meta.read(), tracer.tracer.spool
    with tracer.meta.counted() as counter:
        queries.accounts(reader, spool, [tracer.project.id], hours=24, now_ms=2**41)
    assert counter.count <= queries.BUDGET
