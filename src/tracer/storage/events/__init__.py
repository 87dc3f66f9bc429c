"""The event store: append-only rows, and SQL over them."""

from tracer.storage.events.duck import DuckEvents
from tracer.storage.events.store import EventStore, Sql

__all__ = ["DuckEvents", "EventStore", "Sql"]
