"""From an event to its hashes and titles. No I/O, never raises for a decoded event."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tracer.grouping import names
from tracer.grouping.chain import NAMELESS, Surroundings, exception_basis
from tracer.grouping.fingerprint import fingerprint_basis, is_default
from tracer.grouping.images import Images
from tracer.grouping.model import VERSION, Basis, Grouping, part
from tracer.grouping.parameterize import parameterize
from tracer.grouping.security import security_report
from tracer.grouping.titles import Titles, make_titles
from tracer.grouping.tree import deciding_index

if TYPE_CHECKING:
    from tracer.protocol.event import Event


def group(event: Event) -> Grouping:
    """Hashes (32 hexadecimal digits), title, culprit and the components that explain them."""
    data = event.data
    exceptions = _exceptions(data)
    template, message = _message(data)
    report = security_report(data)
    if report is not None:
        basis = report.basis
        titles = Titles(report.title, report.culprit, "", report.title, True)
    else:
        basis = _default_basis(data, exceptions, template, message)
        titles = make_titles(data, exceptions, message)
    fingerprint = data.get("fingerprint")
    if fingerprint and not is_default(fingerprint):
        values = _Variables(data, exceptions, message, titles)
        basis = fingerprint_basis(fingerprint, basis, _digest, values)
    components = {"variant": basis.variant, "label": basis.label, "parts": basis.parts}
    return Grouping((_digest(basis),), VERSION, components, *titles)


def _digest(basis: Basis) -> str:
    """Lengths delimit the texts, so that no text can imitate two."""
    joined = "".join(f"{len(text)}:{text}" for text in basis.texts)
    seed = f"{VERSION}/{basis.variant}/{joined}"
    return blake2b(seed.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _default_basis(
    data: dict[str, Any], exceptions: list[dict[str, Any]], template: str, message: str
) -> Basis:
    platform = data.get("platform") or ""
    family = names.FAMILIES.get(platform, names.OTHER)
    threads = (data.get("threads") or {}).get("values") or []
    by_thread = {
        thread.get("id"): thread["stacktrace"].get("frames") or []
        for thread in threads
        if thread.get("stacktrace") and thread.get("id") is not None
    }
    images = Images((data.get("debug_meta") or {}).get("images"))
    around = Surroundings(platform, family, images, by_thread)
    if exceptions:
        basis = exception_basis(_with_thread_stack(exceptions, threads), around)
        if basis is not None:
            return basis
    frames = _thread_frames(data, threads)
    if frames:
        stack_only = {"stacktrace": {"frames": frames}}
        basis = exception_basis([stack_only], around)
        if basis is not None and basis.texts:
            return _with_message(basis, template, message)
    if template or message:
        return _with_message(Basis("message", "message", [], []), template, message)
    return _fallback(data)


def _with_thread_stack(
    exceptions: list[dict[str, Any]], threads: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Mobile SDKs put a crash's stack on its thread: lend it to the thrown exception."""
    if any(exception.get("stacktrace") for exception in exceptions):
        return exceptions
    crashed = next((thread for thread in threads if thread.get("crashed")), None)
    if crashed is None or not crashed.get("stacktrace"):
        return exceptions
    return [*exceptions[:-1], {**exceptions[-1], "stacktrace": crashed["stacktrace"]}]


def _thread_frames(data: dict[str, Any], threads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stack of an event without exception: its own, the crashed or current or only thread's."""
    own = (data.get("stacktrace") or {}).get("frames")
    if own:
        return list(own)
    with_stack = [thread for thread in threads if (thread.get("stacktrace") or {}).get("frames")]
    for flag in ("crashed", "current"):
        for thread in with_stack:
            if thread.get(flag):
                return list(thread["stacktrace"]["frames"])
    return list(with_stack[0]["stacktrace"]["frames"]) if len(with_stack) == 1 else []


def _with_message(basis: Basis, template: str, message: str) -> Basis:
    """A template is what the code says, so it stays as it is but for data written into it."""
    if not (template or message):
        return basis
    cleaned = parameterize(template or message)
    basis.texts += ["message", cleaned]
    hint = "template" if template != message else "data replaced" if cleaned != message else ""
    basis.parts.append(part("message", cleaned, True, hint))
    if basis.variant != "message":
        basis.label = basis.label.replace(NAMELESS, "the message")
    return basis


def _fallback(data: dict[str, Any]) -> Basis:
    """Nothing to go by but where it came from."""
    texts, parts = ["fallback"], []
    for key in ("type", "logger", "transaction"):
        value = data.get(key)
        if type(value) is str and value:
            texts += [key, value]
            parts.append(part(key, value, True, "the event has no message, exception or stack"))
    return Basis("fallback", "no exception, message or stack trace", texts, parts)


def _exceptions(data: dict[str, Any]) -> list[dict[str, Any]]:
    values = (data.get("exception") or {}).get("values") or []
    return [value for value in values if type(value) is dict]


def _message(data: dict[str, Any]) -> tuple[str, str]:
    """(template, formatted message)."""
    entry = data.get("logentry")
    if not entry:
        return "", ""
    template, formatted = entry.get("message") or "", entry.get("formatted") or ""
    return template or formatted, formatted or template


class _Variables(dict[str, Any]):
    """What fingerprint variables stand for, looked up when asked."""

    def __init__(
        self,
        data: dict[str, Any],
        exceptions: list[dict[str, Any]],
        message: str,
        titles: Titles,
    ) -> None:
        main = exceptions[deciding_index(exceptions)] if exceptions else {}
        frames = (main.get("stacktrace") or {}).get("frames") or []
        frame = next((one for one in reversed(frames) if one.get("in_app")), None)
        frame = frame or (frames[-1] if frames else {})
        super().__init__(
            {
                "type": titles.type,
                "error.type": titles.type,
                "value": titles.value,
                "error.value": titles.value,
                "message": message or titles.value,
                "transaction": data.get("transaction"),
                "level": data.get("level"),
                "logger": data.get("logger"),
                "release": data.get("release"),
                "environment": data.get("environment"),
                **_frame_variables(frame),
                **_tag_variables(data),
            }
        )


def _frame_variables(frame: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        "function": frame.get("function"),
        "module": frame.get("module"),
        "package": frame.get("package"),
        "abs_path": frame.get("abs_path"),
        "path": frame.get("abs_path"),
    }
    return named | {f"stack.{key}": value for key, value in named.items()}


def _tag_variables(data: dict[str, Any]) -> dict[str, Any]:
    return {f"tags.{pair[0]}".lower(): pair[1] for pair in data.get("tags") or () if len(pair) == 2}
