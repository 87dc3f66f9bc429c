"""Bytes of an event item -> Event: typed, trimmed, with defaults, tags and corrected time.

What was changed on the way is listed in `data["errors"]`. Scrubbing and grouping come later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer.protocol import trim
from tracer.protocol.categories import LEVELS
from tracer.protocol.interfaces.breadcrumbs import finish_breadcrumbs
from tracer.protocol.interfaces.contexts import finish_contexts
from tracer.protocol.interfaces.details import adopt_errors, finish_debug_meta, finish_modules
from tracer.protocol.interfaces.exception import finish_exceptions, finish_threads
from tracer.protocol.interfaces.level import level_name
from tracer.protocol.interfaces.message import finish_message
from tracer.protocol.interfaces.request import finish_request, header
from tracer.protocol.interfaces.tags import Tags, custom_tags, merge_tags
from tracer.protocol.interfaces.user import finish_user, user_key
from tracer.protocol.notes import Notes
from tracer.protocol.reading import read_event
from tracer.protocol.timestamps import MAX_AGE_S, MAX_FUTURE_S, clock_drift, parse_timestamp

DEFAULT_LEVEL = "error"
DEFAULT_ENVIRONMENT = "production"
OTHER_PLATFORM = "other"
MAX_RELEASE = 250
MAX_DIST = 64
MAX_ENVIRONMENT = 64
MAX_TRANSACTION = 200
MAX_LOGGER = 64
MAX_SERVER_NAME = 200

_PLATFORM_NAMES = (
    "android apple as3 c cfml clojure cocoa coldfusion cpp crystal csharp dart dotnet elixir erlang"
    " flutter fsharp go groovy haskell java javascript julia kotlin lua native nintendo-switch node"
    " nodejs objc ocaml other perl php playstation powershell python r ruby rust scala swift unity"
    " unreal wasm xbox"
)
PLATFORMS = frozenset(_PLATFORM_NAMES.split())
_RECEIPT = "the time of receipt is used"
_OWN_TYPES = frozenset(
    ("transaction", "feedback", "csp", "hpkp", "expectct", "expectstaple", "nel")
)
_SECURITY = ("csp", "hpkp", "expectct", "expectstaple", "nel")
_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_BAD_RELEASE = re.compile(r"[\n\r\t\f\v\x00/\\]")
_BAD_ENVIRONMENT = re.compile(r"[\n\r\t\f\v\x00/]")
_DIST = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)


@dataclass(slots=True)
class Event:
    """One event. `data` is its normalised JSON, in which the tags also stand, as pairs."""

    event_id: str
    project_id: int
    timestamp: float
    received_at: float
    type: str
    platform: str
    level: int
    environment: str
    release: str | None
    dist: str | None
    transaction: str | None
    logger: str | None
    user_key: str | None
    tags: dict[str, str]
    data: dict[str, Any]


def decode_event(
    payload: bytes,
    *,
    project_id: int,
    envelope: Mapping[str, Any],
    received_at: float,
    client_ip: str | None,
    user_agent: str | None,
) -> Event:
    """The event of an item's payload. `envelope` are the envelope's headers, times unix seconds.

    `client_ip` and `user_agent` are the request's. Raises Invalid when the payload is no JSON
    object, and nothing else whatever it holds.
    """
    notes = Notes()
    payload = bytes(payload)
    data, has_nulls = read_event(payload, notes)
    if "errors" in data:
        adopt_errors(data.pop("errors"), notes)
    custom = custom_tags(data.pop("tags", None), notes)
    event_id = _identify(data, payload, project_id, envelope, received_at, notes)
    platform = _name(data, custom, notes)
    drift = _date(data, envelope, received_at, notes)
    _finish(data, platform, has_nulls, drift, client_ip, user_agent, notes)
    if len(payload) >= trim.LARGE_BYTES:
        trim.trim_event(data, len(payload), notes)
    data["type"] = _event_type(data)
    key = user_key(data.get("user"))
    tags = merge_tags(data, custom, key, notes)
    data["tags"] = [[name, value] for name, value in tags.items()]
    errors = notes.listed()
    if errors:
        data["errors"] = errors
    return Event(
        event_id=event_id,
        project_id=project_id,
        timestamp=data["timestamp"],
        received_at=received_at,
        type=data["type"],
        platform=platform,
        level=LEVELS[data["level"]],
        environment=data["environment"],
        release=data.get("release"),
        dist=data.get("dist"),
        transaction=data.get("transaction"),
        logger=data.get("logger"),
        user_key=key,
        tags=tags,
        data=data,
    )


def _finish(
    data: dict[str, Any],
    platform: str,
    has_nulls: bool,
    drift_s: float,
    client_ip: str | None,
    user_agent: str | None,
    notes: Notes,
) -> None:
    """Every interface from the wire shape to the stored one."""
    finish_message(data)
    finish_exceptions(data, platform, has_nulls)
    finish_threads(data, platform, has_nulls)
    finish_breadcrumbs(data, drift_s, has_nulls, notes)
    finish_request(data, notes)
    finish_user(data, client_ip, platform, notes)
    agent = header(data.get("request"), "User-Agent")
    if agent is None and platform == "javascript" and user_agent and "Mozilla/" in user_agent:
        agent = user_agent.encode("utf-8", "replace").decode()
    finish_contexts(data, agent, platform, notes)
    finish_modules(data)
    finish_debug_meta(data)
    for key in ("extra", "sdk", "transaction_info", "fingerprint"):
        if key in data and not data[key]:
            del data[key]


def _identify(
    data: dict[str, Any],
    payload: bytes,
    project_id: int,
    envelope: Mapping[str, Any],
    received_at: float,
    notes: Notes,
) -> str:
    """The envelope's event id, the payload's, or one made of the content.

    The last one is the same again when a frame is digested again.
    """
    for given in (envelope.get("event_id"), data.get("event_id")):
        if given is None:
            continue
        if type(given) is str:
            found = given if len(given) == 32 else given.strip().replace("-", "")
            found = found.lower()
            if _EVENT_ID.fullmatch(found):
                data["event_id"] = found
                return found
        notes.add("invalid_data", "event_id", "not 32 hexadecimal digits", given)
    digest = hashlib.blake2b(payload, digest_size=16)
    digest.update(f"{project_id}/{received_at}".encode())
    made = data["event_id"] = digest.hexdigest()
    return made


def _name(data: dict[str, Any], custom: Tags, notes: Notes) -> str:
    """Platform, level, release and the other names, with their defaults; returns the platform."""
    platform = data.get("platform")
    if platform not in PLATFORMS:
        tidy = str(platform).strip().lower() if platform else OTHER_PLATFORM
        if tidy not in PLATFORMS:
            notes.add("invalid_data", "platform", "unknown platform", platform)
            tidy = OTHER_PLATFORM
        platform = data["platform"] = tidy
    level = data.get("level")
    if level not in LEVELS:
        name = None if level is None else level_name(level)
        if level is not None and name is None:
            notes.add("invalid_data", "level", f"unknown level, taken as {DEFAULT_LEVEL}", level)
        data["level"] = name or DEFAULT_LEVEL
    _name_release(data, notes)
    environment = str(data.get("environment") or custom.get("environment") or "").strip()
    if not environment or environment.lower() == "none" or _BAD_ENVIRONMENT.search(environment):
        if environment:
            reason = f"not an environment name, taken as {DEFAULT_ENVIRONMENT}"
            notes.add("invalid_data", "environment", reason, environment)
        environment = DEFAULT_ENVIRONMENT
    data["environment"] = _trimmed(environment, "environment", MAX_ENVIRONMENT, notes)
    for key, limit in (
        ("transaction", MAX_TRANSACTION),
        ("logger", MAX_LOGGER),
        ("server_name", MAX_SERVER_NAME),
    ):
        value = data.get(key)
        if value is not None:
            value = value.strip()
            if value:
                data[key] = value if len(value) <= limit else _trimmed(value, key, limit, notes)
            else:
                del data[key]
    return str(platform)


def _name_release(data: dict[str, Any], notes: Notes) -> None:
    release = data.get("release")
    if release is not None:
        release = release.strip()
        if not release or release in (".", "..") or _BAD_RELEASE.search(release):
            if release:
                notes.add("invalid_data", "release", "dropped: not a release name", release)
            del data["release"]
        else:
            data["release"] = _trimmed(release, "release", MAX_RELEASE, notes)
    dist = data.get("dist")
    if dist is not None:
        dist = dist.strip()
        if not dist or not _DIST.fullmatch(dist):
            if dist:
                notes.add("invalid_data", "dist", "dropped: not a dist name", dist)
            del data["dist"]
        else:
            data["dist"] = _trimmed(dist, "dist", MAX_DIST, notes)


def _trimmed(value: str, name: str, limit: int, notes: Notes) -> str:
    if len(value) <= limit:
        return value
    notes.add("value_too_long", name, f"trimmed from {len(value)} to {limit} characters", value)
    return value[:limit]


def _date(
    data: dict[str, Any], envelope: Mapping[str, Any], received_at: float, notes: Notes
) -> float:
    """Set `timestamp` and `received`; returns the seconds that the event's other times must move.

    As Relay: a client clock off by more than a minute moves all times; a time in the future or
    older than 30 days becomes the time of receipt.
    """
    data["received"] = received_at
    given = data.get("timestamp")
    moment = parse_timestamp(given)
    drift = clock_drift(parse_timestamp(envelope.get("sent_at")), received_at)
    if moment is None:
        if given is not None:
            notes.add("invalid_data", "timestamp", f"not a timestamp, {_RECEIPT}", given)
        data["timestamp"] = received_at
        return drift
    if drift:
        direction = "behind" if drift > 0 else "ahead"
        reason = f"corrected: the client's clock is {abs(drift):.0f} s {direction}"
        notes.add("clock_drift", "timestamp", reason, given)
    corrected = moment + drift
    if corrected - received_at > MAX_FUTURE_S:
        notes.add("future_timestamp", "timestamp", f"in the future, {_RECEIPT}", given)
        corrected = received_at
    elif received_at - corrected > MAX_AGE_S:
        notes.add("past_timestamp", "timestamp", f"older than 30 days, {_RECEIPT}", given)
        corrected = received_at
    data["timestamp"] = corrected
    return corrected - moment


def _event_type(data: dict[str, Any]) -> str:
    """`error` with an exception, the type of a security report or feedback, else `default`."""
    given = data.get("type")
    if given in _OWN_TYPES:
        return str(given)
    if "exception" in data:
        return "error"
    return next((name for name in _SECURITY if name in data), "default")
