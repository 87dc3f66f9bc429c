"""What policies and address lists close at once, in pages that are open too: a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from serving import EMAIL, ORGANIZATION, Server, read_json, tracer

PASSWORD = "seven purple lamps sleep"
POLICIES = f"/api/0/organizations/{ORGANIZATION}/policies/"


@pytest.fixture
def server() -> Iterator[Server]:
    with tracer() as started:
        yield started


@pytest.fixture
def stream(server: Server) -> tuple[HTTPConnection, HTTPResponse]:
    """The open page of a member."""
    options = ("--email", "ben@example.com", "--role", "member", "--password-stdin", "--json")
    read_json(server.cli("setup", *options, stdin=PASSWORD))
    browser = replace(server, cookies={})
    browser.login("ben@example.com", PASSWORD)
    connection = browser.connect()
    connection.request("GET", "/live/?topic=projects", headers={"Cookie": browser.cookie})
    answer = connection.getresponse()
    assert answer.status == 200
    while answer.readline() != b": hello\n":
        pass
    connection.sock.settimeout(3)
    return connection, answer


def is_over(stream: tuple[HTTPConnection, HTTPResponse]) -> bool:
    """Whether the server says within three seconds that the page is to be closed."""
    connection, answer = stream
    try:
        while (line := answer.readline()) != b"event: over\n":
            if not line:
                return False
        return True
    except TimeoutError:
        return False
    finally:
        answer.close()
        connection.close()


def save(server: Server, conditions: dict[str, Any]) -> None:
    made = server.cli("token", "create", "--email", EMAIL, "--scope", "org:admin")
    body = json.dumps({"name": "closed", "effect": "deny", "conditions": conditions})
    headers = {
        "Authorization": f"Bearer {made.stdout.strip()}",
        "Content-Type": "application/json",
    }
    assert server.request("POST", POLICIES, body, headers)[0] == 201


def test_policy_that_denies_ends_the_open_page(
    server: Server, stream: tuple[HTTPConnection, HTTPResponse]
) -> None:
    save(server, {"roles": ["member"], "permissions": ["event:read"]})
    assert is_over(stream)


def test_policy_about_somebody_else_does_not(
    server: Server, stream: tuple[HTTPConnection, HTTPResponse]
) -> None:
    save(server, {"roles": ["viewer"], "permissions": ["event:read"]})
    assert not is_over(stream)


def test_policy_about_the_project_ends_it_too(
    server: Server, stream: tuple[HTTPConnection, HTTPResponse]
) -> None:
    slug = str(server.rows("SELECT slug FROM projects")[0][0])
    save(server, {"permissions": ["event:read"], "projects": [slug], "roles": ["member"]})
    assert is_over(stream)
