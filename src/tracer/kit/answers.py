"""The last step of every page and API answer: refusals and bugs, cookies, headers, compression."""

from __future__ import annotations

import gzip
import logging
import sys
from typing import Any
from urllib.parse import quote

import jinja2

from tracer import clock
from tracer.errors import Problem
from tracer.kit import flashes, render
from tracer.kit.context import Req
from tracer.kit.render import Response
from tracer.storage import sqlite

log = logging.getLogger("tracer.web")

GZIP_FROM_BYTES = 1400
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": CSP,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
# For a year once seen; siblings of the host decide for themselves.
_HSTS = "max-age=31536000"
_GZIPPED = ("text/", "application/json")


class Endless(Response):
    """An answer that stays open and sends its own body, such as live updates."""


def of_problem(req: Req, error: Problem) -> Response:
    """A refusal; should even its page fail, as plain text."""
    try:
        return render.problem(req, error)
    except jinja2.TemplateError:
        log.exception("error.html failed")
        return render.text(error.detail, status=error.status)


def of_bug(req: Req) -> Response:
    """An exception that nobody expected: logged under an id that the user is shown. A damaged store
    is no bug, and is named."""
    error = sys.exception()
    damage = None if error is None else sqlite.damage(error)
    if damage is not None:
        log.error("%s %s: %s", req.method, req.path, damage.detail)
        return of_problem(req, damage)
    event_id = clock.new_id()
    about = {"event_id": event_id}
    log.exception("%s %s failed (%s)", req.method, req.path, event_id[:12], extra=about)
    req.error_id = event_id
    return of_problem(req, Problem(f"Internal error {event_id[:12]}"))


def moved(req: Req, path: str) -> Response:
    """307 to another path with the same query."""
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in req.query.pairs)
    location = quote(path, safe="/") + (f"?{query}" if query else "")
    return Response(b"", 307, {"location": "/" + location.lstrip("/")})


def finish(req: Req, response: Response) -> Response:
    """Messages, cookies, security headers and compression."""
    if response.status_code == 303 and req.is_htmx:
        response = Response(b"", 204, {"hx-redirect": response.headers["location"]})
    flashes.attach(req, response)
    headers = protect(response).headers
    if req.is_https:
        headers.setdefault("strict-transport-security", _HSTS)
    for cookie in req.cookie_changes:
        headers.append("set-cookie", cookie)
    _compress(req, response)
    return response


def protect(response: Response) -> Response:
    """The same answer with the headers that keep a browser from doing harm with it."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _compress(req: Req, response: Any) -> None:
    headers = response.headers
    body = getattr(response, "body", b"")
    if (
        isinstance(response, Endless)
        or len(body) < GZIP_FROM_BYTES
        or not headers.get("content-type", "").startswith(_GZIPPED)
        or "content-encoding" in headers
    ):
        return
    headers.add_vary_header("Accept-Encoding")
    if "gzip" in req.headers.get("accept-encoding", ""):
        response.body = gzip.compress(body, 1, mtime=0)
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(response.body))
