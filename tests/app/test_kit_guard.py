"""What stands between a request and its handler, seen from outside with routes of this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from tracer import manifest
from tracer.errors import Conflict, Invalid, RateLimited
from tracer.kit.feature import Feature
from tracer.kit.permissions import Permission
from tracer.kit.render import download, empty, flash, json, page, redirect
from tracer.kit.routes import Routes

routes = Routes()


def load_project(reader: Any, reach: Any, project_id: int) -> int | None:
    return project_id if reach.holds(project_id) else None


@routes.get("/probe/public", can=Permission.PUBLIC)
def public(req: Any) -> Any:
    return json({"kind": req.actor.kind, "ip": req.client_ip, "url": req.base_url})


@routes.get("/probe/read", can=Permission.EVENT_READ)
def read(req: Any) -> Any:
    return json({"email": req.actor.email, "projects": list(req.reach.project_ids)})


@routes.post("/probe/write", can=Permission.EVENT_WRITE)
def write(req: Any) -> Any:
    flash(req, f"Wrote «{req.form.get('text')}»")
    return redirect("/probe/page?x=1")


@routes.get("/probe/page", can=Permission.LOGGED_IN)
def whole(req: Any) -> Any:
    return page(req, "error.html", part="ui/help.html", detail="the page", code=400)


@routes.get("/probe/projects/{project_id:int}/", can=Permission.PROJECT_ADMIN, load=load_project)
def project(req: Any, project_id: int) -> Any:
    return json({"id": project_id})


@routes.get("/probe/bug", can=Permission.PUBLIC)
def bug(req: Any) -> Any:
    raise ZeroDivisionError("secret detail")


@routes.get("/probe/busy", can=Permission.PUBLIC)
def busy(req: Any) -> Any:
    raise RateLimited("Too fast.", retry_after_s=7)


@routes.get("/probe/file", can=Permission.PUBLIC)
def file(req: Any) -> Any:
    query = req.query
    return download(b"<script>", query.get("name"), query.get("type"), inline=True)


@routes.post("/api/0/probe/", can=Permission.EVENT_WRITE, body_bytes=1000)
def api_write(req: Any) -> Any:
    return json(req.decode(dict[str, int]), status=201)


@routes.delete("/api/0/probe/", can=Permission.EVENT_ADMIN)
def api_delete(req: Any) -> Any:
    raise Conflict("Clash.")


@routes.get("/api/0/probe/{number:int}/", can=Permission.EVENT_READ)
def api_read(req: Any, number: int) -> Any:
    if number == 7:
        raise Invalid("Not seven.")
    return empty()


PROBE = Feature("probe", routes=(routes,))


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("probe")
    with running(folder / "data", (*manifest.FEATURES, PROBE)) as started:
        yield started


# Who asks -----------------------------------------------------------------------------------


def test_visitor_is_sent_to_the_login_and_would_come_back(probe: Running) -> None:
    answer = probe.visitor.get("/probe/read?q=a b&x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/probe/read%3Fq%3Da%2520b%26x%3D1"
    assert probe.visitor.get("/probe/public").json()["kind"] == "anonymous"


def test_visitor_of_the_api_is_told_in_json(probe: Running) -> None:
    answer = probe.visitor.get("/api/0/probe/1/")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


def test_unknown_token_is_refused_even_where_none_is_needed(probe: Running) -> None:
    for path in ("/api/0/probe/1/", "/probe/public"):
        answer = probe.visitor.get(path, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401


def test_unknown_login_is_a_visitor(probe: Running) -> None:
    browser = probe.browser()
    browser.cookies.set("tracer_login", "nonsense")
    assert browser.get("/probe/read").status_code == 303


def test_login_reaches_the_projects_of_its_organization(probe: Running) -> None:
    assert probe.page("/probe/read").json() == {
        "email": "owner@example.com",
        "projects": [probe.project.id],
    }


def test_login_cookie_of_plain_http_does_not_count_on_https(probe: Running) -> None:
    answer = probe.login().get("/probe/read", headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 200, "the test client is no trusted proxy"


# What they may do ---------------------------------------------------------------------------


def test_missing_permission_is_403_in_the_form_that_was_asked_for(probe: Running) -> None:
    viewer = probe.login("viewer@example.com", "viewer")
    answer = probe.post("/probe/write", browser=viewer)
    assert answer.status_code == 403
    assert "You do not have permission" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    told = probe.api("/api/0/probe/", "POST", json={}, scopes=["event:read"])
    assert (told.status_code, told.json()["detail"]) == (
        403,
        "You do not have permission to perform this action.",
    )


def test_out_of_reach_is_404_and_in_reach_without_permission_403(probe: Running) -> None:
    member = probe.login("member@example.com", "member")
    mine = f"/probe/projects/{probe.project.id}/"
    assert member.get(mine).status_code == 403
    assert member.get("/probe/projects/999/").status_code == 404
    assert probe.page(mine).json() == {"id": probe.project.id}
    assert probe.page("/probe/projects/999/").status_code == 404


def test_token_may_do_no_more_than_its_scopes(probe: Running) -> None:
    assert probe.api("/api/0/probe/1/", scopes=["event:read"]).status_code == 204
    assert probe.api("/api/0/probe/1/", scopes=["project:read"]).status_code == 403
    assert probe.api("/api/0/probe/", "POST", json={}, scopes=["event:admin"]).status_code == 201


# Forged requests ----------------------------------------------------------------------------


def test_form_without_its_csrf_token_is_refused(probe: Running) -> None:
    browser = probe.login()
    assert browser.post("/probe/write", data={"text": "x"}).status_code == 403
    wrong = {"text": "x", "csrf": "aa.bb"}
    assert browser.post("/probe/write", data=wrong).status_code == 403


def test_csrf_token_counts_as_field_and_as_header(probe: Running) -> None:
    browser = probe.login()
    token = probe.csrf(browser)
    assert browser.post("/probe/write", data={"csrf": token}).status_code == 303
    assert browser.post("/probe/write", headers={"X-CSRF-Token": token}).status_code == 303


def test_csrf_token_of_another_login_is_refused(probe: Running) -> None:
    token = probe.csrf(probe.login("other@example.com"))
    assert probe.login().post("/probe/write", data={"csrf": token}).status_code == 403


def test_csrf_token_differs_on_each_page(probe: Running) -> None:
    browser = probe.login()
    assert probe.csrf(browser) != probe.csrf(browser)


def test_request_from_another_site_is_refused_with_any_token(probe: Running) -> None:
    browser = probe.login()
    headers = {"X-CSRF-Token": probe.csrf(browser), "Sec-Fetch-Site": "cross-site"}
    assert browser.post("/probe/write", headers=headers).status_code == 403


def test_api_by_login_needs_the_csrf_token_and_by_bearer_does_not(probe: Running) -> None:
    browser = probe.login()
    assert browser.post("/api/0/probe/", json={"a": 1}).status_code == 403
    headers = {"X-CSRF-Token": probe.csrf(browser)}
    assert browser.post("/api/0/probe/", json={"a": 1}, headers=headers).status_code == 201
    assert probe.api("/api/0/probe/", "POST", json={"a": 1}).status_code == 201


def test_visitors_token_belongs_to_their_own_cookie(probe: Running) -> None:
    one, other = probe.browser(), probe.browser()
    token = probe.csrf(one)
    form = {"email": "nobody@example.com", "password": "x", "csrf": token}
    assert other.post("/login", data=form).status_code == 403
    assert one.post("/login", data=form).status_code == 422


# Answers ------------------------------------------------------------------------------------


def test_message_is_shown_once_on_the_page_a_redirect_leads_to(probe: Running) -> None:
    browser = probe.login()
    answer = probe.post("/probe/write", {"text": "<b>ü"}, browser=browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/probe/page?x=1")
    assert "Wrote «&lt;b&gt;ü»" in browser.get("/probe/page").text
    assert "Wrote" not in browser.get("/probe/page").text


def test_message_that_was_tampered_with_is_not_shown(probe: Running) -> None:
    browser = probe.login()
    browser.cookies.set("tracer_flash", "W1siZXJyb3IiLCJGb3JnZWQiXV0=.0000")
    assert "Forged" not in browser.get("/probe/page").text


def test_redirect_for_htmx_is_a_visit_of_the_whole_page(probe: Running) -> None:
    answer = probe.post("/probe/write", {"text": "x"}, part=True)
    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == "/probe/page?x=1"
    assert "location" not in answer.headers


def test_htmx_gets_the_part_and_others_the_page(probe: Running) -> None:
    assert "<html" not in probe.page("/probe/page", part=True).text
    assert "<html" in probe.page("/probe/page").text
    browser = probe.login()
    for header in ({"HX-Boosted": "true"}, {"HX-Request-Type": "full"}):
        answer = browser.get("/probe/page", headers={"HX-Request": "true"} | header)
        assert "<html" in answer.text
        assert "HX-Request" in answer.headers["vary"]


def test_refusal_for_htmx_is_a_toast_and_changes_nothing(probe: Running) -> None:
    answer = probe.visitor.get("/probe/busy", headers={"HX-Request": "true"})
    assert answer.status_code == 429
    assert answer.headers["hx-reswap"] == "none"
    assert answer.headers["hx-trigger"] == (
        '{"toast": {"messages": [{"kind": "error", "message": "Too fast."}]}}'
    )
    assert answer.headers["retry-after"] == "7"


def test_bug_is_shown_under_an_id_without_its_detail(
    probe: Running, caplog: pytest.LogCaptureFixture
) -> None:
    answer = probe.visitor.get("/probe/bug")
    assert answer.status_code == 500
    assert "Internal error" in answer.text
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
    assert caplog.records[-1].args[-1] in answer.text  # type: ignore[index]


def test_other_method_is_405_and_names_the_right_ones(probe: Running) -> None:
    told = probe.api("/api/0/probe/", "PUT")
    assert (told.status_code, told.headers["allow"]) == (405, "DELETE, POST")
    assert told.json() == {"detail": 'Method "PUT" not allowed.'}
    assert probe.visitor.post("/probe/public").headers["allow"] == "GET, HEAD"


def test_missing_slash_is_forgiven(probe: Running) -> None:
    assert probe.api("/api/0/probe", "POST", json={"a": 1}).status_code == 201
    answer = probe.page(f"/probe/projects/{probe.project.id}?a=1")
    assert (answer.status_code, answer.headers["location"]) == (
        307,
        f"/probe/projects/{probe.project.id}/?a=1",
    )
    assert probe.visitor.get("http://testserver//evil.example/login/").status_code == 404


def test_unknown_path_is_404_in_the_form_that_was_asked_for(probe: Running) -> None:
    assert probe.visitor.get("/nowhere").headers["content-type"].startswith("text/html")
    told = probe.visitor.get("/api/0/nowhere/")
    assert (told.status_code, list(told.json())) == (404, ["detail"])


def test_body_past_its_limit_is_413(probe: Running) -> None:
    headers = {"Authorization": f"Bearer {probe.token()}"}
    declared = probe.visitor.post("/api/0/probe/", content=b"x" * 1001, headers=headers)
    assert declared.status_code == 413
    chunked = probe.visitor.post(
        "/api/0/probe/", content=iter([b"x" * 600, b"x" * 600]), headers=headers
    )
    assert chunked.status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": "x"}', b"[" * 900, b"\xff", b'{"a": 1e999}'])
def test_body_that_is_not_as_asked_is_400(probe: Running, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {probe.token()}"}
    answer = probe.visitor.post("/api/0/probe/", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Invalid JSON body")


def test_head_is_a_get_without_its_body(probe: Running) -> None:
    answer = probe.visitor.head("/probe/public")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


# Headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/probe/bug", "/probe/public"])
def test_every_answer_carries_the_security_headers(probe: Running, path: str) -> None:
    headers = probe.visitor.get(path).headers
    policy = headers["content-security-policy"]
    for rule in ("script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_cookies_are_out_of_reach_for_scripts(probe: Running) -> None:
    cookie = probe.browser().get("/login").headers["set-cookie"]
    assert cookie.startswith("tracer_visit=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "<script>", "x:y", ""])
def test_host_that_is_none_is_never_repeated(probe: Running, host: str) -> None:
    answer = probe.visitor.get("/probe/public", headers={"Host": host})
    assert answer.json()["url"] == "http://localhost:9000"


def test_large_answers_are_compressed_for_those_who_can(probe: Running) -> None:
    page_ = probe.visitor.get("/login", headers={"Accept-Encoding": "gzip"})
    plain = probe.visitor.get("/login", headers={"Accept-Encoding": "identity"})
    assert page_.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(page_.headers["content-length"]) < int(plain.headers["content-length"])
    assert "Accept-Encoding" in plain.headers["vary"]


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("a.png", "image/png", "inline"),
        ("a.txt", "text/plain", "inline"),
        ("a.svg", "image/svg+xml", "attachment"),
        ("a.html", "text/html", "attachment"),
        ("a.js", "text/javascript", "attachment"),
    ],
)
def test_files_never_run_on_this_site(probe: Running, name: str, kind: str, shown: str) -> None:
    answer = probe.visitor.get("/probe/file", params={"name": name, "type": kind})
    assert answer.headers["content-disposition"].startswith(shown)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "html" not in answer.headers["content-type"]
    assert "javascript" not in answer.headers["content-type"]


def test_file_name_cannot_break_out_of_its_header(probe: Running) -> None:
    name = 'a";\r\nX-Evil: 1/../ü.txt'
    answer = probe.visitor.get("/probe/file", params={"name": name, "type": "text/plain"})
    assert "x-evil" not in answer.headers
    disposition = answer.headers["content-disposition"]
    assert disposition.count('"') == 2
    assert "UTF-8''a____X-Evil_ 1_.._%C3%BC.txt".replace(" ", "%20") in disposition
