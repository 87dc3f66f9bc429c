"""Reports that browsers send by themselves: CSP and its relatives."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tracer.grouping.model import Basis, part

_HOST = re.compile(r"^([a-z][\w+.-]*)://([^/?#]*)", re.IGNORECASE)
_LOCAL = frozenset(("", "self", "'self'"))
_REPORTS = {
    "expectct": ("hostname", "Expect-CT failed for"),
    "expectstaple": ("hostname", "Expect-Staple failed for"),
    "hpkp": ("hostname", "Public key pinning validation failed for"),
}


class Report(NamedTuple):
    basis: Basis
    title: str
    culprit: str


def security_report(data: dict[str, Any]) -> Report | None:
    """The grouping of a security report; None for any other event."""
    csp = data.get("csp")
    if type(csp) is dict:
        return _csp(csp)
    for key, (field, text) in _REPORTS.items():
        report = data.get(key)
        if type(report) is dict:
            host = _read(report, field)
            parts = [part(key, host, True, "reported host")]
            basis = Basis("message", "kind and host of the report", [key, host], parts)
            return Report(basis, f"{text} '{host}'", host)
    return None


def _csp(csp: dict[str, Any]) -> Report:
    """By directive and what was blocked: a host, a scheme or `self`, never a full URL."""
    violated = _read(csp, "violated_directive")
    directive = _read(csp, "effective_directive") or violated.partition(" ")[0]
    blocked = _blocked(_read(csp, "blocked_uri"), _read(csp, "document_uri"))
    kind = directive.removesuffix("-elem").removesuffix("-attr")
    noun = kind.removesuffix("-src")
    parts = [
        part("directive", kind, True, "what the policy restricts"),
        part("blocked", blocked, True, "host or scheme"),
    ]
    basis = Basis(
        "message", "directive and source of the CSP report", ["csp", kind, blocked], parts
    )
    if blocked in ("inline", "eval", "wasm-eval"):
        return Report(basis, f"Blocked {blocked} '{noun}'"[:256], violated[:200] or directive)
    return Report(basis, f"Blocked '{noun}' from '{blocked}'"[:256], violated[:200] or directive)


def _blocked(uri: str, document: str) -> str:
    if uri in _LOCAL:
        return "self"
    found = _HOST.match(uri)
    if found is None:
        return uri.partition(":")[0]
    own = _HOST.match(document)
    if own is not None and own.group(2).lower() == found.group(2).lower():
        return "self"
    return found.group(2).lower() or found.group(1).lower()


def _read(report: dict[str, Any], field: str) -> str:
    value = report.get(field) or report.get(field.replace("_", "-"))
    return value if type(value) is str else ""
