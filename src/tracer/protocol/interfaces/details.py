"""The small parts: modules, fingerprint, debug images, errors of the SDK, free objects."""

from __future__ import annotations

from typing import Any

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_FINGERPRINT, MAX_IMAGES, MAX_MODULES, MAX_SHORT, MAX_TEXT
from tracer.protocol.trim import shallow

_MAX_ERROR_CHARS = 200


def finish_modules(data: dict[str, Any]) -> None:
    """Installed packages and their versions; empty strings for unknown ones."""
    modules = data.get("modules")
    if modules is None:
        return
    if not modules:
        del data["modules"]
    elif None in modules.values():
        for name, version in modules.items():
            if version is None:
                modules[name] = ""


def finish_debug_meta(data: dict[str, Any]) -> None:
    """`debug_meta` only with images."""
    meta = data.get("debug_meta")
    if meta is not None:
        scalars.without_nulls(meta)
        if not meta.get("images"):
            del data["debug_meta"]


def repair_object(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """A free object within the depth limit."""
    found = scalars.mapping(value, path, notes)
    return None if found is None else shallow(found, path, notes)


def repair_sdk(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """The SDK; old ones send its name alone."""
    return repair_object({"name": value} if isinstance(value, str) else value, path, notes)


def repair_modules(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """An object name -> version, also from a list of names or of `{"name", "version"}`."""
    if isinstance(value, list):
        found: dict[str, Any] = {}
        for one in value:
            if isinstance(one, dict):
                found[scalars.plain(one.get("name")) or ""] = one.get("version")
            elif isinstance(one, list) and len(one) == 2:
                found[scalars.plain(one[0]) or ""] = one[1]
            elif isinstance(one, str):
                found[one] = ""
        found.pop("", None)
    else:
        found = scalars.mapping(value, path, notes) or {}
    if len(found) > MAX_MODULES:
        notes.add("too_many", path, f"only {MAX_MODULES} of {len(found)} kept")
    modules: dict[str, Any] = {}
    for name, version in list(found.items())[:MAX_MODULES]:
        modules[name[:MAX_TEXT]] = scalars.text(version, MAX_SHORT, path, notes) or ""
    return modules or None


def repair_fingerprint(value: object, path: str, notes: Notes) -> list[str] | None:
    """A list of strings, also from one value; other values become text."""
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MAX_FINGERPRINT:
        notes.add("too_many", path, f"only the first {MAX_FINGERPRINT} kept")
    found = [scalars.text(one, MAX_TEXT, path, notes) for one in listed[:MAX_FINGERPRINT]]
    return [one for one in found if one is not None] or None


def repair_debug_meta(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """Images as a list of objects, at most 1000."""
    if isinstance(value, list):
        value = {"images": value}
    raw = scalars.mapping(value, path, notes)
    if raw is None:
        return None
    where = f"{path}.images"
    images = scalars.values(raw.get("images"), where, notes) or []
    if len(images) > MAX_IMAGES:
        notes.add("too_many", where, f"only the first {MAX_IMAGES} of {len(images)} kept")
    kept = [one for one in images[:MAX_IMAGES] if isinstance(one, dict)]
    meta: dict[str, Any] = {"images": shallow(kept, where, notes)}
    sdk = scalars.mapping(raw.get("sdk_info"), f"{path}.sdk_info", notes)
    if sdk is not None:
        meta["sdk_info"] = shallow(sdk, f"{path}.sdk_info", notes)
    return meta


def repair_errors(value: object, path: str, notes: Notes) -> list[dict[str, Any]]:
    """What the SDK itself found wrong."""
    found = scalars.values(value, path, notes) or []
    return [shallow(one, path, notes) for one in found if isinstance(one, dict)]


def adopt_errors(errors: list[dict[str, Any]], notes: Notes) -> None:
    """The SDK's own errors go first in the list."""
    for error in errors:
        kind = error.get("type")
        note = {"type": kind[:_MAX_ERROR_CHARS] if type(kind) is str else "sdk_error"}
        for key in ("name", "value", "reason"):
            text = scalars.plain(error.get(key))
            if text:
                note[key] = text[:_MAX_ERROR_CHARS]
        notes.adopt(note)
