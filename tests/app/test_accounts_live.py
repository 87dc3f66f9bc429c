"""Open pages end when their reader may not see them any more: a real server, two browsers."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from serving import Server, read_json, untouched

PASSWORD = "seven purple lamps sleep"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with untouched(tmp_path) as started:
        yield started


def member(server: Server, email: str, role: str) -> Server:
    """Somebody's browser, logged in."""
    options = ("--email", email, "--role", role, "--password-stdin", "--json")
    read_json(server.cli("setup", *options, stdin=PASSWORD))
    browser = replace(server, cookies={})
    browser.login(email, PASSWORD)
    return browser


def post(browser: Server, path: str, **fields: str) -> int:
    page = browser.get("/account/")[1]
    csrf = re.search(rb'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    body = urllib.parse.urlencode({"csrf": csrf[1].decode(), **fields})
    return browser.request("POST", path, body, FORM)[0]


def listen(
    browser: Server, address: str = "/live/?topic=projects"
) -> tuple[HTTPConnection, HTTPResponse]:
    connection = browser.connect()
    connection.request("GET", address, headers={"Cookie": browser.cookie})
    answer = connection.getresponse()
    assert answer.status == 200
    while answer.readline() != b": hello\n":
        pass
    connection.sock.settimeout(3)
    return connection, answer


def ends(connection: HTTPConnection, answer: HTTPResponse) -> float:
    """Seconds until the server says that it is over."""
    began = time.monotonic()
    try:
        while answer.readline() != b"event: over\n":
            pass
    finally:
        answer.close()
        connection.close()
    return time.monotonic() - began


def id_of(server: Server, email: str) -> int:
    return int(server.rows("SELECT id FROM users WHERE email = ?", email)[0][0])


def test_removal_ends_the_open_page_of_the_other_browser(server: Server) -> None:
    owner = member(server, "owner@example.com", "owner")
    other = member(server, "gone@example.com", "member")
    stream = listen(other)
    still = listen(owner)
    path = f"/members/{id_of(server, 'gone@example.com')}/remove"
    assert post(owner, path) == 303
    assert ends(*stream) < 2
    assert other.request("GET", "/issues/")[0] == 303
    with pytest.raises(TimeoutError):
        ends(*still)


def test_closing_the_organization_ends_the_open_page_of_a_member(server: Server) -> None:
    owner = member(server, "owner@example.com", "owner")
    other = member(server, "low@example.com", "member")
    stream = listen(other)
    settings = {"name": "Acme", "slug": "acme", "second_factor": "optional", "join_role": "member"}
    assert post(owner, "/settings/", **settings) == 303
    assert ends(*stream) < 2


def test_leaving_a_team_ends_the_open_page_of_its_project(server: Server) -> None:
    owner = member(server, "owner@example.com", "owner")
    other = member(server, "low@example.com", "member")
    slug = str(server.rows("SELECT slug FROM projects")[0][0])
    assert post(owner, "/teams/", name="Web") == 303
    assert post(owner, "/teams/web/members", email="low@example.com", role="contributor") == 303
    assert post(owner, "/teams/web/projects", project=slug) == 303
    settings = {"name": "Acme", "slug": "acme", "second_factor": "optional", "join_role": "member"}
    assert post(owner, "/settings/", **settings) == 303
    stream = listen(other)
    assert post(owner, f"/teams/web/members/{id_of(server, 'low@example.com')}", role="") == 303
    assert ends(*stream) < 2


def test_page_without_news_ends_as_well(server: Server) -> None:
    owner = member(server, "owner@example.com", "owner")
    other = member(server, "low@example.com", "manager")
    page = listen(other, "/live/page?path=/settings/tokens/")
    plain = listen(other, "/live/page?path=/members/")
    who = id_of(server, "low@example.com")
    assert post(owner, f"/members/{who}/role", role="viewer") == 303
    assert ends(*page) < 2
    assert post(owner, f"/members/{who}/remove") == 303
    assert ends(*plain) < 2


def test_deleting_a_team_ends_the_page_of_an_issue_of_its_project(server: Server) -> None:
    owner = member(server, "owner@example.com", "owner")
    other = member(server, "low@example.com", "member")
    slug = str(server.rows("SELECT slug FROM projects")[0][0])
    assert post(owner, "/teams/", name="Web") == 303
    assert post(owner, "/teams/web/members", email="low@example.com", role="contributor") == 303
    assert post(owner, "/teams/web/projects", project=slug) == 303
    settings = {"name": "Acme", "slug": "acme", "second_factor": "optional", "join_role": "member"}
    assert post(owner, "/settings/", **settings) == 303
    page = listen(other, f"/live/page?path=/projects/{slug}/")
    assert post(owner, "/teams/web/delete") == 303
    assert ends(*page) < 2
