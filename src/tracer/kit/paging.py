"""Paging of the API: cursors that name where the next page begins, and Sentry's `Link` header."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.kit.context import Req

T = TypeVar("T")

MAX_CURSOR = 2000


def encode_cursor(position: Any) -> str:
    """A position (what msgspec can encode) as an opaque text that is safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(text: str, shape: type[T]) -> T | None:
    """The position behind a cursor, checked against its shape; None for no cursor.
    Invalid when the text was not made by `encode_cursor` for this shape."""
    if not text:
        return None
    if len(text) > MAX_CURSOR:
        raise Invalid("Invalid cursor parameter.")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise Invalid("Invalid cursor parameter.") from None


def link_header(req: Req, *, previous: str | None, next: str | None) -> dict[str, str]:
    """The `Link` header of a page, as Sentry writes it. None: there is no page in that direction.

    Both directions are always named; `results` says whether there is anything to fetch.
    """
    parts = []
    for rel, cursor in (("previous", previous), ("next", next)):
        pairs = [pair for pair in req.query.pairs if pair[0] != "cursor"]
        url = f"{req.base_url}{req.path}?{urlencode([*pairs, ('cursor', cursor or '')])}"
        results = "false" if cursor is None else "true"
        parts.append(f'<{url}>; rel="{rel}"; results="{results}"; cursor="{cursor or ""}"')
    return {"link": ", ".join(parts)}
