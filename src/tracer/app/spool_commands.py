"""What waits to be digested, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer import clock

if TYPE_CHECKING:
    from tracer.storage.meta import Meta
    from tracer.storage.spool import Spool


def commands(meta: Meta, spool: Callable[[], Spool]) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name. `spool` opens it where it is not open yet."""
    return {"spool_show": partial(show, meta, spool)}


def show(meta: Meta, spool: Callable[[], Spool]) -> dict[str, Any]:
    """Frames and bytes that wait behind the position, how full that makes the spool, and what is
    refused meanwhile (`level`, 0 nothing to 7 everything)."""
    store = spool()
    position: int = meta.read().value("SELECT frame FROM digest_position")
    frames, size = store.letters.read.waiting(position)
    oldest_at = store.oldest_at(position)
    load, low = store.load(), store.low
    return {
        "frames": frames,
        "bytes": size,
        "oldest_s": 0.0 if oldest_at is None else max(0.0, clock.now_ms() / 1000 - oldest_at),
        "last_id": store.last_id,
        "position": position,
        "level": load.level,
        "share": load.share,
        "measure": load.measure,
        "dead_letters": store.letters.read.count(),
        "disk_low": None if low is None else low.text,
    }
