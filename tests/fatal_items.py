"""An item handler that ends the process preparing it, as a fault in native code would, or never
returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tracer.ingest.items import Arrival, Batch, ItemHandler
from tracer.protocol.envelope import Item


def prepare(item: Item, arrival: Arrival) -> bytes:
    payload = bytes(item.payload)
    if payload == b"fatal":
        os._exit(1)
    while payload == b"endless":
        pass
    return payload


def store(batch: Batch, prepared: Sequence[Any]) -> Sequence[str | None]:
    return [None] * len(prepared)


HANDLER = ItemHandler(prepare, store)
