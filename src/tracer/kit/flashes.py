"""One-time messages: shown on the page a redirect leads to, or as a toast when htmx asked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import msgspec

from tracer.kit import csrf

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracer.kit.context import Req

COOKIE = "tracer_flash"
# Three of them, at three bytes a character, stay below the 4 KB of a cookie.
MAX_MESSAGE = 250


def flash(req: Req, message: str, kind: str = "success") -> None:
    """Show a message once. Kinds: success, error, info."""
    req.flashes.append((kind, message))


def take(req: Req) -> list[tuple[str, str]]:
    """The messages to show on this page, now used up: earlier ones and this request's own."""
    shown = req.flashes
    req.flashes = []
    cookie = req.cookies.get(COOKIE, "")
    if cookie:
        shown = _decode(req, cookie) + shown
        req.set_cookie(COOKIE, "", max_age_s=0)
    return shown


def attach(req: Req, response: Response) -> None:
    """Send messages that no page has shown: in a cookie for a redirect, as htmx events else."""
    if not req.flashes:
        return
    if "hx-request" in req.headers and "hx-redirect" not in response.headers:
        events = [{"kind": kind, "message": message} for kind, message in req.flashes]
        response.headers["hx-trigger"] = json.dumps({"toast": {"messages": events}})
    elif response.status_code == 303 or "hx-redirect" in response.headers:
        req.set_cookie(COOKIE, _encode(req))
    req.flashes = []


def _encode(req: Req) -> str:
    messages = [(kind, message[:MAX_MESSAGE]) for kind, message in req.flashes[-3:]]
    value = base64.urlsafe_b64encode(msgspec.json.encode(messages)).decode()
    return csrf.sign(req.tracer.secret, "flash", value)


def _decode(req: Req, cookie: str) -> list[tuple[str, str]]:
    value = csrf.unsign(req.tracer.secret, "flash", cookie)
    if value is None:
        return []
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(value.encode()), type=list[tuple[str, str]]
        )
    except (msgspec.DecodeError, ValueError):
        return []
