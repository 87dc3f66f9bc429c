"""How the value of a setting is read, by the kind of the setting. ValueError says what is wrong."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value.strip()


def _secret(value: Any) -> str:
    """As a text, but what is wrong never repeats it."""
    if not isinstance(value, str):
        raise ValueError("this is not a text")
    return value.strip()


def _url(value: Any) -> str:
    text = _text(value).rstrip("/")
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query):
        raise ValueError(f"{text!r} is not a URL such as https://errors.example.com")
    if parts.path:
        raise ValueError(f"{text!r} has a path; tracer must be at the root of its host")
    return text


def _endpoint(value: Any) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ValueError(f"{text!r} is not a URL such as https://otel.example.com/v1/traces")
    if parts.username or parts.password:
        raise ValueError("the URL holds a login; use otlp_headers")
    return text


def _number(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value).strip()):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _between(low: int, high: int) -> Any:
    def read(value: Any) -> int:
        number = _number(value)
        if not low <= number <= high:
            raise ValueError(f"{number} is not from {low} to {high}")
        return number

    return read


def _size(value: Any) -> int:
    match = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)(i?b)?", str(value).strip().lower())
    if isinstance(value, bool) or match is None:
        raise ValueError(f"{value!r} is not a size such as 40MiB")
    return int(match[1]) << 10 * " kmgt".index(match[2] or " ")


def _memory(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", text):
        raise ValueError(f"{text!r} is not an amount of memory such as 128MB")
    return text


def _networks(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(str(ipaddress.ip_network(str(p).strip())) for p in parts if str(p).strip())


def _one_of(*allowed: str) -> Any:
    def read(value: Any) -> str:
        text = _text(value).lower()
        if text not in allowed:
            raise ValueError(f"{text!r} is none of {', '.join(allowed)}")
        return text

    return read


READERS: dict[str, Any] = {
    "text": _text,
    "secret": _secret,
    "url": _url,
    "path": lambda value: Path(value).expanduser(),
    "number": _between(0, 64),
    "count": _between(1, 64),
    "days": _between(0, 36_500),
    "seconds": _between(1, 600),
    "endpoint": _endpoint,
    "metrics": _one_of("off", "local", "token"),
    "switch": _one_of("on", "off"),
    "many": _between(1, 999_999_999),
    "hours": _between(1, 8760),
    "percent": _between(1, 99),
    "share": _between(0, 100),
    "port": _between(1, 65_535),
    "size": _size,
    "memory": _memory,
    "networks": _networks,
    "level": _one_of("debug", "info", "warning", "error"),
    "format": _one_of("console", "json"),
}
