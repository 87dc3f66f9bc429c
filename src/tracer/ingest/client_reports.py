"""The `client_report` item: what an SDK dropped itself, counted as an outcome of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import Invalid
from tracer.ingest.items import Arrival, Batch, ItemHandler
from tracer.ingest.outcomes import CLIENT_DISCARD
from tracer.protocol.envelope import Item
from tracer.protocol.lenient import load_json

_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_MAX_ENTRIES = 100
_MAX_QUANTITY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ClientReport:
    """(data category, reason, quantity) triples of one report."""

    project_id: int
    discarded: tuple[tuple[str, str, int], ...]


def prepare(item: Item, arrival: Arrival) -> ClientReport:
    """Read `{"discarded_events": [{"reason", "category", "quantity"}]}`, odd words as "other"."""
    report = load_json(bytes(item.payload))
    if not isinstance(report, dict):
        raise Invalid("not_an_object")
    entries = report.get("discarded_events")
    if not isinstance(entries, list):
        raise Invalid("no_discarded_events")
    discarded = [_entry(entry) for entry in entries[:_MAX_ENTRIES]]
    return ClientReport(arrival.project_id, tuple(entry for entry in discarded if entry))


def store(batch: Batch, reports: Sequence[ClientReport]) -> Sequence[str | None]:
    """Add what the SDKs dropped to the batch's outcomes."""
    for report in reports:
        for category, reason, quantity in report.discarded:
            batch.count(report.project_id, category, CLIENT_DISCARD, reason, quantity)
    return [None] * len(reports)


def _entry(entry: Any) -> tuple[str, str, int] | None:
    if not isinstance(entry, dict):
        return None
    quantity = entry.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, (int, float)) or quantity < 1:
        return None
    return (
        _word(entry.get("category")),
        _word(entry.get("reason")),
        int(min(quantity, _MAX_QUANTITY)),
    )


def _word(value: Any) -> str:
    # A made-up name would add a row to the counts for ever, so only plain words pass.
    return value if isinstance(value, str) and _WORD.match(value) else "other"


HANDLER = ItemHandler(prepare, store)
