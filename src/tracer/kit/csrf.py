"""Tokens against forged requests, and the signing of short values that travel in cookies.

A token is `nonce.hmac(key, nonce)`: it differs on every page (so compression leaks nothing) and its
key is the login's own secret, or for visitors without a login a signed cookie of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from tracer.errors import Forbidden

if TYPE_CHECKING:
    from tracer.kit.context import Req

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD = "csrf"
HEADER = "x-csrf-token"
# What a browser says of a form or script of this very site. A sibling domain says "same-site".
_OWN_SITES = ("same-origin", "none")


def token(req: Req) -> str:
    """The token that this request's page carries; empty for API tokens, which need none."""
    if req.actor.kind == "token":
        return ""
    key = _key(req) or _start_visit(req)
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_mac(key, nonce)}"


def check(req: Req) -> None:
    """Forbidden unless an unsafe request by cookie carries its own token (header or form field)."""
    if req.method in SAFE_METHODS or req.actor.kind == "token":
        return
    if req.headers.get("sec-fetch-site", "same-origin") not in _OWN_SITES:
        raise Forbidden("This request came from another site.")
    sent = req.headers.get(HEADER) or _form_field(req)
    nonce, _, mac = sent.partition(".")
    key = _key(req)
    if not key or not nonce or not hmac.compare_digest(mac.encode(), _mac(key, nonce).encode()):
        raise Forbidden("The form has expired. Reload the page and try again.")


def visit_cookie(req: Req) -> str:
    """The name of the cookie that a visitor without a login is known by."""
    return "__Host-tracer_visit" if req.is_https else "tracer_visit"


def sign(secret: bytes, purpose: str, value: str) -> str:
    """`value` with a signature for one purpose."""
    return f"{value}.{_mac(secret + purpose.encode(), value)}"


def unsign(secret: bytes, purpose: str, signed: str) -> str | None:
    """The value if its signature for this purpose is right, else None."""
    value, _, mac = signed.rpartition(".")
    right = _mac(secret + purpose.encode(), value)
    return value if hmac.compare_digest(mac.encode(), right.encode()) else None


def _key(req: Req) -> bytes:
    if req.actor.csrf:
        return req.actor.csrf.encode()
    visit = req.cookies.get(visit_cookie(req), "")
    return _visit_key(req, visit) if visit else b""


def _visit_key(req: Req, visit: str) -> bytes:
    return hmac.digest(req.tracer.secret, b"visit" + visit.encode(), hashlib.sha256)


def _start_visit(req: Req) -> bytes:
    visit = secrets.token_urlsafe(16)
    req.set_cookie(visit_cookie(req), visit)
    return _visit_key(req, visit)


def _form_field(req: Req) -> str:
    kind = req.headers.get("content-type", "")
    return req.form.get(FIELD) if kind.startswith("application/x-www-form-urlencoded") else ""


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
