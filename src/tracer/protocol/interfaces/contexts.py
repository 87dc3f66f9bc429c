"""Contexts: what is known about runtime, system, browser, device, trace, flags and so on."""

from __future__ import annotations

import re
from typing import Any

from tracer.protocol import scalars
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_CONTEXTS, MAX_SHORT
from tracer.protocol.trim import shallow
from tracer.protocol.user_agent import parse_user_agent

# Contexts whose type is their name when they do not say it; all others are "default".
_KNOWN_NAMES = (
    "app browser client_os cloud_resource culture device feedback flags gpu monitor nel os otel"
    " profile replay response runtime state trace unity user_report"
)
_KNOWN = frozenset(_KNOWN_NAMES.split())
_ALIASES = {"client_os": "os"}
_TRACE_IDS = {
    "trace_id": re.compile(r"[0-9a-f]{32}"),
    "span_id": re.compile(r"[0-9a-f]{16}"),
    "parent_span_id": re.compile(r"[0-9a-f]{16}"),
}


def finish_contexts(
    data: dict[str, Any], user_agent: str | None, platform: str, notes: Notes
) -> None:
    """Types and trace ids are completed, empty contexts dropped, the user agent fills gaps.

    As in Relay a system read from the user agent is `os` for browsers and `client_os` for
    servers, whose own `os` is another machine's.
    """
    contexts: dict[str, Any] = data.get("contexts") or {}
    empty: list[str] = []
    for name, context in contexts.items():
        if not context:
            empty.append(name)
        elif "type" not in context or type(context["type"]) is not str:
            context["type"] = _ALIASES.get(name, name) if name in _KNOWN else "default"
    for name in empty:
        del contexts[name]
    trace = contexts.get("trace")
    if trace is not None:
        _finish_trace(trace, notes)
    if "flags" in contexts:
        _finish_flags(contexts, notes)
    system = contexts.get("os")
    if system is not None and type(system.get("version")) is str:
        system["version"] = system["version"].strip()
    if user_agent:
        system_key = "os" if platform == "javascript" else "client_os"
        if "browser" not in contexts or system_key not in contexts or "device" not in contexts:
            _from_user_agent(contexts, user_agent, system_key)
    if contexts:
        data["contexts"] = contexts
    else:
        data.pop("contexts", None)


def _from_user_agent(contexts: dict[str, Any], user_agent: str, system_key: str) -> None:
    agent = parse_user_agent(user_agent)
    if agent.browser is not None and "browser" not in contexts:
        contexts["browser"] = {
            "type": "browser",
            **_versioned(agent.browser, agent.browser_version),
        }
    if agent.system is not None and system_key not in contexts:
        contexts[system_key] = {"type": "os", **_versioned(agent.system, agent.system_version)}
    if agent.device is not None and "device" not in contexts:
        contexts["device"] = {"type": "device", "family": agent.device, "model": agent.device}
        if agent.brand is not None:
            contexts["device"]["brand"] = agent.brand


def _versioned(name: str, version: str | None) -> dict[str, str]:
    return {"name": name} if version is None else {"name": name, "version": version}


def _finish_trace(trace: dict[str, Any], notes: Notes) -> None:
    scalars.without_nulls(trace)
    for key, pattern in _TRACE_IDS.items():
        value = trace.get(key)
        if value is None or (type(value) is str and pattern.fullmatch(value)):
            continue
        tidy = str(value).strip().replace("-", "").lower()[:64] if type(value) is str else ""
        if pattern.fullmatch(tidy):
            trace[key] = tidy
        else:
            notes.add("invalid_data", f"contexts.trace.{key}", "not a trace or span id", value)
            del trace[key]


def _finish_flags(contexts: dict[str, Any], notes: Notes) -> None:
    """Feature flags in the order of evaluation: `{"values": [{"flag", "result"}]}`."""
    flags = contexts["flags"]
    listed = flags.get("values")
    if type(listed) is not list:
        found = {name: value for name, value in flags.items() if name not in ("type", "values")}
        listed = [{"flag": name, "result": value} for name, value in found.items()]
    kept = [one for one in listed if type(one) is dict and type(one.get("flag")) is str]
    if len(kept) < len(listed):
        notes.add("invalid_data", "contexts.flags", f"{len(listed) - len(kept)} were not flags")
    contexts["flags"] = {"type": "flags", "values": kept}


def repair_contexts(value: object, path: str, notes: Notes) -> dict[str, Any] | None:
    """An object of objects; a list of flags is the flags context, other values are wrapped."""
    raw = scalars.mapping(value, path, notes)
    if raw is None:
        return None
    contexts: dict[str, Any] = {}
    if len(raw) > MAX_CONTEXTS:
        notes.add("too_many", path, f"only the first {MAX_CONTEXTS} of {len(raw)} kept")
    for name, given in list(raw.items())[:MAX_CONTEXTS]:
        where = f"{path}.{name}"
        if len(name) > MAX_SHORT:
            notes.add("value_too_long", where, "dropped: the name is too long")
            continue
        if given is None or given == [] or given == "":
            continue
        context = given
        if isinstance(given, list) and name == "flags":
            context = {"values": given}
        elif not isinstance(given, dict):
            notes.add("invalid_data", where, "expected an object")
            context = {"value": given}
        contexts[name] = shallow(context, where, notes)
    return contexts
