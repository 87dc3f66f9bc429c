"""Every way to write, as somebody who may do everything: each leaves an entry that names who did
what to which object, and no secret that was sent or shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness import PASSWORD
from security.door import Answer
from security.places import address, places
from security.world import World
from security.writes import MAIL_PASSWORD, NEW_PASSWORD, WRITES, Ask
from tracer.app import build
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.routes import Route
from tracer.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
ROUTES = [route for route in build(Settings()).table.routes if route.method not in SAFE_METHODS]

#: What is answered and leaves no entry, and why.
NO_ENTRY = {
    "POST /settings/policies/dry-run": "shows what a policy would change",
    "POST /api/0/organizations/{organization_slug}/policies/dry-run/": "shows the same",
    "POST /api/0/organizations/{organization_slug}/quotas/dry-run/": "shows what it drops",
    "POST /api/0/projects/{organization_slug}/{project_slug}/quotas/dry-run/": "shows the same",
    "POST /account/confirm/passkey": "asks the question that a passkey answers",
    "POST /account/security/passkeys/options": "asks the question that a passkey answers",
    "POST /login/passkey/options": "asks the question that a passkey answers",
    "POST /forgot": "its task records the link, if there is such an account",
}
#: What needs an authenticator at hand.
#: test_accounts_second_factor and test_accounts_passkeys look for their entries.
WITH_AUTHENTICATOR = (
    "POST /login/second-factor",
    "POST /login/second-factor/passkey",
    "POST /login/passkey",
    "POST /account/security/authenticator/",
    "POST /account/security/passkeys/",
)
WALKED = [r for r in ROUTES if f"{r.method} {r.path}" not in WITH_AUTHENTICATOR]

#: What a shown link, token or set of codes looks like in an answer.
_SHOWN = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=/invitations/)[\w-]{20,}|(?<=/reset/)[\w-]{20,}"
    r"|\b[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\b"
)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture
def everything(world: World) -> World:
    """The owner administers the server too, and has what the visitor may end."""
    world.execute("UPDATE users SET is_server_admin = 1 WHERE id = :id", id=world.acme.user_id)
    return world


def ask_of(route: Route, world: World) -> Ask:
    found = WRITES.get(name(route))
    if callable(found):
        return found(world)
    if found is None:
        found = {"json": {}} if route.is_api and route.method != "DELETE" else {}
    return Ask(found)


def send(world: World, route: Route, ask: Ask) -> Answer:
    values = {key: place.of(world.acme) for key, place in places(route.path).items()} | ask.values
    target = address(route.path, values) + (f"?{ask.query}" if ask.query else "")
    return world.ask(ask.who, route.method, target, **ask.body)


@pytest.mark.parametrize("route", WALKED, ids=name)
def test_write_leaves_an_entry_of_who_did_what(everything: World, route: Route) -> None:
    world = everything
    ask = ask_of(route, world)
    last = world.value("SELECT coalesce(max(id), 0) FROM audit")
    answer = send(world, route, ask)
    assert answer.status < 400 or ask.fails, told(answer)
    found = entries(world, last)
    if name(route) in NO_ENTRY:
        assert found == []
        return
    assert found, f"{answer.status} {answer.header('location')}: nothing was recorded"
    doer = ask.by and f"{ask.by}@acme.example"
    own = [entry for entry in found if entry["actor"] == doer]
    assert own, found
    for entry in own:
        assert f"`{entry['action']}`" in DOCS
        assert entry["object_type"]
        assert entry["address"] == "127.0.0.1"
    assert any(entry["object_id"] or entry["object"] or entry["after"] for entry in own)
    check_hidden(world, found, ask, answer)


def told(answer: Answer) -> str:
    """An answer without its markup."""
    return re.sub(r"(?s)<(head|template|dialog).*?</\1>|<[^>]+>|\s+", " ", answer.text)


def entries(world: World, after_id: int) -> list[dict[str, Any]]:
    columns = "actor, address, action, object_type, object_id, object, before, after"
    rows = world.tracer.meta.read().rows(
        f"SELECT {columns} FROM audit WHERE id > :last ORDER BY id", last=after_id
    )
    return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]


def check_hidden(world: World, found: list[dict[str, Any]], ask: Ask, answer: Answer) -> None:
    """Nothing that opens a door is in the entries: neither what was sent nor what is stored."""
    text = json.dumps(found)
    rows = world.tracer.meta.read().rows(
        """
        SELECT password_hash FROM users WHERE password_hash IS NOT NULL
        UNION SELECT token_hash FROM logins
        UNION SELECT csrf FROM logins
        UNION SELECT public_key FROM project_keys
        UNION SELECT token_hash FROM invitations
        UNION SELECT token_hash FROM account_links
        """
    )
    shown = _SHOWN.findall(answer.text + answer.header("location"))
    cookies = [value.partition("=")[2].partition(";")[0] for value in answer.all("set-cookie")]
    secrets = {PASSWORD, NEW_PASSWORD, MAIL_PASSWORD, *ask.hidden, *shown, *cookies}
    for secret in {*secrets, *(row[0] for row in rows)}:
        assert not secret or str(secret) not in text


def test_no_line_is_left_of_a_route_that_is_gone() -> None:
    known = {name(route) for route in ROUTES}
    assert set(WRITES) | set(NO_ENTRY) | set(WITH_AUTHENTICATOR) <= known
    assert not set(NO_ENTRY) & set(WITH_AUTHENTICATOR)
