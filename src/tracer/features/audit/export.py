"""Audit entries as JSON Lines and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from tracer import clock
from tracer.features.audit.model import Entry, decoded

FORMATS = {"jsonl": "application/jsonl", "csv": "text/csv"}

#: A spreadsheet takes a cell that begins with one of these for a formula, wide forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Row(msgspec.Struct, rename="camel"):
    """An entry, as the API and the exports show it."""

    id: str
    date_created: datetime
    event: str
    actor_kind: str
    actor_id: str | None
    actor: str
    token_id: str | None
    ip_address: str
    device: str
    target_type: str
    target_object: str
    target_name: str
    organization_id: str | None
    project_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


Chunks = Iterable[list[Entry]]

_NAMES = msgspec.structs.fields(Row)


def row(entry: Entry) -> Row:
    """The shape of an entry."""
    return Row(
        id=str(entry.id),
        date_created=clock.from_ms(entry.at),
        event=entry.action,
        actor_kind=entry.actor_kind,
        actor_id=_id(entry.actor_id),
        actor=entry.actor,
        token_id=_id(entry.token_id),
        ip_address=entry.address,
        device=entry.device,
        target_type=entry.object_type,
        target_object=entry.object_id,
        target_name=entry.object,
        organization_id=_id(entry.organization_id),
        project_id=_id(entry.project_id),
        before=None if entry.before is None else decoded(entry.before),
        after=None if entry.after is None else decoded(entry.after),
        hash=bytes(entry.hash).hex(),
    )


def lines(chunks: Chunks, format: str) -> Iterator[bytes]:
    """The bytes of a file, a piece for each chunk; CSV begins with its heading."""
    if format == "csv":
        yield _csv([[field.encode_name for field in _NAMES]])
    for entries in chunks:
        if format == "csv":
            yield _csv([_cells(entry) for entry in entries])
        else:
            yield b"".join(msgspec.json.encode(row(entry)) + b"\n" for entry in entries)


def guarded(cell: str) -> str:
    """The cell so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.lstrip(" \u00a0\ufeff").startswith(_FORMULA) else cell


def _cells(entry: Entry) -> list[str]:
    shape = row(entry)
    cells = []
    for field in _NAMES:
        value = getattr(shape, field.name)
        if value is None:
            cells.append("")
        elif isinstance(value, datetime):
            cells.append(value.isoformat(timespec="milliseconds"))
        elif isinstance(value, dict):
            cells.append(guarded(msgspec.json.encode(value).decode()))
        else:
            cells.append(guarded(value))
    return cells


def _csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)
