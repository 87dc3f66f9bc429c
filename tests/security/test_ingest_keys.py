"""Who may send events: a working key of that very project, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from security.door import Answer
from security.places import address_in
from security.test_access_walk import TABLE
from security.world import World
from tracer.kit.routes import RawRoute
from tracer.projects import actions, queries

BROKEN = b"\x00 no body that anybody could read"


def sender(world: World, raw: RawRoute) -> Callable[..., Answer]:
    """Sends nonsense under a key to the route of acme's project: it gets as far as its key does."""
    path = address_in(raw.path, world.acme)
    method = raw.methods[0]

    def send(key: str, project_id: int | None = None, **headers: str) -> Answer:
        project = project_id or world.acme.project.id
        dsn = f"http://{key}@testserver/{project}"
        target = path.replace(f"/{world.acme.project.id}/", f"/{project}/", 1)
        if "{key}" in raw.path:
            target = target.replace("/level/", f"/{key}/")
        body = json.dumps({"dsn": dsn}).encode() + b"\n" + BROKEN
        return world.door.ask(
            method,
            f"{target}?sentry_key={key}&dsn={dsn}&eventId={'a' * 32}",
            {"x-sentry-auth": f"Sentry sentry_version=7, sentry_key={key}", **headers},
            body=body,
        )

    return send


@pytest.mark.parametrize("raw", TABLE.raws, ids=lambda raw: raw.path)
def test_no_key_but_a_working_one_of_this_project_is_taken(world: World, raw: RawRoute) -> None:
    send = sender(world, raw)
    mine, theirs = world.acme.values["public_key"], world.globex.values["public_key"]
    unknown = send("f" * 32)
    assert unknown.status in (401, 403)
    assert send(theirs).status == unknown.status
    assert send(theirs).body == unknown.body
    # Another's project, one that is not there, and one's own key: the same words.
    elsewhere = send(mine, world.globex.project.id)
    nowhere = send(mine, 999_999_999)
    assert (elsewhere.status, elsewhere.body) == (nowhere.status, nowhere.body)
    assert elsewhere.status in (401, 403)
    assert send("' OR 1=1 --").status in (400, 401, 403)


@pytest.mark.parametrize("raw", TABLE.raws, ids=lambda raw: raw.path)
def test_key_that_ended_is_as_unknown(world: World, raw: RawRoute) -> None:
    send = sender(world, raw)
    key, unknown = world.acme.values["public_key"], send("f" * 32)
    for column, value in (("is_active", 0), ("expires_at", 1)):
        world.execute(
            f"UPDATE project_keys SET {column} = :value WHERE public_key = :key",
            value=value,
            key=key,
        )
        world.tracer.keys.refresh(world.tracer.meta.read())
        answer = send(key)
        assert (answer.status, answer.body) == (unknown.status, unknown.body)


def test_key_of_a_deleted_project_is_as_unknown(world: World) -> None:
    with world.tracer.meta.write(unaudited="test") as tx:
        project = queries.stored_project(tx, world.acme.project.id)
        assert project is not None
        actions.delete_project(tx, project)
    for raw in TABLE.raws:
        assert sender(world, raw)(world.acme.values["public_key"]).status in (401, 403), raw.path


@pytest.mark.parametrize("raw", TABLE.raws, ids=lambda raw: raw.path)
def test_login_and_token_are_no_keys(world: World, raw: RawRoute) -> None:
    path = address_in(raw.path, world.acme)
    for visitor in ("owner", "owner's token", "organization's token"):
        answer = world.ask(visitor, raw.methods[0], path, body=BROKEN)
        assert answer.status in (400, 401, 403), visitor
        assert not answer.header("set-cookie")


def test_key_opens_no_page_and_no_api(world: World) -> None:
    key = world.acme.values["public_key"]
    auth = f"Sentry sentry_version=7, sentry_key={key}"
    ways = (
        {"x-sentry-auth": auth},
        {"authorization": auth},
        {"authorization": f"DSN http://{key}@testserver/1"},
        {"authorization": f"Bearer {key}"},
        {"cookie": f"tracer_login={key}"},
    )
    for headers in ways:
        for path in ("/api/0/projects/", f"/api/0/projects/acme/shop/keys/?sentry_key={key}"):
            assert world.door.ask("GET", path, headers).status == 401
        assert world.door.ask("GET", f"/issues/?sentry_key={key}", headers).status in (303, 401)
