"""The API as an OpenAPI 3.1 document, made from the routes that carry `doc=`, and a page of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tracer.kit.permissions import Permission
from tracer.kit.routes import Operation, Param, Route

_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_REF = "#/components/schemas/{name}"

_ERRORS = {
    400: "The request cannot be understood; `detail` says what is wrong.",
    401: "The token is missing or not valid.",
    403: "The token lacks the scope, or the login's CSRF token is missing.",
    404: "Not there, or not to be seen with this token.",
    409: "Clashes with something that exists.",
    413: "The body is too large.",
    429: "Too many requests; `Retry-After` says when to come back.",
}


class Error(msgspec.Struct):
    """Every refusal."""

    detail: str
    fields: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


def build(routes: Iterable[Route], *, version: str, url: str = "") -> dict[str, Any]:
    """The document for every documented route."""
    documented = [(route, route.doc) for route in routes if route.doc is not None]
    types: list[Any] = [Error]
    for _, doc in documented:
        types.extend(kind for kind in (doc.body, doc.returns) if kind is not None)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route, doc in documented:
        path = _PLACEHOLDER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, doc, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tracer",
            "version": version,
            "description": "Shaped like Sentry's API; lists are paged by the `Link` header.",
        },
        "servers": [{"url": url or "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "login": {"type": "apiKey", "in": "cookie", "name": "tracer_login"},
            },
        },
    }


def _operation(route: Route, doc: Operation, schemas: Mapping[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": doc.summary,
        "tags": [doc.tag or _tag(route.path)],
        "parameters": [*_path_params(route.path), *map(_query_param, _query(doc))],
        "responses": _responses(route, doc, schemas),
    }
    if doc.description:
        operation["description"] = doc.description
    if doc.body is not None:
        schema = schemas[id(doc.body)]
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if route.can is Permission.PUBLIC:
        operation["security"] = []
    else:
        scopes = [] if route.can is Permission.LOGGED_IN else [str(route.can)]
        operation["security"] = [{"token": scopes}, {"login": []}]
    return operation


def _query(doc: Operation) -> tuple[Param, ...]:
    if not doc.paged:
        return doc.query
    return (*doc.query, Param("cursor", "Where to go on, from the `Link` header."))


def _path_params(path: str) -> list[dict[str, Any]]:
    found = []
    for name, kind in _PLACEHOLDER.findall(path):
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if kind == "int":
            schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _query_param(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": param.type}
    if param.values:
        schema["enum"] = list(param.values)
    if param.repeated:
        schema = {"type": "array", "items": schema}
    return {
        "name": param.name,
        "in": "query",
        "description": param.description,
        "required": False,
        "schema": schema,
    }


def _responses(route: Route, doc: Operation, schemas: Mapping[int, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if doc.returns is not None:
        success["content"] = {"application/json": {"schema": schemas[id(doc.returns)]}}
    if doc.paged:
        success["headers"] = {
            "Link": {
                "description": 'The previous and next page; `results="false"` when there is none.',
                "schema": {"type": "string"},
            }
        }
    codes = set(doc.errors)
    if route.can is not Permission.PUBLIC:
        codes |= {401, 403}
    if "{" in route.path:
        codes.add(404)
    if doc.body is not None:
        codes |= {400, 413}
    if doc.query or doc.paged:
        codes.add(400)
    refusal = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    answers: dict[str, Any] = {str(doc.status): success}
    for code in sorted(codes):
        answers[str(code)] = {"description": _ERRORS.get(code, "Refused."), "content": refusal}
    return answers


def _tag(path: str) -> str:
    """The last fixed segment before the first value, or the last one at all: `projects`."""
    fixed = [part for part in path.split("/")[3:] if part and "{" not in part]
    return fixed[0] if fixed else "api"
