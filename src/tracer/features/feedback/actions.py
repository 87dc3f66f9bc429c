"""Changes to feedback: its status, and the issue of an event that arrived after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.features.feedback import queries
from tracer.features.feedback.model import STATUS_NAMES, Feedback
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx


def set_status(tx: Tx, feedback: Feedback, status: int) -> Feedback:
    """Open, done or spam."""
    tx.execute("UPDATE feedback SET status = :status WHERE id = :id", id=feedback.id, status=status)
    audit.record(
        tx,
        "feedback.update",
        "feedback",
        feedback.id,
        name=feedback.issue_name or "",
        project_id=feedback.project_id,
        before={"status": feedback.status_name},
        after={"status": STATUS_NAMES[status]},
    )
    return replace(feedback, status=status)


def link_waiting(tx: Tx, project_id: int) -> int:
    """Tie messages of a project to the issues of events that have arrived since; how many."""
    found = queries.waiting(tx, project_id, now_ms=tx.now_ms)
    tx.many("UPDATE feedback SET issue_id = ? WHERE id = ?", [(b, a) for a, b in found])
    return len(found)
