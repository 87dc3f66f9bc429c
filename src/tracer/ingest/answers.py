"""Answers of the ingest endpoints, with the headers that SDKs and browsers look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracer.errors import Problem

if TYPE_CHECKING:
    from tracer.ingest.quotas import Verdict

Headers = list[tuple[bytes, bytes]]

_CORS: Final[Headers] = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"x-sentry-error,x-sentry-rate-limits,retry-after,x-tracer-quota",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_PREFLIGHT: Final[Headers] = [
    *_CORS,
    (b"access-control-allow-methods", b"GET,POST,OPTIONS"),
    (
        b"access-control-allow-headers",
        b"x-sentry-auth,x-requested-with,x-forwarded-for,origin,referer,accept,content-type,"
        b"authentication,authorization,content-encoding,transfer-encoding",
    ),
    (b"access-control-max-age", b"3600"),
    (b"vary", b"origin,access-control-request-headers"),
]
_JSON: Final = (b"content-type", b"application/json")


async def answer(
    send: Any,
    status: int,
    body: bytes = b"",
    *,
    kind: bytes | None = None,
    extra: Headers = [],  # noqa: B006
) -> None:
    """Send one whole answer with CORS headers."""
    headers = [*_CORS, (b"content-length", b"%d" % len(body)), *extra]
    if kind is not None:
        headers.append((b"content-type", kind))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_id(
    send: Any, event_id: str | None, verdict: Verdict | None = None, shed: str = ""
) -> None:
    """What SDKs expect on success: the event id, or `{}` for an envelope without one. The verdict
    says what of it was left out, and for how long none of it is wanted; so does `shed`, of what
    the spool has no room for."""
    body = b'{"id":"%s"}' % event_id.encode() if event_id else b"{}"
    # No Retry-After here: JavaScript SDKs obey it on every status, and then send nothing at all.
    await answer(send, 200, body, kind=b"application/json", extra=limit_headers(verdict, shed))


def limit_headers(verdict: Verdict | None, shed: str = "") -> Headers:
    """What SDKs are told not to send, by quotas and for want of room; and the soft quotas that are
    exceeded."""
    told: Headers = []
    limits = ", ".join(filter(None, (verdict.limits if verdict else "", shed)))
    if limits:
        told.append((b"x-sentry-rate-limits", limits.encode()))
    if verdict is not None and verdict.warnings:
        told.append((b"x-tracer-quota", verdict.warnings.encode()))
    return told


async def answer_problem(
    send: Any,
    problem: Problem,
    status: int | None = None,
    verdict: Verdict | None = None,
    shed: str = "",
) -> None:
    """A refusal with its reason, as JSON and in `X-Sentry-Error`."""
    extra: Headers = [(b"x-sentry-error", _header_safe(problem.detail))]
    if problem.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % problem.retry_after_s))
    extra += limit_headers(verdict, shed)
    body = msgspec.json.encode({"detail": problem.detail, "causes": []})
    await answer(send, status or problem.status, body, kind=_JSON[1], extra=extra)


async def answer_preflight(send: Any, headers: dict[bytes, bytes]) -> None:
    """The answer to `OPTIONS`, including Chromium's question before it calls a private address."""
    answered = [*_PREFLIGHT, (b"content-length", b"0")]
    if headers.get(b"access-control-request-private-network") == b"true":
        answered.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 200, "headers": answered})
    await send({"type": "http.response.body", "body": b""})


def _header_safe(text: str) -> bytes:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:200]).encode("ascii")
