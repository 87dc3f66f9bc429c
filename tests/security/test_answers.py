"""What every answer carries, whatever it answers: headers, content types, nothing of the inside."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from security.door import HOST, Answer
from security.places import address, address_in, places
from security.test_access_walk import TABLE, body_of, name
from security.world import World
from tracer.issues import queries
from tracer.kit.permissions import Permission
from tracer.kit.routes import Route

EVIL_LINE = "a\r\nX-Evil: 1\r\n\r\n<script>"
_WORDS = re.compile(r"\{(\w+)(?::(?:str|path))?\}")


def lacks(answer: Answer) -> list[str]:
    """Which of the headers that a page's answer must have are not there."""
    policy = answer.header("content-security-policy")
    wanted = {
        "nosniff": answer.header("x-content-type-options") == "nosniff",
        "frame-ancestors": "frame-ancestors 'none'" in policy or "sandbox" in policy,
        "x-frame-options": answer.header("x-frame-options") == "DENY",
        "referrer-policy": answer.header("referrer-policy") in ("same-origin", "no-referrer"),
        "opener": answer.header("cross-origin-opener-policy") == "same-origin",
        "resource": answer.header("cross-origin-resource-policy") == "same-origin",
        "no unsafe": "unsafe-" not in policy,
        "no server": not answer.header("server") and not answer.header("x-powered-by"),
    }
    return [name for name, holds in wanted.items() if not holds]


@pytest.mark.parametrize("route", TABLE.routes, ids=name)
def test_every_answer_of_a_route_is_protected(world: World, route: Route) -> None:
    target = address_in(route.path, world.acme)
    for visitor in ("owner", "viewer", "nobody", "outsider"):
        answer = world.ask(visitor, route.method, target, **body_of(route))
        assert lacks(answer) == [], (visitor, answer.status)
        if answer.status not in (303, 307):
            assert "location" not in dict(answer.headers)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/up", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/static/", 404),
        ("PUT", "/login", 405),
        ("TRACE", "/login", 405),
        ("GET", "/api/0/nowhere/", 404),
        ("PATCH", "/api/0/", 405),
        ("POST", "/static/x", 404),
        ("GET", "/issues", 307),
        ("POST", "/login", 403),
    ],
)
def test_answers_that_no_route_gives_are_protected(
    world: World, method: str, target: str, status: int
) -> None:
    answer = world.ask("nobody", method, target, csrf=False)
    assert answer.status == status
    assert lacks(answer) == []


def test_body_that_is_too_large_is_refused_with_protection(world: World) -> None:
    answer = world.ask("owner", "POST", "/account/", body=b"x" * (2 << 20))
    assert answer.status == 413
    assert lacks(answer) == []


@pytest.mark.parametrize("raw", TABLE.raws, ids=lambda raw: raw.path)
def test_ingest_never_answers_with_a_page(world: World, raw: object) -> None:
    path = address_in(raw.path, world.acme)  # type: ignore[attr-defined]
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        for query in ("", "?sentry_key=<script>evil()</script>&dsn=http://<script>@x/1"):
            answer = world.door.ask(method, path + query, body=b"<script>evil()</script>")
            assert 200 <= answer.status < 500
            kind = answer.header("content-type")
            assert "html" not in kind
            assert answer.header("x-content-type-options") == "nosniff" or not answer.body
            assert not answer.header("set-cookie")


API = [route for route in TABLE.routes if route.is_api]


@pytest.mark.parametrize("route", API, ids=name)
def test_api_answers_in_json_also_when_it_refuses(world: World, route: Route) -> None:
    target = address_in(route.path, world.acme)
    for visitor in ("owner", "viewer", "nobody", "outsider"):
        answer = world.ask(visitor, route.method, target, **body_of(route))
        kind = answer.header("content-type").partition(";")[0]
        if answer.body:
            allowed = {"application/json", "application/x-ndjson", "application/jsonl", "text/csv"}
            assert kind in allowed, (visitor, kind)
        if answer.status >= 400:
            assert set(answer.json) <= {"detail", "fields"}
    broken = world.ask("owner", route.method, target, body=b"{", headers=[("content-type", "a/b")])
    assert broken.status < 500


@pytest.mark.parametrize("route", TABLE.routes, ids=name)
def test_line_breaks_never_reach_a_header(world: World, route: Route) -> None:
    if route.path.startswith("/live/"):
        return
    values = {}
    for key, place in places(route.path).items():
        values[key] = EVIL_LINE if key in _WORDS.findall(route.path) else place.of(world.acme)
    names = ("next", "q", "query", "cursor", "name", "download", "filename", "back", "format")
    query = "&".join(f"{key}=a%0D%0AX-Evil:%201" for key in names)
    body = body_of(route)
    if "form" in body:
        body["form"] = dict.fromkeys((*names, "title", "email", "slug"), EVIL_LINE)
    answer = world.ask("owner", route.method, f"{address(route.path, values)}?{query}", **body)
    assert answer.status < 500
    for key, value in answer.headers:
        assert not set(value) & set("\r\n\0"), key
        assert key != "x-evil"


HOSTS = [
    "evil.example",
    "testserver:80@evil.example",
    "testserver.evil.example",
    "evil.example:443",
]
ADDRESSED = [
    route for route in TABLE.routes if route.method == "GET" and not route.path.startswith("/live/")
]


@pytest.mark.parametrize(
    "header",
    [
        "x-forwarded-host",
        "x-host",
        "x-original-url",
        "x-rewrite-url",
        "forwarded",
        "x-forwarded-server",
    ],
)
def test_header_that_anybody_may_send_names_no_host(world: World, header: str) -> None:
    for path in ("/login", "/issues/", f"/projects/{world.acme.project.slug}/keys/", "/nowhere"):
        answer = world.ask("owner", "GET", path, headers=[(header, "evil.example")])
        assert "evil.example" not in answer.text
        assert all("evil.example" not in value for _, value in answer.headers)


def test_host_of_a_configured_server_is_the_configured_one(world: World) -> None:
    """With `url` set, no page, link or header repeats what a client said the host is."""
    network = world.tracer.network
    network._url = "https://tracer.example"
    try:
        for route in ADDRESSED:
            target = address_in(route.path, world.acme)
            for host in HOSTS:
                answer = world.ask("owner", "GET", target, headers=[("host", host)])
                assert "evil.example" not in answer.text, route.path
                assert all("evil.example" not in value for _, value in answer.headers), route.path
                assert HOST not in answer.text
                break
    finally:
        network._url = ""


def test_failures_tell_nothing_of_the_inside(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM /srv/tracer/meta.db")

    monkeypatch.setattr(queries, "page", fail)
    for path in ("/issues/", "/api/0/organizations/acme/issues/"):
        answer = world.ask("owner", "GET", path)
        assert answer.status == 500
        assert "SELECT" not in answer.text
        assert "Traceback" not in answer.text
        assert "RuntimeError" not in answer.text
        assert lacks(answer) == []
    assert "SELECT secret" in caplog.text


# Files -----------------------------------------------------------------------------------------

CLIMBS = [
    "/static/{}/../../pyproject.toml",
    "/static/{}/..%2f..%2fpyproject.toml",
    "/static/{}/%2e%2e/%2e%2e/pyproject.toml",
    "/static/{}/....//....//pyproject.toml",
    "/static/{}/..\\..\\pyproject.toml",
    "/static/{}//etc/passwd",
    "/static/{}/css/../../../meta.db",
    "/static/{}/css/base.css\0.png",
    "/static/{}/css/base.css/",
    "/static/..",
    "/static/../meta.db",
    "/static",
    "//static/{}/css/base.css",
    "/attachments/../../etc/passwd",
    "/attachments/1/../../meta.db",
    "/attachments/1%2f..%2f..",
    "/setup/../../meta.db",
]


@pytest.mark.parametrize("path", CLIMBS)
def test_no_path_leads_out_of_what_is_served(world: World, path: str) -> None:
    version = world.app.app.static.version
    for target in {path.format(version), unquote(path.format(version))}:
        for visitor in ("nobody", "owner"):
            answer = world.ask(visitor, "GET", target)
            assert answer.status in (303, 307, 404, 405)
            for secret in ("[project]", "root:", "SQLite format"):
                assert secret not in answer.text


@pytest.mark.parametrize(
    "given", ["../../etc/passwd", "..\\..\\x.bat", "/etc/passwd", "C:\\x", "..", "."]
)
def test_attachments_name_is_no_path(world: World, given: str) -> None:
    world.execute("UPDATE attachments SET name = :name", name=given)
    answer = world.ask("owner", "GET", f"/attachments/{world.acme.values['attachment_id']}")
    disposition = answer.header("content-disposition")
    names = re.findall(r'filename="([^"]*)"', disposition)
    assert len(names) == 1
    assert not set(names[0]) & set("/\\:")
    assert names[0].strip(".") != ""


def test_blob_is_found_by_its_digest_only(world: World) -> None:
    """A row that names another file does not open it."""
    for name_ in ("../meta.db", "/etc/passwd", "..", "", "a" * 64 + "/../../meta.db"):
        world.execute("UPDATE attachments SET blob = :blob", blob=name_)
        answer = world.ask("owner", "GET", f"/attachments/{world.acme.values['attachment_id']}")
        assert answer.status in (400, 404)
        assert b"SQLite" not in answer.body


def test_public_routes_are_few_and_known() -> None:
    """A route that anybody may use joins this list by a deliberate change."""
    public = {route.path for route in TABLE.routes if route.can is Permission.PUBLIC}
    assert len(public) < 20
