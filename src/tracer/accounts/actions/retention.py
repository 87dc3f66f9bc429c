"""How long an organization keeps its audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.errors import Invalid
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

AUDIT_DAYS_MIN = 30
AUDIT_DAYS_MAX = 3650


def set_audit_days(tx: Tx, organization_id: int, days: int) -> None:
    """Keep audit entries for so many days; 0 is for ever. Invalid outside 30 to 3,650."""
    if days and not AUDIT_DAYS_MIN <= days <= AUDIT_DAYS_MAX:
        raise Invalid(f"Enter {AUDIT_DAYS_MIN} to {AUDIT_DAYS_MAX:,} days, or 0 for ever.")
    before = tx.row("SELECT audit_days, slug FROM organizations WHERE id = :id", id=organization_id)
    if before is None or before[0] == days:
        return
    tx.execute(
        "UPDATE organizations SET audit_days = :days WHERE id = :id", id=organization_id, days=days
    )
    audit.record(
        tx,
        "organization.update",
        "organization",
        organization_id,
        name=before[1],
        organization_id=organization_id,
        before={"audit_days": before[0]},
        after={"audit_days": days},
    )
