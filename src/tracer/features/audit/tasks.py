"""Background work on the audit log: its retention, and telling the server's log of its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tracer import clock
from tracer.features.audit import actions
from tracer.features.audit.model import DAY_MS
from tracer.features.audit.verify import PRUNED
from tracer.kit.tasks import Every

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

log = logging.getLogger("tracer.audit")

AT_ONCE = 5000


def prune(tracer: Tracer) -> None:
    """Remove what is past its retention, at most once a day; finish what was left unfinished."""
    now_ms = clock.now_ms()
    last = tracer.meta.read().value(
        "SELECT max(at) FROM audit WHERE organization_id IS NULL AND action = :action",
        action=PRUNED,
    )
    if last is None or last <= now_ms - DAY_MS:
        with tracer.meta.write() as tx:
            actions.move_anchor(tx, now_ms=now_ms)
    more = True
    while more:
        with tracer.meta.write(unaudited="removing entries that a retention run let go") as tx:
            more = actions.sweep(tx, limit=AT_ONCE) > 0


def tell_head(tracer: Tracer) -> None:
    """Write where the audit log ends into the server's log: a witness that lies elsewhere."""
    row = tracer.meta.read().row("SELECT audit_id, hash FROM audit_head")
    if row is not None and row[0]:
        log.info("the audit log ends with %d:%s", row[0], bytes(row[1]).hex())


SCHEDULE = (Every(3600, prune), Every(6 * 3600, tell_head))
