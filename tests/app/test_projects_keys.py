from __future__ import annotations

import re

import pytest

from harness import Running
from tracer import clock
from tracer.projects import queries
from tracer.projects.keys import KeyCache


def keys(tracer: Running) -> list[queries.Key]:
    return queries.keys(tracer.meta.read(), tracer.project.id)


def send_with(tracer: Running, public_key: str) -> int:
    auth = f"Sentry sentry_version=7, sentry_key={public_key}"
    body = b'{"event_id":"' + clock.new_id().encode() + b'"}\n{"type":"event"}\n{"message":"x"}\n'
    path = f"/api/{tracer.project.id}/envelope/"
    answer = tracer.visitor.post(path, content=body, headers={"X-Sentry-Auth": auth})
    return int(answer.status_code)


@pytest.fixture
def root(tracer: Running) -> str:
    return f"/projects/{tracer.project.slug}/keys/"


def test_page_shows_the_dsn_of_this_server(tracer: Running, root: str) -> None:
    page = tracer.page(root).text
    assert f"http://{tracer.key}@testserver/{tracer.project.id}" in page
    assert "never used" in page


def test_created_key_works_at_once(tracer: Running, root: str) -> None:
    assert tracer.post(root, {"label": "iOS app"}).status_code == 303
    made = keys(tracer)[-1]
    assert made.label == "iOS app"
    assert re.fullmatch(r"[0-9a-f]{32}", made.public_key)
    assert send_with(tracer, made.public_key) == 200


def test_too_long_label_is_refused(tracer: Running, root: str) -> None:
    answer = tracer.post(root, {"label": "x" * 65})
    assert answer.status_code == 422
    assert "Use at most 64 characters." in answer.text
    assert len(keys(tracer)) == 1


def test_disabled_key_is_refused_until_it_is_enabled(tracer: Running, root: str) -> None:
    [key] = keys(tracer)
    assert send_with(tracer, key.public_key) == 200
    assert tracer.post(f"{root}{key.id}/disable").status_code == 303
    assert send_with(tracer, key.public_key) == 403
    assert "disabled" in tracer.page(root).text
    assert tracer.post(f"{root}{key.id}/enable").status_code == 303
    assert send_with(tracer, key.public_key) == 200


def test_rotated_key_works_beside_the_new_one_until_the_overlap_ends(
    tracer: Running, root: str
) -> None:
    [old] = keys(tracer)
    assert tracer.post(f"{root}{old.id}/rotate", {"overlap": "1h"}).status_code == 303
    old, new = keys(tracer)
    assert old.expires_at is not None
    assert abs(old.expires_at - clock.now_ms() - 3_600_000) < 10_000
    assert new.expires_at is None
    assert new.label == old.label
    assert send_with(tracer, old.public_key) == 200
    assert send_with(tracer, new.public_key) == 200
    assert tracer.key_of(tracer.project) == new.public_key
    later_s = clock.now_s() + 3601
    clock.set_clock(lambda: later_s)
    assert send_with(tracer, old.public_key) == 403
    assert send_with(tracer, new.public_key) == 200
    assert "expired" in tracer.page(root).text


def test_rotation_never_lengthens_the_life_of_a_key(tracer: Running, root: str) -> None:
    [old] = keys(tracer)
    tracer.post(f"{root}{old.id}/rotate", {"overlap": "1h"})
    soon = keys(tracer)[0].expires_at
    tracer.post(f"{root}{old.id}/rotate", {"overlap": "30d"})
    assert keys(tracer)[0].expires_at == soon


@pytest.mark.parametrize("overlap", ["", "1y", "forever", "-1"])
def test_overlap_is_one_of_four(tracer: Running, root: str, overlap: str) -> None:
    [key] = keys(tracer)
    assert tracer.post(f"{root}{key.id}/rotate", {"overlap": overlap}).status_code == 400
    assert len(keys(tracer)) == 1


def test_working_key_cannot_be_deleted_by_mistake(tracer: Running, root: str) -> None:
    [key] = keys(tracer)
    assert tracer.post(f"{root}{key.id}/delete").status_code == 400
    tracer.post(f"{root}{key.id}/disable")
    assert tracer.post(f"{root}{key.id}/delete").status_code == 303
    assert keys(tracer) == []
    assert send_with(tracer, key.public_key) == 403
    assert "No keys" in tracer.page(root).text


def test_key_is_renamed(tracer: Running, root: str) -> None:
    [key] = keys(tracer)
    assert tracer.post(f"{root}{key.id}/rename", {"label": " Web  shop "}).status_code == 303
    assert keys(tracer)[0].label == "Web shop"


def test_last_use_of_a_key_is_stored_by_digest(tracer: Running, root: str) -> None:
    tracer.send(message="Hello")
    with tracer.meta.write() as tx:
        tracer.tracer.keys.flush_touches(tx)
    used_at = keys(tracer)[0].used_at
    assert used_at is not None
    assert abs(used_at - clock.now_ms()) < 60_000
    assert "last used" in tracer.page(root).text


def test_use_is_remembered_until_it_is_flushed_and_never_goes_back(tracer: Running) -> None:
    [key] = keys(tracer)
    cache = KeyCache()
    cache.refresh(tracer.meta.read())
    now_s = clock.now_s()
    clock.set_clock(lambda: now_s + 100)
    cache.touch(key.id)
    with tracer.meta.write() as tx:
        cache.flush_touches(tx)
    clock.set_clock(lambda: now_s)
    cache.touch(key.id)
    with tracer.meta.write() as tx:
        cache.flush_touches(tx)
        cache.flush_touches(tx)
    assert keys(tracer)[0].used_at == int((now_s + 100) * 1000)


def test_look_ups_ask_no_database(tracer: Running) -> None:
    cache = tracer.tracer.keys
    with tracer.meta.counted() as asked:
        assert cache.find(tracer.key).project_id == tracer.project.id
        assert cache.project(tracer.project.id).slug == tracer.project.slug
        assert cache.find("0" * 32) is None
        assert cache.project(999) is None
    assert asked.count == 0
