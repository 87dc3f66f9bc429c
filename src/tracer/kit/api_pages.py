"""The API document and the page that shows it to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer import __version__
from tracer.kit import openapi, render
from tracer.kit.permissions import Permission
from tracer.kit.routes import Operation, Routes

if TYPE_CHECKING:
    from tracer.kit.context import Req
    from tracer.kit.render import Response

routes = Routes()


@routes.get(
    "/api/0/openapi.json",
    can=Permission.PUBLIC,
    doc=Operation("This document", returns=dict[str, Any], tag="Root"),
)
def document(req: Req) -> Response:
    """The OpenAPI document, for tools."""
    return render.json(_document(req))


@routes.get("/api/docs", can=Permission.LOGGED_IN)
def docs(req: Req) -> Response:
    """The same document, for people."""
    document = _document(req)
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = {"method": method.upper(), "path": path, **operation}
            groups.setdefault(operation["tags"][0], []).append(entry)
    return render.page(
        req,
        "kit/api_docs.html",
        groups=sorted(groups.items()),
        schemas=document["components"]["schemas"],
        base_url=req.base_url,
    )


def _document(req: Req) -> dict[str, Any]:
    return openapi.build(req.tracer.table.routes, version=__version__, url=req.base_url)
