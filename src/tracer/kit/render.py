"""The answers a handler can give: pages and parts, JSON, redirects, texts, downloads.

`page` adds what every template uses (actor, navigation, CSRF token, messages); handlers never do.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse

from tracer.errors import Problem
from tracer.kit import csrf, flashes
from tracer.kit.context import Req

__all__ = [
    "Response",
    "StreamingResponse",
    "download",
    "empty",
    "flash",
    "json",
    "page",
    "problem",
    "redirect",
    "text",
]

flash = flashes.flash

# What a browser may show in place of saving it; SVG and HTML could run scripts.
_INLINE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain"}
)


def page(
    req: Req, template: str, *, part: str | None = None, status: int = 200, **values: Any
) -> Response:
    """A whole page, or only `part` when htmx asks for it.

    Templates also get: req, actor, can(permission), nav, projects, theme, csrf, flashes (pairs of
    kind and message), stalls (what is wrong, for server administrators), settings(group),
    static(path), slots(name, …).
    """
    templates = req.tracer.templates
    wants_part = part is not None and req.is_htmx
    actor = req.actor
    values.update(
        req=req,
        actor=actor,
        can=actor.can,
        nav=[entry for entry in templates.nav if entry.can is None or actor.can(entry.can)],
        settings=lambda group: [
            link
            for link in templates.settings
            if link.group == group and (link.can is None or actor.can(link.can))
        ],
        projects=req.projects,
        theme=actor.theme,
        csrf=csrf.token(req),
        stalls=req.tracer.watch.active if actor.is_server_admin else (),
        flashes=[] if wants_part else flashes.take(req),
    )
    name = part if wants_part and part is not None else template
    return Response(
        templates.render(name, values),
        status,
        {"vary": "HX-Request", "cache-control": "private, no-cache"},
        "text/html",
    )


def json(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`data` (anything msgspec can encode) as JSON."""
    return Response(
        msgspec.json.encode(data),
        status,
        {"cache-control": "private, no-cache", **(headers or {})},
        "application/json",
    )


def redirect(location: str) -> Response:
    """303 to a path of this site. For htmx the guard turns it into a whole-page visit."""
    return Response(b"", 303, {"location": quote(location, safe="/#%?=:;@&+$,[]!*'()~")})


def text(
    content: str,
    *,
    status: int = 200,
    media_type: str = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Plain text, or another textual type."""
    merged = {"cache-control": "private, no-cache", **(headers or {})}
    return Response(content, status, merged, media_type)


def empty(status: int = 204) -> Response:
    """No body."""
    return Response(b"", status)


def download(
    content: bytes, name: str, content_type: str = "", *, inline: bool = False
) -> Response:
    """Bytes as a file. `inline` shows images and plain text only; all else is always saved.

    The content never runs with this site's rights: no sniffing, and a sandbox of its own.
    """
    kind = content_type.partition(";")[0].strip().lower()
    kind = kind or mimetypes.guess_type(name)[0] or ""
    shown = inline and kind in _INLINE_TYPES
    if not shown and not kind.startswith(("application/json", "text/markdown", "image/")):
        kind = "application/octet-stream"
    safe = "".join(c if c.isalnum() or c in "._- " else "_" for c in name)[:150]
    safe = safe if safe.strip("._ ") else "file"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    return Response(
        content,
        200,
        {
            "content-disposition": f'{"inline" if shown else "attachment"}; filename="{plain}"; '
            f"filename*=UTF-8''{quote(safe, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "cache-control": "private, max-age=3600",
        },
        kind,
    )


def problem(req: Req, error: Problem) -> Response:
    """A refusal as the request wants it: JSON for the API, a message for htmx, else a page."""
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    if req.is_api:
        body: dict[str, Any] = {"detail": error.detail}
        fields = getattr(error, "fields", None)
        if fields:
            body["fields"] = fields
        return json(body, status=error.status, headers=headers)
    if req.is_htmx:
        flash(req, error.detail, "error")
        return Response(b"", error.status, {"hx-reswap": "none", **headers}, "text/html")
    response = page(
        req,
        "error.html",
        status=error.status,
        detail=error.detail,
        code=error.status,
        error_id=req.error_id if req.actor.is_server_admin else "",
    )
    response.headers.update(headers)
    return response
