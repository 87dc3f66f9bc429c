from __future__ import annotations

import re

import pytest

from harness import Running, envelope
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
    assert tracer.post(f"{root}{key.id}/edit", {"label": " Web  shop "}).status_code == 303
    assert keys(tracer)[0].label == "Web shop"
    assert tracer.post(f"{root}{key.id}/edit", {"label": "x" * 65}).status_code == 422
    assert keys(tracer)[0].label == "Web shop"


def test_last_use_of_a_key_is_stored_by_digest(tracer: Running, root: str) -> None:
    tracer.send(message="Hello")
    with tracer.meta.write(unaudited="test") as tx:
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
    with tracer.meta.write(unaudited="last use") as tx:
        cache.flush_touches(tx)
    clock.set_clock(lambda: now_s)
    cache.touch(key.id)
    with tracer.meta.write(unaudited="last use") as tx:
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


def limit(tracer: Running, root: str, count: int | str, window: str = "60") -> None:
    [key] = keys(tracer)
    fields = {"label": key.label, "count": str(count), "window": window}
    assert tracer.post(f"{root}{key.id}/edit", fields).status_code == 303


def fates(tracer: Running) -> dict[str, int]:
    """How many items came to what, by category, outcome and reason."""
    tracer.digest()
    tracer.tracer.digest.flush()
    return dict(
        tracer.meta.read().rows(
            "SELECT category || ' ' || outcome || ' ' || reason, sum(quantity) FROM outcomes "
            "GROUP BY 1"
        )
    )


def envelope_of(*items: tuple[dict[str, str], object]) -> bytes:
    return envelope({"event_id": clock.new_id()}, items)


EVENT = ({"type": "event"}, {"message": "x"})
SESSION = ({"type": "session"}, {"sid": "a" * 32, "status": "ok"})
REPORT = ({"type": "client_report"}, {"discarded_events": []})
FILE = ({"type": "attachment", "filename": "a.txt"}, b"a")


def test_key_over_its_rate_limit_is_told_to_wait(tracer: Running, root: str) -> None:
    limit(tracer, root, 2)
    assert "at most 2 events a minute" in tracer.page(root).text
    answers = [tracer.post_envelope(envelope_of(EVENT)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert "x-sentry-rate-limits" not in answers[1].headers
    wait_s = int(answers[2].headers["retry-after"])
    assert 1 <= wait_s <= 60
    told = answers[2].headers["x-sentry-rate-limits"]
    assert told == f"{wait_s}:default;error;security:key:key_rate_limit"
    assert fates(tracer) == {"error stored ": 2, "error rate_limited key_rate_limit": 2}
    limit(tracer, root, "")
    assert tracer.post_envelope(envelope_of(EVENT)).status_code == 200


def test_only_events_count_and_only_they_are_left_out(tracer: Running, root: str) -> None:
    limit(tracer, root, 1)
    for _ in range(3):
        answer = tracer.post_envelope(envelope_of(SESSION))
        assert (answer.status_code, answer.headers.get("x-sentry-rate-limits")) == (200, None)
    assert tracer.post_envelope(envelope_of(EVENT, REPORT, FILE)).status_code == 200
    answer = tracer.post_envelope(envelope_of(EVENT, REPORT, FILE))
    assert answer.status_code == 200
    assert ":default;error;security:key:" in answer.headers["x-sentry-rate-limits"]
    assert "retry-after" not in answer.headers
    found = fates(tracer)
    assert found["session unsupported session"] == 3
    assert found["internal stored "] == 2
    assert found["error stored "] == found["error rate_limited key_rate_limit"] == 1
    assert found["attachment stored "] == found["attachment rate_limited key_rate_limit"] == 1


def test_each_key_has_a_limit_of_its_own(tracer: Running, root: str) -> None:
    limit(tracer, root, 1)
    tracer.post(root, {"label": "other"})
    first, second = keys(tracer)
    assert [send_with(tracer, first.public_key) for _ in range(2)] == [200, 429]
    assert [send_with(tracer, second.public_key) for _ in range(2)] == [200, 200]


def test_limit_holds_on_every_way_in(tracer: Running, root: str) -> None:
    limit(tracer, root, 1)
    assert tracer.post_envelope(envelope_of(EVENT)).status_code == 200
    [key] = keys(tracer)
    sent = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key.public_key}"}
    store = f"/api/{tracer.project.id}/store/"
    assert tracer.visitor.post(store, json={"message": "x"}, headers=sent).status_code == 429
    dsn = f"http://{key.public_key}@testserver/{tracer.project.id}"
    raw = envelope({"dsn": dsn}, [EVENT])
    assert tracer.visitor.post("/tunnel", content=raw).status_code == 429
    path = f"/api/{tracer.project.id}/envelope/"
    assert tracer.visitor.post(path, content=raw).status_code == 429


def test_window_that_is_made_shorter_ends_sooner(tracer: Running, root: str) -> None:
    limit(tracer, root, 1, "86400")
    [key] = keys(tracer)
    assert [send_with(tracer, key.public_key) for _ in range(2)] == [200, 429]
    limit(tracer, root, 1, "60")
    answer = tracer.post_envelope(envelope_of(EVENT))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("count", ["-1", "0", "x", "1.5", "1000001"])
def test_limit_that_makes_no_sense_is_refused(tracer: Running, root: str, count: str) -> None:
    [key] = keys(tracer)
    answer = tracer.post(f"{root}{key.id}/edit", {"label": "typed", "count": count})
    assert answer.status_code == 422
    assert 'value="typed"' in answer.text
    assert keys(tracer)[0].rate is None


def test_window_that_the_api_set_is_kept_by_the_page(tracer: Running, root: str) -> None:
    [key] = keys(tracer)
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/keys/{key.public_key}/"
    tracer.api(path, "PUT", json={"rateLimit": {"window": 90, "count": 5}})
    page = tracer.page(root).text
    assert "at most 5 events in 90 seconds" in page
    assert '<option value="90" selected>' in page
    fields = {"label": "x", "count": "6", "window": "90"}
    assert tracer.post(f"{root}{key.id}/edit", fields).status_code == 303
    assert keys(tracer)[0].rate == (6, 90)
    assert tracer.post(f"{root}{key.id}/edit", {**fields, "window": "91"}).status_code == 400


def test_nothing_is_recorded_of_what_stays_as_it_is(tracer: Running, root: str) -> None:
    [key] = keys(tracer)
    assert tracer.post(f"{root}{key.id}/edit", {"label": key.label}).status_code == 303
    tracer.post(f"{root}{key.id}/edit", {"label": "new"})
    recorded = "SELECT action FROM audit WHERE object_type = 'project_key' AND actor_kind = 'user'"
    assert tracer.meta.read().rows(recorded) == [("project_key.update",)]


def test_rotated_key_hands_its_limit_on(tracer: Running, root: str) -> None:
    limit(tracer, root, 1, "3600")
    [old] = keys(tracer)
    tracer.post(f"{root}{old.id}/rotate", {"overlap": "1h"})
    new = keys(tracer)[-1]
    assert new.rate == (1, 3600)
    assert [send_with(tracer, new.public_key) for _ in range(2)] == [200, 429]


def test_rate_limit_is_set_and_shown_by_the_api(tracer: Running) -> None:
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/keys/"
    made = tracer.api(path, "POST", json={"name": "x", "rateLimit": {"window": 60, "count": 5}})
    assert made.status_code == 201
    assert made.json()["rateLimit"] == {"window": 60, "count": 5}
    one = f"{path}{made.json()['id']}/"
    assert tracer.api(one, "PUT", json={"rateLimit": None}).json()["rateLimit"] is None
    wrong = {"rateLimit": {"window": 0, "count": 5}}
    assert tracer.api(one, "PUT", json=wrong).status_code == 400


def test_key_that_nobody_used_for_long_is_pointed_out(tracer: Running, root: str) -> None:
    tracer.send(message="Hello")
    tracer.post(root, {"label": "iOS app"})
    assert "not used for 90 days" not in tracer.page(root).text + tracer.page("/projects/").text
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE project_keys SET created_at = 1")
    page = tracer.page(root).text
    assert page.count("not used for 90 days") == 1
    assert "1 key not used for 90 days" in tracer.page("/projects/").text
    viewer = tracer.login("eve@example.com", "viewer")
    assert "not used for 90 days" not in tracer.page("/projects/", browser=viewer).text
    unused = keys(tracer)[-1]
    tracer.post(f"{root}{unused.id}/disable")
    assert "not used for 90 days" not in tracer.page(root).text + tracer.page("/projects/").text
