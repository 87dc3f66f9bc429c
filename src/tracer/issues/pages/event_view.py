"""One event as the page shows it: sections in the order of how much they help. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from tracer.issues.pages.requests import HttpRequest, http_request
from tracer.issues.pages.stack import StackChoice, StackTraces, stack_traces

Pairs = list[tuple[str, str]]

_CRUMB_ICONS = {
    "http": "globe",
    "query": "database",
    "navigation": "route",
    "ui": "mouse-pointer-click",
    "user": "user",
    "error": "bug",
    "debug": "bug",
    "info": "info",
    "console": "terminal",
}
_CONTEXT_TITLES = {
    "os": "Operating system",
    "client_os": "Client operating system",
    "gpu": "GPU",
    "app": "App",
    "flags": "Feature flags",
}
_CONTEXT_ICONS = {
    "browser": "globe",
    "device": "smartphone",
    "os": "monitor",
    "client_os": "monitor",
    "runtime": "cpu",
    "app": "package",
    "trace": "route",
    "flags": "flag",
    "gpu": "cpu",
    "culture": "globe",
}
_USER_FIRST = ("id", "username", "name", "email", "ip_address")


@dataclass(frozen=True, slots=True)
class Crumb:
    """A breadcrumb. `before_s` is how long before the event it was left, in seconds."""

    icon: str
    type: str
    category: str
    level: str
    message: str
    data: Pairs
    timestamp: float | None
    before_s: float | None


@dataclass(frozen=True, slots=True)
class CrumbChoice:
    """Which breadcrumbs to show; "" is all."""

    type: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class Crumbs:
    """What the part `_breadcrumbs.html` shows: the chosen ones, newest first, and what there is."""

    choice: CrumbChoice
    items: list[Crumb]
    total: int
    types: Pairs
    levels: Pairs


@dataclass(frozen=True, slots=True)
class Context:
    """One named group of facts: device, operating system, trace, …"""

    title: str
    icon: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class TagLink:
    """A tag of the event; `href` finds the issues that have it too."""

    key: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class EventView:
    """All sections of an event."""

    message: str
    message_params: str
    stacks: StackTraces
    crumbs: Crumbs
    request: HttpRequest | None
    user: Pairs
    contexts: list[Context]
    tags: list[TagLink]
    modules: Pairs
    extra: Pairs
    sdk: Pairs
    errors: list[dict[str, Any]]
    scrubbed: list[dict[str, Any]]
    rules: dict[str, str]
    grouping: dict[str, Any]


def event_view(data: dict[str, Any], stack: StackChoice, crumbs: CrumbChoice) -> EventView:
    """The sections of a normalised event with its grouping."""
    logentry = data.get("logentry") or {}
    params = logentry.get("params")
    scrubbed = data.get("_scrubbed") or []
    return EventView(
        message=logentry.get("formatted") or logentry.get("message") or "",
        message_params=_text(params) if params else "",
        stacks=stack_traces(data, stack),
        crumbs=breadcrumbs(data, crumbs),
        request=http_request(data),
        user=_user(data.get("user") or {}),
        contexts=_contexts(data.get("contexts") or {}),
        tags=[_tag(key, value) for key, value in data.get("tags") or ()],
        modules=sorted((name, _text(v)) for name, v in (data.get("modules") or {}).items()),
        extra=_pairs(data.get("extra") or {}),
        sdk=_sdk(data.get("sdk") or {}),
        errors=data.get("errors") or [],
        scrubbed=scrubbed,
        rules={_last_name(entry["path"]): entry["rule"] for entry in scrubbed},
        grouping=data.get("grouping") or {},
    )


def _last_name(path: str) -> str:
    """The name that the page shows beside a value: `vars.card` of a path ends in `card`."""
    return path.rpartition(".")[2]


def breadcrumbs(data: dict[str, Any], choice: CrumbChoice) -> Crumbs:
    """The breadcrumbs of an event that fit the choice."""
    values = (data.get("breadcrumbs") or {}).get("values") or []
    at = data.get("timestamp")
    everything = [_crumb(value, at) for value in reversed(values)]
    shown = [
        crumb
        for crumb in everything
        if choice.type in ("", crumb.type) and choice.level in ("", crumb.level)
    ]
    return Crumbs(
        choice,
        shown,
        len(everything),
        _options("All types", {crumb.type for crumb in everything}),
        _options("All levels", {crumb.level for crumb in everything}),
    )


def _options(everything: str, names: set[str]) -> Pairs:
    return [("", everything), *((name, name) for name in sorted(names))]


def _crumb(value: dict[str, Any], event_at: float | None) -> Crumb:
    category = value.get("category") or ""
    type_ = value.get("type") or "default"
    timestamp = value.get("timestamp")
    known = timestamp is not None and event_at is not None
    kind = type_ if type_ in _CRUMB_ICONS else category.partition(".")[0]
    return Crumb(
        icon=_CRUMB_ICONS.get(kind, "circle-dot"),
        type=type_,
        category=category,
        level=value.get("level") or "info",
        message=value.get("message") or "",
        data=_pairs(value.get("data") or {}),
        timestamp=timestamp,
        before_s=event_at - timestamp if known and event_at and timestamp else None,
    )


def _user(user: dict[str, Any]) -> Pairs:
    known = [(name, _text(user[name])) for name in _USER_FIRST if user.get(name) is not None]
    rest = {name: value for name, value in user.items() if name not in _USER_FIRST}
    if isinstance(rest.get("geo"), dict):
        rest["geo"] = ", ".join(str(part) for part in rest["geo"].values())
    return [*known, *_pairs(rest)]


def _contexts(contexts: dict[str, Any]) -> list[Context]:
    found = []
    for name, context in contexts.items():
        if not isinstance(context, dict) or not context:
            continue
        kind = str(context.get("type") or name)
        pairs = _flags(context) if kind == "flags" else _pairs(context, without=("type",))
        if pairs:
            title = _CONTEXT_TITLES.get(name) or name.replace("_", " ")
            title = title[:1].upper() + title[1:]
            found.append(Context(title, _CONTEXT_ICONS.get(kind, "braces"), pairs))
    return found


def _flags(context: dict[str, Any]) -> Pairs:
    values = context.get("values")
    if not isinstance(values, list):
        return _pairs(context, without=("type",))
    return [
        (str(value.get("flag", "?")), _text(value.get("result")))
        for value in values
        if isinstance(value, dict)
    ]


def _tag(key: str, value: str) -> TagLink:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return TagLink(key, value, "/issues/?" + urlencode({"q": f"{key}:{quoted}", "status": "all"}))


def _sdk(sdk: dict[str, Any]) -> Pairs:
    pairs = [(name, _text(sdk[name])) for name in ("name", "version") if sdk.get(name)]
    for name in ("integrations", "features"):
        if sdk.get(name):
            pairs.append((name, ", ".join(map(str, sdk[name]))))
    for package in sdk.get("packages") or ():
        if isinstance(package, dict) and package.get("name"):
            pairs.append(("package", f"{package['name']} {package.get('version') or ''}".strip()))
    return pairs


def _pairs(values: dict[str, Any], without: tuple[str, ...] = ()) -> Pairs:
    return [
        (str(name), _text(value))
        for name, value in values.items()
        if value is not None and name not in without
    ]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return msgspec.json.encode(value).decode()
