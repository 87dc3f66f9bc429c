"""What users report: stored beside the issue it is about, read and ticked off by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.features.feedback import actions, api, dialog, ingest, pages, queries
from tracer.issues.facts import IssuesChanged
from tracer.kit.feature import Feature, Nav, Slot
from tracer.kit.permissions import Permission

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def _link_waiting(tracer: Tracer, fact: IssuesChanged) -> None:
    # Almost always nothing waits, so ask before taking the write lock.
    if queries.waiting(tracer.meta.read(), fact.project_id, now_ms=clock.now_ms()):
        with tracer.meta.write(unaudited="messages find their issues") as tx:
            actions.link_waiting(tx, fact.project_id)


FEATURE = Feature(
    name="feedback",
    routes=(pages.routes, api.routes, dialog.routes),
    items={"user_report": ingest.REPORT, "feedback": ingest.FEEDBACK},
    after=((IssuesChanged, _link_waiting),),
    nav=Nav("Feedback", "/feedback/", "message-square", order=30, can=Permission.EVENT_READ),
    slots=(Slot("issue.main", "/feedback/of-issue/{issue_id}/"),),
)
