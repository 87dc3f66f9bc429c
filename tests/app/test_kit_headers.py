"""The headers and cookies that a browser keeps its promises by: with and without TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from harness import PASSWORD, Running, running

EMAIL = "ada@example.com"
CSP = "content-security-policy"
PATHS = ("/login", "/forgot", "/setup/x", "/reset/x", "/nothing/", "/api/0/", "/api/0/nothing/")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("headers")
    with running(folder / "data") as started:
        yield started


def over_tls(server: Running) -> TestClient:
    return TestClient(
        server.app.site, base_url="https://errors.example.com", follow_redirects=False
    )


def log_in(browser: TestClient) -> Any:
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/login").text)
    assert csrf
    fields = {"csrf": csrf[1], "email": EMAIL, "password": PASSWORD}
    return browser.post("/login", data=fields)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_says_what_a_browser_must_not_do(server: Running, path: str) -> None:
    headers = over_tls(server).get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers[CSP].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert policy["object-src"] == "'none'"
    assert "unsafe" not in headers[CSP]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")


@pytest.mark.parametrize("path", PATHS)
def test_strict_transport_is_asked_for_behind_tls_only(server: Running, path: str) -> None:
    told = over_tls(server).get(path).headers["strict-transport-security"]
    assert int(told.partition("=")[2]) >= 31_536_000
    assert "strict-transport-security" not in server.visitor.get(path).headers


def test_forwarded_scheme_of_a_stranger_is_not_believed(server: Running) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"}
    answer = server.browser().get("/login", headers=headers)
    assert "strict-transport-security" not in answer.headers
    assert "Secure" not in answer.headers["set-cookie"]


def test_cookies_are_bound_to_the_host_behind_tls(server: Running) -> None:
    server.add_user(EMAIL)
    browser = over_tls(server)
    visit = browser.get("/login").headers["set-cookie"]
    answer = log_in(browser)
    assert answer.status_code == 303
    for cookie in [visit, *answer.headers.get_list("set-cookie")]:
        name, _, rest = cookie.partition("=")
        assert name.startswith("__Host-tracer_"), cookie
        parts = {part.strip() for part in rest.split(";")}
        assert {"HttpOnly", "Secure", "Path=/"} <= parts, cookie
        assert parts & {"SameSite=Lax", "SameSite=Strict"}, cookie
        assert "domain" not in cookie.lower()
    assert browser.get("/account/").status_code == 200


def test_cookie_without_the_prefix_is_not_taken_behind_tls(server: Running) -> None:
    server.add_user(EMAIL)
    plain = server.login(EMAIL).cookies["tracer_login"]
    browser = over_tls(server)
    browser.cookies.set("tracer_login", plain)
    assert browser.get("/account/").status_code == 303
    browser.cookies.set("__Host-tracer_login", plain)
    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize("host", ["evil.example/x", "a@b", "x y", '"><script>', "a:b", ""])
def test_host_that_is_none_is_not_repeated(server: Running, host: str) -> None:
    answer = server.visitor.get("/api/0/nothing/", headers={"Host": host})
    assert host == "" or host not in answer.text
    page = server.visitor.get("/login", headers={"Host": host})
    assert page.status_code == 200
    assert host == "" or host not in page.text


def test_no_page_has_a_script_or_style_in_its_text(server: Running) -> None:
    server.add_user(EMAIL)
    browser = server.login(EMAIL)
    for path in ("/login", "/forgot"):
        check_markup(server.visitor.get(path).text)
    for path in ("/account/", "/account/security/", "/members/", "/issues/"):
        check_markup(browser.get(path).text)


def check_markup(page: str) -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page)
    assert "<style" not in page
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r"<[^>]+\sstyle=", page)
    assert "javascript:" not in page


def test_static_files_are_kept_for_good_under_their_hash(server: Running) -> None:
    url = server.app.static.url("css/base.css")
    answer = server.visitor.get(url, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    stale = server.visitor.get("/static/000000000000/css/base.css")
    assert stale.headers["cache-control"] == "public, max-age=60"
    assert stale.content == answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/x/../pyproject.toml",
        "/static/x/%2e%2e/%2e%2e/pyproject.toml",
        "/static/x/..%2f..%2fpyproject.toml",
        "/static/x//etc/passwd",
        "/static/",
        "/static/x",
    ],
)
def test_nothing_but_static_files_is_served_as_one(server: Running, path: str) -> None:
    assert server.visitor.get(path).status_code == 404
