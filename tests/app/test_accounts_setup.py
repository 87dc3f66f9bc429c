from __future__ import annotations

import re
from typing import Any

import pytest

from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.model import SETUP_AGE_MS

EMAIL = "ada@example.com"


@pytest.fixture
def link(tracer: Running) -> str:
    with tracer.meta.write() as tx:
        return "/setup/" + actions.create_setup_link(tx)


def submit(tracer: Running, link: str, **fields: str) -> Any:
    page = tracer.visitor.get("/login").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf
    data = {"csrf": csrf[1], "email": EMAIL, "password": PASSWORD, **fields}
    return tracer.visitor.post(link, data=data)


def test_first_start_makes_a_link_that_works(tracer: Running) -> None:
    founded = tracer.app.founded
    assert founded is not None
    path = founded.setup_link.removeprefix(founded.url)
    assert "Welcome" in tracer.visitor.get(path).text


def test_link_makes_the_owner_and_leads_to_the_first_project(tracer: Running, link: str) -> None:
    assert tracer.visitor.get(link).status_code == 200
    answer = submit(tracer, link, name="Ada", organization="Analytical Engines")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/projects/{tracer.project.slug}/start/"
    assert tracer.visitor.get(answer.headers["location"]).status_code == 200
    [member] = queries.members(tracer.meta.read(), tracer.org.id)
    assert (member.email, member.name, member.role) == (EMAIL, "Ada", "owner")
    assert "Analytical Engines" in tracer.visitor.get("/members/").text


def test_link_works_once(tracer: Running, link: str) -> None:
    assert submit(tracer, link).status_code == 303
    again = tracer.visitor.get(link)
    assert again.status_code == 404
    assert "does not work" in again.text
    mallory = tracer.browser()
    fields = {"email": "mallory@example.com", "password": PASSWORD}
    assert tracer.post(link, fields, browser=mallory).status_code == 404
    emails = [m.email for m in queries.members(tracer.meta.read(), tracer.org.id)]
    assert emails == [EMAIL]


def test_link_is_dead_once_somebody_has_an_account(tracer: Running, link: str) -> None:
    later_s = clock.now_s() + 5
    clock.set_clock(lambda: later_s)
    tracer.add_user("bob@example.com")
    assert tracer.visitor.get(link).status_code == 404


def test_old_link_is_dead(tracer: Running, link: str) -> None:
    later_s = clock.now_s() + SETUP_AGE_MS / 1000 + 1
    clock.set_clock(lambda: later_s)
    assert tracer.visitor.get(link).status_code == 404


@pytest.mark.parametrize("token", ["nonsense", "%00", "x" * 500, "é"])
def test_made_up_link_gets_a_clear_page(tracer: Running, token: str) -> None:
    answer = tracer.visitor.get(f"/setup/{token}")
    assert answer.status_code == 404
    assert "This link does not work" in answer.text


def test_errors_stand_beside_their_fields_and_nothing_is_stored(tracer: Running, link: str) -> None:
    answer = submit(tracer, link, email="nonsense", password="short", name="x" * 101)
    assert answer.status_code == 422
    for field, text in (
        ("email", "Enter an e-mail address"),
        ("password", "Use at least 8 characters."),
        ("name", "Use at most 100 characters."),
    ):
        assert re.search(rf'id="{field}-error">.*?{text}', answer.text), field
    assert 'value="nonsense"' in answer.text
    assert "short" not in re.findall(r'value="([^"]*)"', answer.text)
    assert not queries.has_users(tracer.meta.read())
    assert submit(tracer, link).status_code == 303


def test_set_up_without_the_csrf_token_is_refused(tracer: Running, link: str) -> None:
    fields = {"email": EMAIL, "password": PASSWORD}
    assert tracer.visitor.post(link, data=fields).status_code == 403
    assert not queries.has_users(tracer.meta.read())
