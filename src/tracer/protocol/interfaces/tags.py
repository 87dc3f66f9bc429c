"""Tags: what SDKs set and what is derived from the event, at most 100 of them."""

from __future__ import annotations

import re
from typing import Any

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_LOOKED_AT

MAX_TAGS = 100
MAX_VALUE = 200
_KEY = re.compile(r"[a-zA-Z0-9_.:-]{1,200}", re.ASCII)
_UNFIT = re.compile(r"[\x00-\x1f\x7f]+")

# Only the event's own attributes may set these, as in Sentry.
_RESERVED = frozenset(("level", "environment", "release", "dist", "user"))
_ATTRIBUTES = ("release", "dist", "server_name", "logger", "transaction")
_VERSIONED = ("runtime", "os", "browser", "client_os")

Tags = dict[str, str]


def custom_tags(given: dict[str, Any] | list[Any] | None, notes: Notes) -> Tags:
    """The SDK's tags with clean keys and values; the first of two with one key wins."""
    tags: Tags = {}
    if not given:
        return tags
    for pair in given if isinstance(given, list) else given.items():
        if len(pair) != 2:
            notes.add("invalid_data", "tags", "expected a key and a value")
            continue
        key, value = pair
        if value is None or value == "" or not key or key in tags:
            continue
        if not _KEY.fullmatch(key):
            tidy = key.strip().replace(" ", "-")
            if not _KEY.fullmatch(tidy):
                notes.add("invalid_data", "tags", "dropped: not a tag key", key)
                continue
            key = tidy
        if type(value) is not str:
            value = scalars.plain(value) or ""
        if len(value) > MAX_VALUE:
            reason = f"trimmed from {len(value)} to {MAX_VALUE} characters"
            notes.add("value_too_long", f"tags.{key}", reason)
            value = value[: MAX_VALUE - 1] + "…"
        if not value.isprintable():
            value = _UNFIT.sub(" ", value).strip()
            if not value:
                continue
        tags[key] = value
    return tags


def merge_tags(data: dict[str, Any], custom: Tags, user: str | None, notes: Notes) -> Tags:
    """All tags of a finished event; `user` is the key made by `user_key`.

    The event's own attributes win over the SDK's tags, and those over what is derived.
    """
    tags: Tags = {"level": data["level"], "environment": data["environment"]}
    for key in _ATTRIBUTES:
        value = data.get(key)
        if value:
            tags[key] = value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 1] + "…"
    if user is not None:
        tags["user"] = user
    derived = derive_tags(data)
    room = MAX_TAGS - len(tags) - len(derived)
    dropped = 0
    for key, value in custom.items():
        if key in _RESERVED or key in tags:
            continue
        if key in derived:
            del derived[key]
        elif room > 0:
            room -= 1
        else:
            dropped += 1
            continue
        tags[key] = value
    tags.update(derived)
    if dropped:
        notes.add("too_many", "tags", f"{dropped} dropped: an event may have {MAX_TAGS}")
    return tags


def derive_tags(data: dict[str, Any]) -> Tags:
    """Tags out of the thrown exception's mechanism, the contexts and the request."""
    tags: Tags = {}
    exception = data.get("exception")
    if exception is not None:
        mechanism = exception["values"][-1].get("mechanism")
        if mechanism is not None:
            tags["mechanism"] = mechanism["type"]
            handled = mechanism.get("handled")
            if handled is not None:
                tags["handled"] = "yes" if handled else "no"
    contexts = data.get("contexts")
    if contexts is not None:
        _from_contexts(contexts, tags)
    request = data.get("request")
    if request is not None and "url" in request:
        tags["url"] = request["url"]
    for key, value in tags.items():
        if len(value) > MAX_VALUE:
            tags[key] = value[: MAX_VALUE - 1] + "…"
    return tags


def _from_contexts(contexts: dict[str, Any], tags: Tags) -> None:
    for key in _VERSIONED:
        context = contexts.get(key)
        if context is None and key == "runtime":
            context = next((one for one in contexts.values() if one["type"] == "runtime"), None)
        if context is None:
            continue
        name = context.get("name")
        if type(name) is str and name:
            version = context.get("version")
            tags[key] = f"{name} {version}" if version else name
            tags[f"{key}.name"] = name
        elif type(context.get("raw_description")) is str and context["raw_description"]:
            tags[key] = context["raw_description"]
    device = contexts.get("device")
    if device is not None:
        for key, field in (("device", "model"), ("device.family", "family")):
            value = device.get(field)
            if type(value) is str and value:
                tags[key] = value


def repair_tags(value: object, path: str, notes: Notes) -> list[list[str | None]]:
    """Pairs out of an object, pairs, strings ("key:value", "key") or `{"key", "value"}` objects."""
    pairs: list[list[str | None]] = []
    items: list[Any]
    if isinstance(value, dict):
        items = [list(one) for one in value.items()]
    elif isinstance(value, str):
        items = [part.strip() for part in value.split(",") if part.strip()]
    else:
        items = scalars.values(value, path, notes) or []
    if len(items) > MAX_LOOKED_AT:
        notes.add(
            "too_many", path, f"only the first {MAX_LOOKED_AT} of {len(items)} were looked at"
        )
        items = items[:MAX_LOOKED_AT]
    for item in items:
        pair = _as_pair(item)
        if pair is not None:
            pairs.append(pair)
        elif item is not None:
            notes.add("invalid_data", path, "expected a key and a value")
    return pairs


def _as_pair(item: object) -> list[str | None] | None:
    if isinstance(item, dict):
        item = [item.get("key"), item.get("value")]
    elif isinstance(item, str):
        key, _, rest = item.partition(":")
        item = [key, rest or "true"]
    if isinstance(item, list) and len(item) == 2 and item[0] is not None:
        return [scalars.plain(one) for one in item]
    return None
