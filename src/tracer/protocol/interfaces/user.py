"""The affected user, and the key that counts users of an issue."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_SHORT
from tracer.protocol.trim import shallow

AUTO_IP = "{{auto}}"
_OWN = ("id", "email", "username", "name", "ip_address")
_FIELDS = frozenset((*_OWN, "geo", "data"))
_KEY_ORDER = (("id", "id"), ("username", "username"), ("email", "email"), ("ip_address", "ip"))
_LEGACY_IP_PLATFORMS = frozenset(("javascript", "cocoa", "objc"))
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", re.ASCII)
MAX_KEY = 200


def finish_user(data: dict[str, Any], client_ip: str | None, platform: str, notes: Notes) -> None:
    """Identifiers become strings, other attributes `user.data`, the address is found or checked.

    Without anything known about the user there is no `user` afterwards.
    """
    user = data.get("user")
    if user is None:
        user = {}
    elif type(user.get("id")) is not str or len(user) > 1:
        user = _own_fields(user, notes)
    ip = _address(user.get("ip_address"), data, client_ip, platform, notes)
    if ip is not None:
        user["ip_address"] = ip
    else:
        user.pop("ip_address", None)
    if user:
        data["user"] = user
    else:
        data.pop("user", None)


def _own_fields(user: dict[str, Any], notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in user.items():
        if value is None or value == "":
            continue
        if key not in _FIELDS:
            rest[key] = value
        elif key == "geo" or key == "data":
            members = scalars.mapping(value, f"user.{key}", notes)
            if members:
                found[key] = members
        elif type(value) is str and len(value) <= MAX_SHORT:
            found[key] = value
        else:
            text = scalars.text(value, MAX_SHORT, f"user.{key}", notes)
            if text:
                found[key] = text
    if rest:
        found["data"] = {**rest, **found.get("data", {})}
    return found


def _address(
    given: str | None, data: dict[str, Any], client_ip: str | None, platform: str, notes: Notes
) -> str | None:
    """The user's address: given, `{{auto}}`, or inferred as `sdk.settings.infer_ip` allows.

    Without that setting it is `REMOTE_ADDR`, or the sender's for browsers and Apple's SDKs
    (Relay's "legacy").
    """
    settings = data.get("sdk", {}).get("settings")
    infer = settings.get("infer_ip") if type(settings) is dict else None
    if given is not None and given != AUTO_IP:
        if is_ip(given):
            return given
        notes.add("invalid_data", "user.ip_address", "not an IP address", given)
        return None
    if infer == "never":
        return None
    sender = client_ip if client_ip is not None and is_ip(client_ip) else None
    if given == AUTO_IP or infer == "auto":
        return sender
    environ = data.get("request", {}).get("env", {})
    remote = environ.get("REMOTE_ADDR")
    if type(remote) is str and is_ip(remote):
        return remote
    return sender if platform in _LEGACY_IP_PLATFORMS else None


def is_ip(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    if _IPV4.fullmatch(text):
        return True
    if ":" not in text or len(text) > MAX_SHORT:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def user_key(user: dict[str, Any] | None) -> str | None:
    """What tells users apart: "id:42", else "username:…", "email:…", "ip:…"; ≤ 200 characters."""
    if user is not None:
        for field, name in _KEY_ORDER:
            value = user.get(field)
            if value:
                return f"{name}:{value}"[:MAX_KEY]
    return None


def repair_user(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """An object; a bare string or number is the user's id."""
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
        value = {"id": value}
    user = scalars.mapping(value, path, notes)
    return None if user is None else shallow(user, path, notes)
