"""/metrics: what it says, and who may read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from harness import Running, running

TOKEN = "a-long-metrics-token-for-tests"


def scraper(tracer: Running, client: str = "127.0.0.1", host: str = "localhost:9000") -> TestClient:
    """A program at an address that asks for /metrics."""
    return TestClient(tracer.app.site, base_url=f"http://{host}", client=(client, 5000))


def measured(tracer: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels; the text must be what Prometheus reads."""
    answer = scraper(tracer).get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Any, name: str, **labels: str) -> float:
    return float(found[name, frozenset(labels.items())])


def test_requests_are_counted_by_route_pattern_and_status(tracer: Running) -> None:
    tracer.send(message="hello")
    tracer.visitor.get("/issues/4711/")
    tracer.visitor.post(f"/api/{tracer.project.id}/envelope/", content=b"{}")
    found = measured(tracer)
    route = "/api/{project_id:int}/envelope/"
    about = {"method": "POST", "route": route}
    assert value(found, "tracer_http_requests_total", **about, status="200") == 1
    assert value(found, "tracer_http_requests_total", **about, status="401") == 1
    assert value(found, "tracer_http_request_seconds_count", **about) == 2
    assert value(found, "tracer_http_received_bytes_sum", **about) > 50
    issue = {"method": "GET", "route": "/issues/{issue_id:int}/", "status": "303"}
    assert value(found, "tracer_http_requests_total", **issue) == 1


def test_no_label_comes_from_what_a_client_wrote(tracer: Running) -> None:
    for path in ("/nothing/here/4711", "/issues/4711/", "/static/4711.js", "/api/0/x4711/"):
        tracer.visitor.request("BREW", path)
        tracer.visitor.get(path)
    assert "4711" not in scraper(tracer).get("/metrics").text
    assert "BREW" not in scraper(tracer).get("/metrics").text


def test_spool_digest_stores_tasks_caches_and_process_are_measured(tracer: Running) -> None:
    tracer.send(message="hello")
    tracer.page("/issues/")
    tracer.page("/issues/")
    tracer.tracer.watch.gauge.ask_stores()
    found = measured(tracer)
    for step in ("read", "prepare", "sqlite", "duckdb", "commit"):
        assert value(found, "tracer_digest_step_seconds_count", step=step) >= 1, step
    assert value(found, "tracer_spool_received_frames_total") == 1
    assert value(found, "tracer_spool_oldest_seconds") == 0
    assert value(found, "tracer_store_bytes", store="meta") > 10_000
    assert value(found, "tracer_store_bytes", store="events") > 10_000
    assert value(found, "tracer_tasks", status="failed") == 0
    lookups = "tracer_cache_lookups_total"
    assert value(found, lookups, cache="organizations", result="hit") >= 1
    assert value(found, "process_resident_memory_bytes") > 1_000_000
    assert value(found, "tracer_duckdb_memory_bytes") >= 0
    assert value(found, "tracer_ready") == 1
    assert ("python_gc_collections_total", frozenset({("generation", "0")})) in found


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        ("127.0.0.1", "localhost:9000", {}, 200),
        ("::1", "[::1]:9000", {}, 200),
        ("203.0.113.5", "localhost:9000", {}, 403),
        ("203.0.113.5", "localhost:9000", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", "localhost:9000", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", "localhost:9000", {"X-Real-IP": "203.0.113.5"}, 403),
        ("127.0.0.1", "localhost:9000", {"Forwarded": "for=127.0.0.1"}, 403),
        ("127.0.0.1", "errors.example.com", {}, 403),
        ("127.0.0.1", "localhost.example.com", {}, 403),
    ],
)
def test_local_means_this_machine_whatever_headers_say(
    tracer: Running, client: str, host: str, headers: dict[str, str], status: int
) -> None:
    answer = scraper(tracer, client, host).get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("tracer_spool_frames" in answer.text) is (status == 200)


def test_a_token_opens_the_metrics_from_anywhere(tmp_path: Path) -> None:
    with running(tmp_path, metrics="token", metrics_token=TOKEN) as tracer:
        away = scraper(tracer, "203.0.113.5", "errors.example.com")
        for shown in ("", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            assert away.get("/metrics", headers={"Authorization": shown}).status_code == 401
        assert scraper(tracer).get("/metrics").status_code == 401
        answer = away.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert TOKEN not in answer.text


def test_token_that_is_not_set_opens_nothing(tmp_path: Path) -> None:
    with running(tmp_path, metrics="token") as tracer:
        answer = scraper(tracer).get("/metrics", headers={"Authorization": "Bearer "})
        assert answer.status_code == 401


def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    with running(tmp_path, metrics="off") as tracer:
        assert scraper(tracer).get("/metrics").status_code == 404


def test_every_answer_has_an_id_of_its_own(tracer: Running) -> None:
    paths = ("/up", "/ready", "/login", "/nothing", "/api/0/", "/api/1/envelope/")
    ids = [tracer.visitor.get(path).headers["x-request-id"] for path in paths]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{18}", id_) for id_ in ids)


def test_id_of_a_trusted_proxy_is_kept_and_a_strangers_is_not(tmp_path: Path) -> None:
    with running(tmp_path, trusted_proxies=("127.0.0.0/8",)) as tracer:
        named = {"X-Request-Id": "from-the-proxy-1"}
        known = scraper(tracer).get("/login", headers=named)
        assert known.headers["x-request-id"] == "from-the-proxy-1"
        stranger = scraper(tracer, "203.0.113.5").get("/login", headers=named)
        assert stranger.headers["x-request-id"] != "from-the-proxy-1"
        broken = scraper(tracer).get("/login", headers={"X-Request-Id": "a b\tc"})
        assert broken.headers["x-request-id"] != "a b\tc"
