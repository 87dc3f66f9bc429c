"""Requests that another's page makes a browser send, and logins that somebody else prepared."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from harness import PASSWORD
from security.door import Answer
from security.places import address_in
from security.test_access_walk import TABLE, body_of, name
from security.world import World, csrf_token
from tracer import clock
from tracer.accounts.model import secret_hash
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.routes import Route

UNSAFE = [route for route in TABLE.routes if route.method not in SAFE_METHODS]
#: Looking at these is itself written down, in the audit log.
RECORDED = ("/api/0/organizations/{organization_slug}/audit-logs/export/",)
SAFE = [
    route
    for route in TABLE.routes
    if route.method in SAFE_METHODS and route.path not in RECORDED
    if not route.path.startswith("/live/")
]


def written(world: World) -> int:
    """A number that every changed row raises."""
    meta = world.tracer.meta
    with meta._lock:
        return int(meta._writer.total_changes())


# Forged requests -------------------------------------------------------------------------------


@pytest.mark.parametrize("route", UNSAFE, ids=name)
def test_change_without_its_own_token_is_refused(world: World, route: Route) -> None:
    owner = world.visitors["owner"]
    target, body = address_in(route.path, world.acme), body_of(route)
    before = written(world)
    tokens = {
        "none": None,
        "empty": "",
        "nonsense": "0.0",
        "cut": csrf_token(owner.csrf)[:-1],
        "of another's login": csrf_token(world.visitors["manager"].csrf),
        "of a visit": csrf_token(world.visit()[1]),
        "without a key": csrf_token(b""),
    }
    for kind, token in tokens.items():
        headers = [] if token is None else [("x-csrf-token", token)]
        answer = world.ask("owner", route.method, target, csrf=False, headers=headers, **body)
        assert answer.status == 403, kind
    for sent in ({"csrf": csrf_token(owner.csrf)}, {"csrf": ""}):
        from_elsewhere = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
        answer = world.ask(
            "owner", route.method, target, csrf=False, headers=from_elsewhere, form=sent
        )
        assert answer.status == 403
    assert written(world) == before


@pytest.mark.parametrize("route", SAFE, ids=name)
def test_looking_changes_nothing(world: World, route: Route) -> None:
    target, before = address_in(route.path, world.acme), written(world)
    for visitor in ("owner", "nobody"):
        for method in ("GET", "HEAD"):
            for query in ("", "?csrf=x&action=delete&id=1&confirm=1&_method=DELETE"):
                answer = world.ask(visitor, method, target + query)
                assert answer.status < 500
    assert written(world) == before


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_method_is_the_requests_own(world: World, header: str) -> None:
    issue = f"/api/0/issues/{world.acme.values['issue_id']}/"
    assert world.ask("owner", "GET", issue, headers=[(header, "DELETE")]).status == 200
    assert world.ask("owner", "GET", issue + "?_method=DELETE").status == 200
    assert world.ask("owner", "GET", issue).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""]
)
def test_body_of_any_kind_needs_the_token(world: World, kind: str) -> None:
    """A page elsewhere may send these kinds without asking first."""
    body = b'{"status":"resolved","csrf":"x"}'
    for path in (f"/api/0/issues/{world.acme.values['issue_id']}/", "/account/"):
        method = "PUT" if path.startswith("/api") else "POST"
        answer = world.ask(
            "owner", method, path, csrf=False, headers=[("content-type", kind)], body=body
        )
        assert answer.status == 403


@pytest.mark.parametrize("route", TABLE.routes, ids=name)
def test_no_other_site_may_read_an_answer(world: World, route: Route) -> None:
    if route.path.startswith("/live/"):
        return
    target = address_in(route.path, world.acme)
    origin = [("origin", "https://evil.example"), ("access-control-request-method", route.method)]
    for method in {"OPTIONS", "GET"}:
        answer = world.ask("owner", method, target, headers=origin)
        assert not [key for key, _ in answer.headers if key.startswith("access-control-")]


# Logins ----------------------------------------------------------------------------------------


def log_in(world: World, cookies: str = "", **fields: Any) -> Answer:
    """The login form, filled in by a browser that already has cookies."""
    visit, key = world.visit()
    form = {"email": "member@acme.example", "password": PASSWORD, "csrf": csrf_token(key), **fields}
    return world.door.ask("POST", "/login", {"cookie": f"{visit}; {cookies}"}, form=form)


def cookie_of(answer: Answer, start: str = "tracer_login=") -> str:
    found = [value for value in answer.all("set-cookie") if value.startswith(start)]
    return found[-1].partition(";")[0] if found else ""


def is_known(world: World, cookie: str) -> bool:
    return world.door.ask("GET", "/account/", {"cookie": cookie}).status == 200


def test_login_never_keeps_a_cookie_that_was_there(world: World) -> None:
    planted = "tracer_login=" + "a" * 43
    mine = cookie_of(log_in(world, planted))
    assert mine not in ("", planted)
    assert is_known(world, mine)
    assert not is_known(world, planted)


def test_login_ends_the_login_that_the_browser_had(world: World) -> None:
    attackers, key = world.login(world.globex.user_id, world.globex.organization_id)
    assert is_known(world, attackers)
    mine = cookie_of(log_in(world, attackers, csrf=csrf_token(key)))
    assert is_known(world, mine)
    assert not is_known(world, attackers)


def test_end_of_a_login_is_the_servers(world: World) -> None:
    cookie, key = world.login(world.acme.user_id, world.acme.organization_id)
    assert is_known(world, cookie)
    headers = {"cookie": cookie, "x-csrf-token": csrf_token(key)}
    assert world.door.ask("POST", "/logout", headers).status == 303
    assert not is_known(world, cookie)
    assert world.door.ask("POST", "/account/theme", headers, form={"theme": "dark"}).status in (
        303,
        403,
    )
    assert world.value("SELECT theme FROM users WHERE id = :id", id=world.acme.user_id) != "dark"


def test_cookie_of_a_login_is_kept_from_scripts_and_other_sites(world: World) -> None:
    [cookie] = [c for c in log_in(world).all("set-cookie") if c.startswith("tracer_login=")]
    for part in ("; HttpOnly", "; SameSite=Lax", "; Path=/"):
        assert part in cookie
    assert "Domain" not in cookie


def test_database_holds_no_cookie_or_token(world: World) -> None:
    cookie = cookie_of(log_in(world)).partition("=")[2]
    assert len(cookie) >= 43
    stored = world.value(
        "SELECT count(*) FROM logins WHERE token_hash = :hash", hash=secret_hash(cookie)
    )
    assert stored == 1
    assert world.value("SELECT count(*) FROM logins WHERE token_hash = :raw", raw=cookie) == 0


@pytest.mark.parametrize("column", ["expires_at", "seen_at"])
def test_login_that_is_too_old_is_none(world: World, column: str) -> None:
    cookie, _ = world.login(
        world.acme.user_id,
        world.acme.organization_id,
        **{column: clock.now_ms() - 400 * 86_400_000},
    )
    assert not is_known(world, cookie)


def test_hash_of_a_cookie_is_no_cookie(world: World) -> None:
    reference = world.acme.values["login_ref"]
    assert not is_known(world, f"tracer_login={reference}")


def test_wrong_password_and_unknown_account_look_the_same(world: World) -> None:
    """Also for those who may not come in: nobody's member, one without a password."""
    world.execute("UPDATE users SET password_hash = NULL WHERE email = 'viewer@acme.example'")
    answers = []
    for email in ("member@acme.example", "nobody@acme.example", "viewer@acme.example"):
        answer = log_in(world, email=email, password="not this one at all")
        body = re.sub(r"[0-9a-f]{16}\.[0-9a-f]{64}", "·", answer.text).replace(email, "·")
        varying = ("content-length", "x-request-id")
        headers = [pair for pair in answer.headers if pair[0] not in varying]
        answers.append((answer.status, headers, body))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 422


# Where one is sent ----------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/%09/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\r\nLocation: https://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "https:/evil.example",
    "//evil.example@testserver/",
    "http://testserver.evil.example/",
    "http://testserver@evil.example/",
    "/.//evil.example",
    "/login?next=//evil.example",
    "/issues/..//evil.example/",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "/\x7f/evil.example",
    "/\x1f//evil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%2f/evil.example",
    "/%252f%252fevil.example",
    "/%25252525252f/evil.example",
    "/%0d%0aLocation:%20//evil.example",
    "/\u2028/evil.example",
    "\u3000//evil.example",
    "\ufeff//evil.example",
    "\uff0f\uff0fevil.example",
    "/\uff0fevil.example",
    "\u2215\u2215evil.example",
    "https:\uff0f\uff0fevil.example",
    "https://evil\u3002example/",
    "java\tscript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://testserver/%0aalert(1)",
    "vbscript:x",
    "blob:https://evil.example/x",
    "ftp://evil.example/",
    "///testserver@evil.example",
    "https://testserver:80@evil.example/",
    "https://testserver%40evil.example/",
    "https://testserver#@evil.example/",
    "?//evil.example",
    "#//evil.example",
    "..//evil.example",
    ";//evil.example",
    "/;//evil.example",
    "*//evil.example",
    "/" * 3000 + "evil.example",
    "",
]


def leads_away(location: str) -> bool:
    """As browsers read a Location: backslashes are slashes, blanks at the ends do not count."""
    seen = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    parts = urlsplit(seen)
    return bool(parts.scheme or parts.netloc) or seen.startswith("//")


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_nobody_is_sent_to_another_site(world: World, wanted: str) -> None:
    escaped = quote(wanted, safe="")
    assert_stays(
        world.ask("owner", "GET", f"/login?next={escaped}"),
        world.ask("owner", "POST", "/account/theme", form={"theme": "dark", "next": wanted}),
        world.ask("owner", "GET", f"/account/confirm/?next={escaped}"),
        world.ask("nobody", "GET", f"/login?next={escaped}"),
    )


@pytest.mark.parametrize("wanted", ELSEWHERE[::7])
def test_right_password_leads_to_no_other_site(world: World, wanted: str) -> None:
    answers = (
        log_in(world, next=wanted),
        world.ask(
            "manager", "POST", "/account/confirm/", form={"next": wanted, "password": PASSWORD}
        ),
    )
    assert_stays(*answers)
    assert [answer.status for answer in answers] == [303, 303]


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_no_form_leads_to_another_site(world: World, wanted: str) -> None:
    """Whatever name a form may have for where to go, and wherever the page was that held it."""
    form = {**dict.fromkeys(("next", "back", "url", "return", "redirect"), wanted), "id": 1}
    for route in TABLE.routes:
        if route.method == "POST" and "{" not in route.path and not route.is_api:
            target = f"{route.path}?next={quote(wanted, safe='')}"
            answer = world.ask("owner", "POST", target, form=form, headers=[("referer", wanted)])
            assert_stays(answer)
            if answer.status < 400:
                world.restore()


def assert_stays(*answers: Answer) -> None:
    """None of the answers leads to another site, or has a line break in a header."""
    for answer in answers:
        assert not leads_away(answer.header("location"))
        assert not leads_away(answer.header("hx-redirect"))
        for _, value in answer.headers:
            assert not set(value) & set("\r\n")


REFERERS = [
    "https://evil.example/members/",
    "http://testserver.evil.example/members/",
    "http://testserver@evil.example/members/",
    "http://testserver//evil.example/members/",
    "http://testserver/\\evil.example",
    "http://testserver/\t/evil.example",
    "http://testserver:80@evil.example/members/",
    "//evil.example/members/",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("referer", REFERERS)
def test_way_back_from_a_form_stays_on_this_site(world: World, referer: str) -> None:
    """Some forms lead back to the page that held them, also by way of asking who one is."""
    world.execute("UPDATE logins SET confirmed_at = 1")
    headers = [("referer", referer)]
    invitation = world.acme.values["invitation_id"]
    asked = world.ask("manager", "POST", "/settings/tokens/", form={}, headers=headers)
    assert asked.header("location").startswith("/account/confirm/?next=")
    [wanted] = parse_qs(urlsplit(asked.header("location")).query)["next"]
    assert_stays(
        asked,
        world.ask("manager", "GET", f"/login?next={quote(wanted, safe='')}"),
        world.ask("manager", "POST", f"/members/invitations/{invitation}/revoke", headers=headers),
    )


def test_visitor_comes_back_to_what_was_asked_for_only(world: World) -> None:
    for path in ("//evil.example/issues/", "/issues//evil.example", "/issues/?next=//evil.example"):
        location = world.ask("nobody", "GET", path).header("location")
        assert not leads_away(location)
        for value in parse_qs(urlsplit(location).query).get("next", []):
            assert not leads_away(value)
