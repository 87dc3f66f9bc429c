"""Writes about the audit log itself: noting an export, removing what is past its retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.features.audit.model import DAY_MS, Wanted
from tracer.features.audit.verify import PRUNED
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

#: What belongs to no organization stays as long as the longest of them all keeps its own.
_KEPT = """
    SELECT a.id
    FROM audit a
    LEFT JOIN organizations o ON o.id = a.organization_id
    WHERE coalesce(o.audit_days, :longest) = 0
        OR a.at >= :now - coalesce(o.audit_days, :longest) * :day
    ORDER BY a.id
    LIMIT 1"""


def note_export(tx: Tx, organization_id: int | None, wanted: Wanted, format: str) -> int:
    """Record that somebody takes entries away; the id of the newest entry they will hold."""
    newest: int = tx.value("SELECT max(id) FROM audit") or 0
    chosen = {name: getattr(wanted, name) for name in Wanted.__slots__}
    audit.record(
        tx,
        "audit.export",
        "audit",
        organization_id=organization_id,
        after={"format": format, **{name: value for name, value in chosen.items() if value}},
    )
    return newest


def move_anchor(tx: Tx, *, now_ms: int) -> int:
    """Let go of the entries at the beginning that are all past their retention; how many.

    They no longer count from here on, and `sweep` removes them. An entry that must stay keeps
    those after it too: the chain has no holes.
    """
    days = [row[0] for row in tx.rows("SELECT audit_days FROM organizations")]
    longest = 0 if 0 in days else max(days, default=0)
    first_kept = tx.value(_KEPT, longest=longest, now=now_ms, day=DAY_MS)
    anchor = tx.value("SELECT audit_id FROM audit_anchor")
    if first_kept is None:
        first_kept = (tx.value("SELECT max(id) FROM audit") or anchor) + 1
    row = tx.row(
        "SELECT id, hash FROM audit WHERE id < :first AND id > :anchor ORDER BY id DESC LIMIT 1",
        first=first_kept,
        anchor=anchor,
    )
    if row is None:
        return 0
    through, hash_ = row
    count: int = through - anchor
    audit.record(
        tx,
        PRUNED,
        "audit",
        after={"entries": count, "through": through, "sha256": bytes(hash_).hex()},
    )
    tx.execute("UPDATE audit_anchor SET audit_id = :id, hash = :hash", id=through, hash=hash_)
    return count


def sweep(tx: Tx, *, limit: int) -> int:
    """Remove some of the entries before the anchor; how many."""
    return tx.execute(
        """
        DELETE FROM audit
        WHERE id IN (
            SELECT id
            FROM audit
            WHERE id <= (SELECT audit_id FROM audit_anchor)
            ORDER BY id
            LIMIT :limit
        )
        """,
        limit=limit,
    )
