"""Every route of the application: who may use it is declared, and holds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from tracer import manifest
from tracer.app import build
from tracer.kit.feature import Feature
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.routes import Route
from tracer.settings import Settings

TABLE = build(Settings()).table
ROUTES = TABLE.routes
GUARDED = [route for route in ROUTES if route.can is not Permission.PUBLIC]
ASKED = [route for route in GUARDED if route.can in SCOPES]

RING = "tracer.features."

# A route joins these only by a deliberate change here.
PUBLIC = {
    "GET /api/0/",
    "GET /api/0/openapi.json",
    "GET /forgot",
    "GET /invitations/{secret}",
    "GET /join/{slug}",
    "GET /joining/{secret}",
    "GET /login",
    "GET /login/second-factor",
    "GET /reset/{secret}",
    "GET /setup/{token}",
    "POST /forgot",
    "POST /invitations/{secret}",
    "POST /join/{slug}",
    "POST /joining/{secret}",
    "POST /login",
    "POST /login/passkey",
    "POST /login/passkey/options",
    "POST /login/second-factor",
    "POST /login/second-factor/passkey",
    "POST /logout",
    "POST /reset/{secret}",
    "POST /setup/{token}",
}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def address(route: Route) -> str:
    path = re.sub(r"\{\w+:int\}", "999999", route.path)
    return re.sub(r"\{\w+(:\w+)?\}", "nothing", path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("routes") / "data") as started:
        yield started


def test_open_routes_are_the_listed_ones() -> None:
    found = {name(route) for route in ROUTES if route.can is Permission.PUBLIC}
    assert found == PUBLIC


def test_raw_routes_ask_for_a_project_key() -> None:
    assert TABLE.raws
    assert {raw.can for raw in TABLE.raws} == {Permission.PROJECT_KEY}


def test_every_permission_that_a_route_asks_for_is_granted_to_some_role() -> None:
    assert {route.can for route in ASKED} <= ROLE_GRANTS["owner"]


def test_routes_that_change_something_ask_for_more_than_reading() -> None:
    changing = [route for route in ASKED if route.method != "GET"]
    assert [name(route) for route in changing if str(route.can).endswith(":read")] == []


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_visitor_is_kept_out(site: Running, route: Route) -> None:
    answer = site.visitor.request(route.method, address(route))
    if route.is_api:
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Authentication credentials were not provided."}
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("route", ASKED, ids=name)
def test_token_without_the_scope_is_kept_out(site: Running, route: Route) -> None:
    kind = str(route.can).partition(":")[0]
    others = [str(scope) for scope in SCOPES if not scope.startswith(kind + ":")]
    headers = {"Authorization": f"Bearer {site.token(*others)}"}
    answer = site.visitor.request(route.method, address(route), headers=headers)
    # Where an object is loaded, one that is not there may not tell by its answer.
    assert answer.status_code == (403 if route.load is None else 404)


@pytest.mark.parametrize("route", [r for r in ROUTES if r.method != "GET"], ids=name)
def test_login_without_csrf_token_changes_nothing(site: Running, route: Route) -> None:
    browser = site.client if "tracer_login" in site.client.cookies else site.login()
    answer = browser.request(route.method, address(route))
    assert answer.status_code == 403


@pytest.mark.parametrize("route", [r for r in ROUTES if not r.path.startswith("/live/")], ids=name)
def test_owner_with_nonsense_gets_an_answer_and_never_an_error(site: Running, route: Route) -> None:
    headers: dict[str, Any] = {"Authorization": f"Bearer {site.token()}"}
    answer = site.visitor.request(route.method, address(route), headers=headers, content=b"{}")
    assert answer.status_code < 500, answer.text


def ring() -> list[Feature]:
    """The features that were declared by a package of the ring."""
    packages = [module for path, module in sys.modules.items() if path.startswith(RING)]
    values = [getattr(package, "FEATURE", None) for package in packages]
    return [feature for feature in manifest.FEATURES if feature in values]


@pytest.mark.parametrize("feature", ring(), ids=lambda feature: feature.name)
def test_ring_feature_can_be_unplugged(tmp_path: Path, feature: Any) -> None:
    others = tuple(f for f in manifest.FEATURES if f is not feature)
    with running(tmp_path / "data", others) as site:
        site.send(message="Hello")
        assert site.page("/issues/").status_code == 200
        assert "Hello" in site.page("/issues/").text
        assert site.api("/api/0/").status_code == 200
