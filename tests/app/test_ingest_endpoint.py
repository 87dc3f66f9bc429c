"""What SDKs get back: authentication, encodings, limits, CORS, refusals with their reason."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from harness import envelope, running
from tracer import clock

EVENT = {"message": "Something failed", "level": "error"}


def post(tracer, path, body=b"", *, key=True, headers=(), method="POST"):
    sent = dict(headers)
    if key:
        sent["X-Sentry-Auth"] = f"Sentry sentry_key={tracer.key}, sentry_version=7"
    return tracer.visitor.request(method, path, content=body, headers=sent)


def an_envelope(event_id=None, event=EVENT, **headers):
    event_id = event_id or clock.new_id()
    return envelope({"event_id": event_id, **headers}, [({"type": "event"}, event)])


def titles(tracer):
    found = tracer.api(f"/api/0/organizations/{tracer.org.slug}/issues/?query=")
    return [issue["title"] for issue in found.json()]


def refused(tracer):
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        """
        SELECT project_id, reason, sum(quantity)
        FROM outcomes
        WHERE outcome = 'refused'
        GROUP BY 1, 2
        """
    )
    return {(project, reason): quantity for project, reason, quantity in rows}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "auth",
    [
        {"X-Sentry-Auth": "Sentry sentry_key={key}, sentry_version=7, sentry_client=a/1"},
        {"X-Sentry-Auth": "sentry sentry_version=7,sentry_key={key},sentry_secret=x"},
        {"Authorization": "Sentry sentry_key={key}"},
    ],
)
def test_key_in_a_header_is_accepted(tracer, slash, auth):
    headers = {name: value.format(key=tracer.key) for name, value in auth.items()}
    event_id = clock.new_id()
    path = f"/api/{tracer.project.id}/envelope{slash}"
    answer = post(tracer, path, an_envelope(event_id), key=False, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"id": event_id})
    tracer.digest()
    assert titles(tracer) == ["Something failed"]


def test_key_in_the_query_and_in_the_envelope_header_are_accepted(tracer):
    path = f"/api/{tracer.project.id}/envelope/"
    by_query = f"{path}?sentry_key={tracer.key}&sentry_version=7&sentry_client=js%2F11"
    assert post(tracer, by_query, an_envelope(), key=False).status_code == 200
    dsn = f"http://{tracer.key}@localhost:9000/{tracer.project.id}"
    assert post(tracer, path, an_envelope(dsn=dsn), key=False).status_code == 200
    assert post(tracer, "/tunnel", an_envelope(dsn=dsn), key=False).status_code == 200
    tracer.digest()
    events = tracer.meta.read().value("SELECT event_count FROM issues")
    assert events == 3


@pytest.mark.parametrize(
    ("headers", "status", "detail"),
    [
        ({}, 401, "missing authorization information"),
        ({"Authorization": "Bearer nothing"}, 401, "missing authorization information"),
        ({"X-Sentry-Auth": "Sentry sentry_key=" + "0" * 32}, 403, "ProjectId"),
        ({"X-Sentry-Auth": "Sentry sentry_key=short"}, 403, ""),
        ({"X-Sentry-Auth": "Sentry sentry_version=7"}, 401, ""),
    ],
)
def test_wrong_or_missing_keys_are_refused(tracer, headers, status, detail):
    path = f"/api/{tracer.project.id}/envelope/"
    answer = post(tracer, path, an_envelope(), key=False, headers=headers)
    assert answer.status_code in {status, 400}
    assert detail in answer.json()["detail"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-sentry-error"] == answer.json()["detail"]
    assert tracer.tracer.spool.last_id == 0


def test_key_of_another_project_and_unknown_project_are_refused(tracer):
    other = tracer.add_project("other")
    for project_id in (other.id, 4711):
        answer = post(tracer, f"/api/{project_id}/envelope/", an_envelope())
        assert answer.status_code == 403
    assert post(tracer, "/api/nonsense/envelope/", an_envelope()).status_code == 404
    assert refused(tracer) == {(other.id, "http_403"): 1, (0, "http_403"): 1}


def test_envelope_dsn_must_match_the_request(tracer):
    other = tracer.add_project("other")
    path = f"/api/{tracer.project.id}/envelope/"
    wrong = f"http://{tracer.key_of(other)}@localhost/{other.id}"
    assert post(tracer, path, an_envelope(dsn=wrong)).status_code == 403
    assert post(tracer, path, an_envelope(dsn=wrong), key=False).status_code == 403
    assert post(tracer, path, an_envelope(dsn="not a dsn")).status_code == 400
    assert post(tracer, "/tunnel", an_envelope(), key=False).status_code == 401
    assert tracer.tracer.spool.last_id == 0


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP ", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_every_encoding_is_digested(tracer, encoding, compress):
    headers = {"Content-Encoding": encoding} if encoding else {}
    path = f"/api/{tracer.project.id}/envelope/"
    assert post(tracer, path, compress(an_envelope()), headers=headers).status_code == 200
    tracer.digest()
    assert titles(tracer) == ["Something failed"]


def test_chunked_bodies_are_read_whole(tracer):
    body = an_envelope()
    chunks = (body[i : i + 10] for i in range(0, len(body), 10))
    assert post(tracer, f"/api/{tracer.project.id}/envelope/", chunks).status_code == 200
    tracer.digest()
    assert titles(tracer) == ["Something failed"]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(EVENT).encode(),
        base64.b64encode(zlib.compress(json.dumps(EVENT).encode())),
        base64.b64encode(json.dumps(EVENT).encode()),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_store_takes_json_plain_and_packed(tracer, body, slash):
    answer = post(tracer, f"/api/{tracer.project.id}/store{slash}", body)
    assert answer.status_code == 200
    tracer.digest()
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/events/{answer.json()['id']}/"
    assert tracer.api(path).json()["title"] == "Something failed"


def test_store_by_get_answers_with_an_image(tracer):
    data = base64.b64encode(json.dumps(EVENT).encode()).decode()
    path = f"/api/{tracer.project.id}/store/?sentry_key={tracer.key}"
    answer = tracer.visitor.get(path, params={"sentry_data": data, "sentry_key": tracer.key})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    tracer.digest()
    assert titles(tracer) == ["Something failed"]


def test_preflight_allows_what_browsers_send(tracer):
    headers = {
        "Origin": "https://shop.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-sentry-auth,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    for path in (f"/api/{tracer.project.id}/envelope/", f"/api/{tracer.project.id}/store/"):
        answer = post(tracer, path, key=False, headers=headers, method="OPTIONS")
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "x-sentry-auth" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-allow-private-network"] == "true"
    answer = post(tracer, f"/api/{tracer.project.id}/envelope/", an_envelope())
    exposed = answer.headers["access-control-expose-headers"]
    told = {"x-sentry-error", "x-sentry-rate-limits", "retry-after", "x-tracer-quota"}
    assert told == set(exposed.split(","))


def test_only_allowed_domains_may_send_from_a_page(tracer):
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE projects SET allowed_domains = '[\"*.example.com\"]'")
    tracer.tracer.keys.refresh(tracer.meta.read())
    path = f"/api/{tracer.project.id}/envelope/"
    for origin, status in (
        ("https://shop.example.com", 200),
        ("https://evil.test", 403),
        ("https://example.com.evil.test", 403),
        ("null", 403),
    ):
        answer = post(tracer, path, an_envelope(), headers={"Origin": origin})
        assert answer.status_code == status, origin
    assert post(tracer, path, an_envelope()).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json\n", 400),
        (b"[]\n", 400),
        (b'{}\n{"type":"event","length":100}\n{}', 400),
        (b'{"event_id":"xyz"}\n', 400),
        (b'{}\n{"length":2}\n{}', 400),
    ],
)
def test_malformed_envelopes_are_refused_with_the_reason(tracer, body, status):
    answer = post(tracer, f"/api/{tracer.project.id}/envelope/", body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert refused(tracer) == {(tracer.project.id, f"http_{status}"): 1}


def test_empty_envelope_is_fine(tracer):
    answer = post(tracer, f"/api/{tracer.project.id}/envelope/", b"{}\n")
    assert (answer.status_code, answer.json()) == (200, {})


def test_corrupt_compression_is_refused(tracer):
    packed = gzip.compress(an_envelope())
    path = f"/api/{tracer.project.id}/envelope/"
    for encoding in ("gzip", "deflate", "br", "zstd"):
        headers = {"Content-Encoding": encoding}
        answer = post(tracer, path, packed[: len(packed) // 2], headers=headers)
        assert answer.status_code == 400, encoding


def test_sizes_over_a_limit_are_refused(tmp_path):
    limits = {"max_body_bytes": 100_000, "max_decoded_bytes": 2_000_000}
    with running(tmp_path / "data", **limits) as tracer:
        path = f"/api/{tracer.project.id}/envelope/"
        assert post(tracer, path, b"x" * 100_001).status_code == 413
        chunks = (b"x" * 1000 for _ in range(200))
        assert post(tracer, path, chunks).status_code == 413
        bomb = gzip.compress(b"\n" * 2_000_001)
        answer = post(tracer, path, bomb, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 413
        assert tracer.tracer.spool.last_id == 0
        assert post(tracer, path, an_envelope()).status_code == 200


def test_item_over_its_size_names_its_type(tracer):
    event = {"message": "x", "extra": {"blob": "y" * (5 << 20)}}
    body = gzip.compress(an_envelope(event=event))
    path = f"/api/{tracer.project.id}/envelope/"
    answer = post(tracer, path, body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "type 'event'" in answer.json()["detail"]
    many = b"{}\n" + b'{"type":"session"}\n{}\n' * 1500
    assert post(tracer, path, many).status_code in {400, 413}


def test_bytes_in_flight_are_bounded(tmp_path):
    with running(tmp_path / "data", inflight_bytes=50_000) as tracer:
        path = f"/api/{tracer.project.id}/envelope/"
        answer = post(tracer, path, b"x" * 60_000)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert post(tracer, path, an_envelope()).status_code == 200


def test_events_are_acknowledged_while_the_database_is_busy(tracer):
    with tracer.meta.write():
        answer = post(tracer, f"/api/{tracer.project.id}/envelope/", an_envelope())
        assert answer.status_code == 200
        assert tracer.tracer.spool.depth == 1
    tracer.digest()
    assert titles(tracer) == ["Something failed"]
