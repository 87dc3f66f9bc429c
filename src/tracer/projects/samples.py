"""Sample events: an error as a project's platform would send it, made up but complete.

What differs between languages is in `templates/projects/platforms/samples.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from tracer import assets

RELEASE = "shop@1.4.2"

# The key and the card number show what scrubbing does.
_CART = {"cart_id": "c-1001", "attempt": 3, "amount": 4990, "api_key": "not-a-real-key"}


@dataclass(frozen=True, slots=True)
class Line:
    """A frame: where it is, and the lines around the one at fault (marked by its position 1)."""

    file: str
    function: str
    number: int
    context: tuple[str, str, str]
    in_app: bool = True
    module: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """An error of one language. Frames go from the outermost call to where it was raised."""

    platform: str
    type: str
    value: str
    frames: tuple[Line, ...]
    runtime: tuple[str, str]
    is_browser: bool = False
    device: tuple[str, str] | None = None


def sample_event(platform_id: str, *, event_id: str, timestamp: float) -> dict[str, Any]:
    """A sample error event in the JSON that an SDK of the platform sends. `timestamp`: unix s."""
    sample = _sample(platform_id)
    event: dict[str, Any] = {
        "event_id": event_id,
        "timestamp": timestamp,
        "platform": sample.platform,
        "level": "error",
        "release": RELEASE,
        "environment": "production",
        "transaction": "/checkout",
        "sdk": {"name": "tracer.sample", "version": "1.0.0"},
        "tags": {"sample": "yes", "payment.provider": "example"},
        "user": {"id": "42", "username": "ada", "email": "ada@example.com"},
        "extra": {"note": "This is a sample event. No part of your application has failed."},
        "contexts": _contexts(sample),
        "breadcrumbs": {"values": _breadcrumbs(timestamp)},
        "exception": {"values": [_exception(sample)]},
    }
    if sample.device is None:
        event["request"] = {
            "url": "https://shop.example.com/checkout",
            "method": "GET" if sample.is_browser else "POST",
            "query_string": "step=payment",
            "headers": {"User-Agent": "Mozilla/5.0 (X11; Linux x64) Chrome/156.0 Safari/537.36"},
        }
        if not sample.is_browser:
            event["request"]["data"] = {"cart_id": "c-1001", "card_number": "4111 1111 1111 1111"}
    return event


def envelope(event: dict[str, Any], dsn: str) -> bytes:
    """An event as the body of an envelope request."""
    payload = msgspec.json.encode(event)
    head = msgspec.json.encode({"event_id": event["event_id"], "dsn": dsn})
    item = msgspec.json.encode({"type": "event", "length": len(payload)})
    return head + b"\n" + item + b"\n" + payload + b"\n"


def _exception(sample: Sample) -> dict[str, Any]:
    frames: list[dict[str, Any]] = []
    for line in sample.frames:
        frame: dict[str, Any] = {
            "filename": line.file,
            "abs_path": f"https://shop.example.com/{line.file}" if sample.is_browser else line.file,
            "function": line.function,
            "lineno": line.number,
            "in_app": line.in_app,
            "pre_context": [line.context[0]],
            "context_line": line.context[1],
            "post_context": [line.context[2]],
        }
        if line.module:
            frame["module"] = line.module
        if sample.is_browser:
            frame["colno"] = 15
        frames.append(frame)
    frames[-1]["vars"] = _CART
    return {
        "type": sample.type,
        "value": sample.value,
        "mechanism": {"type": "sample", "handled": False},
        "stacktrace": {"frames": frames},
    }


def _contexts(sample: Sample) -> dict[str, Any]:
    name, version = sample.runtime
    contexts: dict[str, Any] = {
        "trace": {"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": "051581bf3cb55c13"}
    }
    if sample.is_browser:
        contexts["browser"] = {"name": "Chrome", "version": "156.0"}
        contexts["os"] = {"name": "Linux"}
    elif sample.device:
        os, model = sample.device
        contexts["device"] = {"model": model, "family": model, "battery_level": 81}
        contexts["os"] = {"name": os, "version": version}
        contexts["app"] = {"app_name": "Shop", "app_version": "1.4.2"}
    else:
        contexts["runtime"] = {"name": name, "version": version}
        contexts["os"] = {"name": "Linux", "version": "6.12"}
    return contexts


def _breadcrumbs(timestamp: float) -> list[dict[str, Any]]:
    rows = (
        (-8.2, "navigation", "navigation", "info", "", {"from": "/cart", "to": "/checkout"}),
        (-3.1, "query", "query", "info", "SELECT id, total FROM carts WHERE id = 'c-1001'", None),
        (
            -1.4,
            "http",
            "http",
            "warning",
            "",
            {"method": "POST", "url": "https://pay.example.com/v1/charges", "status_code": 503},
        ),
        (-0.2, "default", "checkout", "error", "payment provider did not answer in time", None),
    )
    return [
        {
            "timestamp": timestamp + offset,
            "type": kind,
            "category": category,
            "level": level,
            **({"message": message} if message else {}),
            **({"data": data} if data else {}),
        }
        for offset, kind, category, level, message, data in rows
    ]


@lru_cache(maxsize=1)
def _samples() -> dict[str, Sample]:
    path = assets.TEMPLATES / "projects" / "platforms" / "samples.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Sample])


def _sample(platform_id: str) -> Sample:
    """That of the platform, else of what its name begins with, else of Python."""
    samples = _samples()
    default = samples["python"]
    return samples.get(platform_id) or samples.get(platform_id.partition("-")[0], default)
