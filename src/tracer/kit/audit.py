"""The audit log: who did what to which object, in the same transaction as the change itself.

Who acts is set once for a thread (`acting`); every action that writes calls `record`. Entries form
a chain (`kit.chain`). They never hold a secret: what is named or looks like one is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracer.kit import chain

if TYPE_CHECKING:
    from tracer.storage.meta import Reader, Tx

_DEVICE_MAX = 300
_TEXT_MAX = 500
_LIST_MAX = 1000

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|token|cookie|seed|otp|authorization|credential"
    r"|(?:private|master|signing|api)_?key|recovery_codes?|hash)$",
    re.IGNORECASE,
)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+")


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: `kind` is user, token, cli, task or anonymous; `device` is the user agent."""

    kind: str
    id: int | None = None
    name: str = ""
    token_id: int | None = None
    address: str = ""
    device: str = ""
    organization_id: int | None = None


class _Change(NamedTuple):
    action: str
    object_type: str
    object_id: str
    name: str
    organization_id: int | None
    project_id: int | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


NOBODY = Acting("anonymous")
_acting: ContextVar[Acting] = ContextVar("acting", default=NOBODY)
_gathered: ContextVar[list[_Change] | None] = ContextVar("gathered", default=None)


@contextmanager
def acting(who: Acting) -> Iterator[None]:
    """Changes made inside are recorded as this actor's."""
    token = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(token)


def current() -> Acting:
    """Who acts here."""
    return _acting.get()


def record(
    tx: Tx,
    action: str,
    object_type: str,
    object_id: object = "",
    *,
    name: str = "",
    organization_id: int | None = None,
    project_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down one change; it stands if and only if the transaction does.

    `action` is object and verb ("member.remove"); `before` and `after` hold what changed. Where no
    organization is named it is the project's, else the actor's. What was saved as it had been
    (`before` and `after` both empty, see `differing`) leaves no entry.
    """
    tx.audited = True
    if before is not None and after is not None and not before and not after:
        return
    if organization_id is None:
        organization_id = _organization(tx, project_id)
    change = _Change(
        action, object_type, str(object_id), name, organization_id, project_id, before, after
    )
    gathered = _gathered.get()
    if gathered is None:
        _write(tx, change)
    else:
        gathered.append(change)


@contextmanager
def together(tx: Tx) -> Iterator[None]:
    """What is recorded inside becomes one entry for each action and project: `after["ids"]` has
    the objects, and a value that is not the same for all is a list in their order."""
    gathered: list[_Change] = []
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
    groups: dict[tuple[Any, ...], list[_Change]] = {}
    for change in gathered:
        key = (change.action, change.object_type, change.organization_id, change.project_id)
        groups.setdefault(key, []).append(change)
    for changes in groups.values():
        _write(tx, changes[0] if len(changes) == 1 else _one_of(changes))


def differing(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after, without what stayed the same."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return (
        {name: old[name] for name in names if name in old},
        {name: new[name] for name in names if name in new},
    )


def _organization(reader: Reader, project_id: int | None) -> int | None:
    if project_id is not None:
        found: int | None = reader.value(
            "SELECT organization_id FROM projects WHERE id = :id", id=project_id
        )
        if found is not None:
            return found
    return _acting.get().organization_id


def _one_of(changes: list[_Change]) -> _Change:
    first = changes[0]
    ids = [change.object_id for change in changes]
    return first._replace(
        object_id="",
        name=f"{len(ids):,} {first.object_type.replace('_', ' ')}s",
        before=_merged([change.before or {} for change in changes]) or None,
        after={"ids": ids, **_merged([change.after or {} for change in changes])},
    )


def _merged(values: list[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(name for value in values for name in value):
        column = [value.get(name) for value in values]
        merged[name] = column[0] if all(value == column[0] for value in column) else column
    return merged


def _write(tx: Tx, change: _Change) -> None:
    who = _acting.get()
    chain.append(
        tx,
        (
            tx.now_ms,
            change.organization_id,
            change.project_id,
            who.kind,
            who.id,
            _text(who.name),
            who.token_id,
            _text(who.address),
            _text(who.device, _DEVICE_MAX),
            change.action,
            change.object_type,
            _text(change.object_id),
            _text(change.name),
            _json(change.before),
            _json(change.after),
        ),
    )


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(_plain(value), order="sorted").decode()


def _plain(value: Any, name: str = "") -> Any:
    """The value without secrets, shortened to what is worth keeping."""
    if isinstance(value, str | bytes) and value and _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        parts = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(part, name) for part in list(parts)[:_LIST_MAX]]
    return value


def _text(text: str, limit: int = _TEXT_MAX) -> str:
    """One text of an entry: what SQLite and JSON can hold, no token in it, not too long."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode()
    clean = _JWT.sub(HIDDEN, clean)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
