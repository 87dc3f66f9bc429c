"""Which web origins may send with a project's keys: the project's list of allowed domains."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit


def is_allowed(origin: str, allowed: Sequence[str]) -> bool:
    """Whether an Origin header passes a list of `*`, `host`, `*.host`, `host:port`, `scheme://host`.

    A request without an origin comes from no page and is not asked; an empty list refuses all.
    """
    if "*" in allowed:
        return True
    try:
        parts = urlsplit(origin)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    return bool(host) and any(_matches(parts.scheme, host, port, entry) for entry in allowed)


def _matches(scheme: str, host: str, port: int | None, entry: str) -> bool:
    wanted_scheme, separator, rest = entry.lower().rpartition("://")
    if separator and wanted_scheme != scheme:
        return False
    wanted, _, wanted_port = rest.rstrip("/").partition(":")
    if wanted_port and wanted_port != str(port or ""):
        return False
    if wanted.startswith("*."):
        return host == wanted[2:] or host.endswith(wanted[1:])
    return host == wanted
