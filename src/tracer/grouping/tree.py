"""How the exceptions of an event hang together: causes in a row, groups with members."""

from __future__ import annotations

from typing import Any

from tracer.grouping.parameterize import parameterize


def deciding_index(values: list[dict[str, Any]]) -> int:
    """The exception to call the issue by: the thrown one, or a group's only kind of member."""
    last = len(values) - 1
    if not (values[last].get("mechanism") or {}).get("is_exception_group"):
        return last
    thrown = [chain[-1] for chain in causal_chains(values)]
    if len({(value.get("type"), parameterize(value.get("value") or "")) for value in thrown}) > 1:
        return last
    return next(index for index, value in enumerate(values) if value is thrown[0])


def causal_chains(values: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Lists of causally linked exceptions, oldest first: one, or one for each member of a group."""
    mechanisms = [value.get("mechanism") or {} for value in values]
    if not any(mechanism.get("is_exception_group") for mechanism in mechanisms):
        return [values]
    by_id: dict[int, dict[str, Any]] = {}
    for value, mechanism in zip(values, mechanisms, strict=True):
        if mechanism.get("exception_id") is not None:
            by_id.setdefault(int(mechanism["exception_id"]), value)
    children: dict[int, list[int]] = {}
    for number, value in sorted(by_id.items()):
        parent = _parent(number, value["mechanism"])
        if parent is not None and parent in by_id and parent != number:
            children.setdefault(parent, []).append(number)
    members = _members(by_id, children)
    return members or [values]


def _parent(number: int, mechanism: dict[str, Any]) -> int | None:
    # The Python SDK gives causes inside a group no parent of their own; they follow it by number.
    if mechanism.get("source") in ("__cause__", "__context__"):
        return number - 1
    parent = mechanism.get("parent_id")
    return None if parent is None else int(parent)


def _members(
    by_id: dict[int, dict[str, Any]], children: dict[int, list[int]]
) -> list[list[dict[str, Any]]]:
    """Walk from the root: a group opens into its members, any other exception into its cause."""
    if not by_id:
        return []
    chains: list[list[dict[str, Any]]] = []
    waiting: list[tuple[int, list[dict[str, Any]]]] = [(min(by_id), [])]
    seen: set[int] = set()
    while waiting:
        number, newer = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        mechanism = by_id[number].get("mechanism") or {}
        below = children.get(number, [])
        if mechanism.get("is_exception_group"):
            inner = [n for n in below if not _is_cause(by_id[n])] or below
            if inner:
                waiting += [(child, []) for child in reversed(inner)]
                continue
        chain = [by_id[number], *newer]
        if below:
            waiting.append((below[0], chain))
        else:
            chains.append(chain)
    return chains


def _is_cause(value: dict[str, Any]) -> bool:
    source = (value.get("mechanism") or {}).get("source")
    return source in ("__cause__", "__context__", "cause")
