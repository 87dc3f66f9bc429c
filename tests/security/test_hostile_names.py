"""Hostile names of people, teams, tokens and all else that has one: pages show them as text."""

from __future__ import annotations

import pytest

from security.hostile import EVIL, URL, Page, wrong_in
from security.poisoned import INVITATION, JOINING, poison
from security.shown import Shown
from tracer import clock
from tracer.channels import mail


@pytest.fixture(scope="module")
def named(shown: Shown) -> Shown:
    """Everything that has a name has a hostile one."""
    shown.app.send({"message": "named", "release": "evil@1"})
    with shown.app.meta.write(unaudited="test") as tx:
        poison(lambda sql, values: tx.execute(sql, **values), clock.now_ms())
    return shown


def issue_id(shown: Shown) -> int:
    return int(shown.app.meta.read().value("SELECT min(id) FROM issues"))


#: Pages that show them, besides those that need no value in their address.
def pages(shown: Shown) -> list[str]:
    slug, reader = shown.app.project.slug, shown.app.meta.read()
    policy = reader.value("SELECT max(id) FROM policies")
    return [
        f"/issues/{issue_id(shown)}/",
        f"/projects/{slug}/",
        f"/projects/{slug}/keys/",
        f"/projects/{slug}/start/",
        "/teams/evil/",
        f"/settings/policies/{policy}/",
        f"/settings/policies/explain?email=owner&permission={EVIL[:20]}",
        f"/settings/policies/dry-run?policy={policy}",
        "/settings/audit/?query=evil",
        "/settings/audit/?server=1",
    ]


def test_hostile_names_are_shown_as_text(named: Shown) -> None:
    wrong, seen = {}, set()
    for path in [*named.pages_without_places(), *pages(named)]:
        answer = named.page(path)
        assert answer.status < 500, path
        if answer.status == 200 and "html" in answer.header("content-type"):
            page = Page(answer.text)
            if page.wrong:
                wrong[path] = page.wrong
            if "evil()" in page.text:
                seen.add(path)
    assert wrong == {}
    for path in (
        "/account/",
        "/account/security/",
        "/account/tokens/",
        "/issues/",
        "/members/",
        "/organizations/",
        "/projects/",
        "/settings/",
        "/settings/audit/",
        "/settings/mail/",
        "/settings/policies/",
        "/settings/tokens/",
        "/teams/",
        "/teams/evil/",
    ):
        assert path in seen, f"{path} shows none of them"


def test_hostile_names_are_text_to_visitors(named: Shown) -> None:
    """Whoever was invited sees the organization's name before anything else."""
    slug = named.app.org.slug
    for path in (
        f"/invitations/{INVITATION}",
        f"/joining/{JOINING}",
        f"/join/{slug}",
        "/login",
    ):
        for headers in ({}, {"cookie": named.cookie}):
            answer = named.door.ask("GET", path, headers)
            assert answer.status in (200, 303), path
            page = Page(answer.text)
            assert page.wrong == [], path
            if path != "/login" and not headers:
                assert "evil()" in page.text, path


def test_hostile_names_in_htmx_parts_are_text(named: Shown) -> None:
    headers = {"cookie": named.cookie, "hx-request": "true"}
    for path in [*named.pages_without_places(), *pages(named)]:
        answer = named.door.ask("GET", path, headers)
        if "html" in answer.header("content-type"):
            assert wrong_in(answer.text) == [], path


def test_hostile_names_in_mails_are_text(named: Shown) -> None:
    templates = named.app.tracer.templates
    content = mail.compose(templates, EVIL, [EVIL, EVIL], link=URL, button=EVIL, note=EVIL)
    page = Page(content.html)
    assert page.wrong == []
    assert page.text.count("evil()") >= 4
    assert "javascript:" not in content.html
    linked = mail.compose(templates, "T", ["p"], link='https://x.example/"><script>evil()</script>')
    assert Page(linked.html).wrong == []
