"""Where the secrets of a normalised event may be: which parts are walked, and the walk itself.

The walk judges names and replaces at once what they give away; strings it only gathers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tracer.protocol.scrub_names import Names
from tracer.protocol.scrub_text import FILTERED, NOT_SECRET, is_card_number

MAX_CONTAINERS = 100_000
_MAX_PATH_KEYS = 50
_MAX_PATH_CHARS = 500
_LEAST_CARD = 10**12

_NOT_SCRUBBED_NAMES = (
    "_scrubbed debug_meta dist environment event_id fingerprint level logger modules platform"
    " received release sdk server_name timestamp type"
)
_NOT_SCRUBBED = frozenset(_NOT_SCRUBBED_NAMES.split())
_REQUEST_PAIRS = frozenset(("headers", "cookies", "query_string"))
_USER_VALUES = frozenset(("id", "email", "username", "name", "ip_address", "geo"))

Path = tuple[Any, ...] | None  # (the path above, the key or keys from there)
Place = tuple[Any, Path]
Replacements = dict[str, tuple[str, tuple[str, ...]]]  # text -> its clean form and the rules


@dataclass(frozen=True, slots=True)
class Removed:
    """One removal: "request.headers.Authorization", "auth"."""

    path: str
    rule: str


class Parts:
    """The parts of one event, and what was removed from it.

    `owners` are the containers walked, each with the index of the first text that it gave.
    """

    __slots__ = ("fields", "in_app_frames", "owners", "places", "removed")

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.fields: list[tuple[dict[str, Any], str, Path]] = []
        self.in_app_frames: list[tuple[dict[str, Any], Path]] = []
        self.owners: list[tuple[int, Any, Path]] = []
        self.removed: list[Removed] = []

    def remove(self, path: Path, key: object, rule: str) -> None:
        self.removed.append(Removed(path_text((path, key)), rule))


def path_text(path: Path) -> str:
    """`exception.values.0.stacktrace.frames.3.vars.password`."""
    keys: list[object] = []
    while path is not None and len(keys) < _MAX_PATH_KEYS:
        keys += path[:0:-1]
        path = path[0]
    return ".".join(map(str, reversed(keys)))[-_MAX_PATH_CHARS:]


def collect(data: dict[str, Any], names: Names) -> Parts:
    """Every part of the event that is to be scrubbed."""
    parts = Parts()
    for key, value in data.items():
        if key in _NOT_SCRUBBED:
            continue
        path: Path = (None, key)
        if key == "exception" or key == "threads":
            for index, one in enumerate(value["values"]):
                _collect_thrown(one, (path, "values", index), parts)
        elif key == "breadcrumbs":
            _collect_breadcrumbs(value["values"], (path, "values"), parts)
        elif key == "stacktrace":
            _collect_frames(value, path, parts)
        elif key == "contexts":
            parts.places.extend((one, (path, name)) for name, one in value.items())
        elif key == "request":
            _collect_request(value, path, names, parts)
        elif key == "user":
            _collect_user(value, path, names, parts)
        elif key == "errors":
            _collect_errors(value, path, names, parts)
        elif key == "logentry":
            _collect_members(value, path, value, parts)
        else:
            _collect_members(data, None, (key,), parts)
    return parts


def walk(parts: Parts, names: Names) -> list[str]:
    """Replace what sensitive names hold; returns all strings that are left to be searched."""
    texts = [holder[key] for holder, key, _ in parts.fields]
    owners = parts.owners
    stack = parts.places
    benign = names.benign
    visited = 0
    while stack:
        value, path = stack.pop()
        visited += 1
        if visited > MAX_CONTAINERS:
            for left, _ in (*stack, (value, path)):
                left.clear()
            parts.removed.append(Removed(path_text(path), "size"))
            break
        owners.append((len(texts), value, path))
        if type(value) is dict:
            members = value.items()
            if not benign.issuperset(value):
                members = _filter_members(value, path, names, parts)
            for key, one in members:
                kind = type(one)
                if kind is str:
                    texts.append(one)
                elif kind is dict or kind is list:
                    if one:
                        stack.append((one, (path, key)))
                elif kind is int and one > _LEAST_CARD and names.defaults:
                    _filter_number(value, key, path, parts)
        else:
            for place, one in enumerate(value):
                kind = type(one)
                if kind is str:
                    texts.append(one)
                elif kind is list and len(one) == 2 and type(one[0]) is str:
                    if one[0] in benign and type(one[1]) is str:
                        texts.append(one[1])
                    else:
                        _filter_pair(one, path, place, stack, texts, names, parts)
                elif kind is dict or kind is list:
                    if one:
                        stack.append((one, (path, place)))
                elif kind is int and one > _LEAST_CARD and names.defaults:
                    _filter_number(value, place, path, parts)
    return texts


def replace(parts: Parts, indexes: Iterable[int], replacements: Replacements) -> None:
    """Put cleaned texts where the walk found the unclean ones; `indexes` are those in its texts."""
    fields, owners = parts.fields, parts.owners
    unclean = set()
    for index in indexes:
        if index < len(fields):
            holder, name, path = fields[index]
            _put(holder, name, path, replacements, parts)
        else:
            # The last owner that began at or before this text is the one that gathered it.
            unclean.add(bisect_right(owners, index, key=_first_text) - 1)
    for place in sorted(unclean):
        _, value, path = owners[place]
        members = value.items() if type(value) is dict else enumerate(value)
        for key, one in members:
            if type(one) is str:
                _put(value, key, path, replacements, parts)
            elif type(one) is list and len(one) == 2:
                for side in (0, 1):
                    _put(one, side, (path, key), replacements, parts)


def _first_text(owner: tuple[int, Any, Path]) -> int:
    return owner[0]


def _put(holder: Any, key: Any, path: Path, replacements: Replacements, parts: Parts) -> None:
    unclean = holder[key]
    cleaned = replacements.get(unclean) if type(unclean) is str else None
    if cleaned is not None:
        holder[key] = cleaned[0]
        for rule in cleaned[1]:
            parts.remove(path, key, rule)


def _filter_pair(
    pair: list[Any],
    path: Path,
    index: int,
    stack: list[Place],
    texts: list[str],
    names: Names,
    parts: Parts,
) -> None:
    """A pair in a list is a name with its value: headers, cookies, query strings, tags."""
    name, value = pair
    rule = names.rule_of(name)
    if rule is None:
        texts.append(name)
        if type(value) is str:
            texts.append(value)
        elif type(value) is dict or type(value) is list:
            stack.append((value, (path, index, 1)))
    elif rule and _is_secret(value):
        pair[1] = FILTERED
        parts.remove(path, name, rule)


def _filter_members(value: dict[str, Any], path: Path, names: Names, parts: Parts) -> Any:
    """Replace the members with sensitive names; returns those that are still to be walked."""
    benign = names.benign
    return [
        (key, one)
        for key, one in value.items()
        if key in benign or not _filter(value, key, one, path, names, parts)
    ]


def _filter(
    holder: dict[str, Any], key: str, value: Any, path: Path, names: Names, parts: Parts
) -> bool:
    """Whether the member is done with: removed, or declared safe."""
    rule = names.rule_of(key)
    if rule is None:
        return False
    if rule:
        if not _is_secret(value):
            return not isinstance(value, (dict, list))
        holder[key] = FILTERED
        parts.remove(path, key, rule)
    return True


def _is_secret(value: Any) -> bool:
    if isinstance(value, str):
        return value not in NOT_SECRET
    return value is not None and not isinstance(value, bool) and value != [] and value != {}


def _filter_number(holder: Any, key: Any, path: Path, parts: Parts) -> None:
    if is_card_number(str(holder[key])):
        holder[key] = FILTERED
        parts.remove(path, key, "card")


def _collect_thrown(one: dict[str, Any], path: Path, parts: Parts) -> None:
    """An exception or a thread."""
    if "value" in one:
        parts.fields.append((one, "value", path))
    for key in ("stacktrace", "raw_stacktrace"):
        if key in one:
            _collect_frames(one[key], (path, key), parts)
    mechanism = one.get("mechanism")
    if mechanism and "data" in mechanism:
        parts.places.append((mechanism["data"], (path, "mechanism", "data")))


def _collect_frames(stack: dict[str, Any], path: Path, parts: Parts) -> None:
    places, in_app_frames = parts.places, parts.in_app_frames
    frames: Path = (path, "frames")
    for index, frame in enumerate(stack.get("frames", ())):
        if "vars" in frame:
            places.append((frame["vars"], (frames, index, "vars")))
        if frame.get("in_app") and "context_line" in frame:
            in_app_frames.append((frame, (frames, index)))


def _collect_breadcrumbs(crumbs: list[dict[str, Any]], path: Path, parts: Parts) -> None:
    places, fields = parts.places, parts.fields
    for index, crumb in enumerate(crumbs):
        if "message" in crumb:
            fields.append((crumb, "message", (path, index)))
        data = crumb.get("data")
        if data:
            places.append((data, (path, index, "data")))


def _collect_members(holder: dict[str, Any], path: Path, keys: Iterable[str], parts: Parts) -> None:
    for key in keys:
        value = holder[key]
        if type(value) is str:
            parts.fields.append((holder, key, path))
        elif type(value) is dict or type(value) is list:
            parts.places.append((value, (path, key)))


def _collect_request(request: dict[str, Any], path: Path, names: Names, parts: Parts) -> None:
    cookies = request.get("cookies")
    if type(cookies) is list:
        for pair in cookies:
            named = len(pair) == 2 and type(pair[0]) is str
            rule = names.cookie_rule_of(pair[0]) if named else None
            if rule and _is_secret(pair[1]):
                pair[1] = FILTERED
                parts.remove((path, "cookies"), pair[0], rule)
    keys = [
        key
        for key, value in request.items()
        if key in names.benign
        or key in _REQUEST_PAIRS
        or not _filter(request, key, value, path, names, parts)
    ]
    _collect_members(request, path, keys, parts)


def _collect_user(user: dict[str, Any], path: Path, names: Names, parts: Parts) -> None:
    """What identifies the user stays, unless the project says otherwise."""
    if names.scrub_ip and user.pop("ip_address", None) is not None:
        parts.remove(path, "ip_address", "ip")
    keys = [
        key
        for key, value in user.items()
        if (key in names.benign or not _filter(user, key, value, path, names, parts))
        and key not in _USER_VALUES
    ]
    _collect_members(user, path, keys, parts)


def _collect_errors(errors: list[dict[str, Any]], path: Path, names: Names, parts: Parts) -> None:
    """A note quotes the value it is about: judged by the name at the end of the path it gives."""
    for index, error in enumerate(errors):
        value, name = error.get("value"), error.get("name")
        if type(value) is not str or type(name) is not str:
            continue
        rule = names.rule_of(name.rpartition(".")[2])
        if rule and _is_secret(value):
            error["value"] = FILTERED
            parts.remove((path, index), "value", rule)
        else:
            parts.fields.append((error, "value", (path, index)))
