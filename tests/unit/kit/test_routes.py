from __future__ import annotations

from typing import Any

import pytest

from tracer.kit.check import check
from tracer.kit.feature import Feature, Nav
from tracer.kit.permissions import Permission
from tracer.kit.routes import Found, Routes, Table


def handler(req: Any, **values: Any) -> None:
    """Never called here."""


def table(*declared: tuple[str, str]) -> Table:
    routes = Routes()
    for method, path in declared:
        routes.add(method, path, can=Permission.PUBLIC)(handler)
    return Table([routes])


def test_route_without_a_permission_is_a_type_error() -> None:
    routes = Routes()
    with pytest.raises(TypeError, match="can"):
        routes.get("/open/")  # type: ignore[call-arg]


def test_path_values_are_converted() -> None:
    found = table(("GET", "/issues/{issue_id:int}/events/{event_id}")).find(
        "GET", "/issues/12/events/abc"
    )
    assert isinstance(found, Found)
    assert found.values == {"issue_id": 12, "event_id": "abc"}


@pytest.mark.parametrize(
    "path",
    [
        "/issues/x",
        "/issues/-1",
        "/issues/1234567890123456789",
        "/issues/１",
        "/issues/1/",
        "/issues/1\n",
        "/issues/",
    ],
)
def test_only_short_decimal_numbers_are_ids(path: str) -> None:
    assert table(("GET", "/issues/{issue_id:int}")).find("GET", path) == set()


def test_other_method_tells_which_ones_there_are() -> None:
    routes = table(("GET", "/a/{x}"), ("POST", "/a/{x}"))
    assert routes.find("DELETE", "/a/1") == {"GET", "POST"}
    assert isinstance(routes.find("HEAD", "/a/1"), Found)


def test_fixed_path_declared_first_wins_over_a_value() -> None:
    found = table(("GET", "/projects/new"), ("GET", "/projects/{slug}")).find(
        "GET", "/projects/new"
    )
    assert isinstance(found, Found)
    assert found.route.path == "/projects/new"


def test_first_segment_may_be_a_value() -> None:
    found = table(("GET", "/{page}")).find("GET", "/anything")
    assert isinstance(found, Found)
    assert found.values == {"page": "anything"}


def test_dots_and_signs_in_a_path_are_literal() -> None:
    assert table(("GET", "/api/0/openapi.json")).find("GET", "/api/0/openapiXjson") == set()


def test_two_handlers_for_one_route_are_refused() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        table(("GET", "/a/"), ("GET", "/a/"))


def test_raw_route_matches_with_and_without_slash() -> None:
    routes = Routes()

    @routes.raw("/api/{project_id:int}/envelope/", ("POST",), can=Permission.PROJECT_KEY)
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Never called here."""

    raws = Table([routes])
    for path in ("/api/7/envelope/", "/api/7/envelope"):
        found = raws.find_raw(path)
        assert found is not None
        assert found[1] == {"project_id": 7}
    for path in ("/api/x/envelope/", "/api/7/envelope/x", "/api/7/envelopes", "/api/7/envelope//"):
        assert raws.find_raw(path) is None


def test_navigation_to_nowhere_is_refused_at_start() -> None:
    feature = Feature("x", nav=Nav("X", "/x/", "box"))
    with pytest.raises(ValueError, match="/x/"):
        check([feature], table(("GET", "/y/")))


def test_task_declared_twice_is_refused_at_start() -> None:
    features = [Feature("a", tasks={"t": handler}), Feature("b", tasks={"t": handler})]
    with pytest.raises(ValueError, match="'t'"):
        check(features, table())


def test_page_with_a_project_key_is_refused_at_start() -> None:
    routes = Routes()
    routes.get("/x/", can=Permission.PROJECT_KEY)(handler)
    with pytest.raises(ValueError, match="raw"):
        check([], Table([routes]))
