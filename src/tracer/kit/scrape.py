"""/metrics for Prometheus: off, for this machine, or with a token (setting `metrics`)."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracer.kit.metrics import CONTENT_TYPE
from tracer.kit.network import peer_of
from tracer.kit.render import Response, text

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

#: What a proxy adds to a request that it passes on. One on this machine is at 127.0.0.1 as well.
FORWARDED = frozenset(
    {
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
    }
)
_LOCAL_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?\Z", re.I)


def answer(tracer: Tracer, scope: Mapping[str, Any]) -> Response:
    """The answer of /metrics to an ASGI request. Past the guard: the bearer token of this address
    is none of a user."""
    settings = tracer.settings
    if settings.metrics == "off":
        return text("The metrics are switched off (setting metrics).\n", status=404)
    if settings.metrics == "local" and not is_local(scope):
        return text("The metrics are for this machine only (setting metrics).\n", status=403)
    if settings.metrics == "token" and not _shows(_headers(scope), settings.metrics_token):
        wanted = {"www-authenticate": 'Bearer realm="metrics"'}
        return text("Show the metrics token.\n", status=401, headers=wanted)
    content = tracer.metrics.text()
    return Response(content, 200, {"cache-control": "no-store"}, CONTENT_TYPE)


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether a program on this machine asks, for itself: by the connection's own address, and
    not passed on by a proxy or from a page of another site."""
    headers = _headers(scope)
    try:
        address = ipaddress.ip_address(peer_of(scope))
    except ValueError:
        return False
    if not address.is_loopback or not FORWARDED.isdisjoint(headers):
        return False
    return _LOCAL_HOST.match(headers.get("host", "")) is not None


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def _shows(headers: Mapping[str, str], token: str) -> bool:
    kind, _, shown = headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(shown.strip().encode(), token.encode())
    return bool(token) and kind.lower() == "bearer" and fits
