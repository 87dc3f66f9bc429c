"""The API document and the page made of it."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec

from harness import Running
from tracer.kit import openapi
from tracer.kit.permissions import Permission
from tracer.kit.routes import Operation, Param, Routes


class Pet(msgspec.Struct):
    """One animal."""

    name: str
    age: int | None = None


def document(**doc: Any) -> Any:
    routes = Routes()

    @routes.post("/api/0/pets/{pet_id:int}/", can=Permission.EVENT_WRITE, doc=Operation(**doc))
    def feed(req: Any, pet_id: int) -> None:
        """Never called here."""

    return openapi.build(routes, version="1.2.3")


def test_operation_tells_its_scope_values_body_and_answers() -> None:
    query = (
        Param("sort", "Which first.", values=("age", "name")),
        Param("id", "Which.", repeated=True),
    )
    made = document(
        summary="Feed one", query=query, body=Pet, returns=list[Pet], status=201, errors=(409,)
    )
    operation = made["paths"]["/api/0/pets/{pet_id}/"]["post"]
    assert operation["security"] == [{"token": ["event:write"]}, {"login": []}]
    assert sorted(operation["responses"]) == ["201", "400", "401", "403", "404", "409", "413"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Pet"}
    by_name = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert by_name["pet_id"]["schema"]["type"] == "integer"
    assert by_name["sort"]["schema"] == {"type": "string", "enum": ["age", "name"]}
    assert by_name["id"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert made["components"]["schemas"]["Pet"]["required"] == ["name"]


def test_paged_list_names_its_cursor_and_link_header() -> None:
    made = document(summary="All", returns=list[Pet], paged=True)
    operation = made["paths"]["/api/0/pets/{pet_id}/"]["post"]
    assert [p["name"] for p in operation["parameters"]] == ["pet_id", "cursor"]
    assert "Link" in operation["responses"]["200"]["headers"]


def test_document_of_the_whole_api_is_sound(tracer: Running) -> None:
    answer = tracer.visitor.get("/api/0/openapi.json")
    made = answer.json()
    operations = [op for path in made["paths"].values() for op in path.values()]
    assert len(operations) > 20
    ids = [operation["operationId"] for operation in operations]
    assert sorted(set(ids)) == sorted(ids)
    assert all(operation["summary"] for operation in operations)
    for reference in re.findall(
        r'"#/components/schemas/([^"]+)"', tracer.visitor.get("/api/0/openapi.json").text
    ):
        assert reference in made["components"]["schemas"]


def test_every_route_of_the_api_is_in_the_document(tracer: Running) -> None:
    routes = [route for route in tracer.app.table.routes if route.is_api]
    assert [f"{r.method} {r.path}" for r in routes if r.doc is None] == []


def test_page_shows_every_operation(tracer: Running) -> None:
    made = tracer.visitor.get("/api/0/openapi.json").json()
    text = html.unescape(tracer.page("/api/docs").text)
    for path, methods in made["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in text
