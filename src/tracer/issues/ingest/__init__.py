"""Digesting the `event` item: prepared anywhere, stored in the batch's transaction."""

from __future__ import annotations

from tracer.ingest.items import ItemHandler
from tracer.issues.ingest.prepare import PreparedEvent, prepare, prepare_event
from tracer.issues.ingest.store import store

HANDLER = ItemHandler(prepare, store)

__all__ = ["HANDLER", "PreparedEvent", "prepare", "prepare_event", "store"]
