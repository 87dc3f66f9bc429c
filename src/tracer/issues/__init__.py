"""Issues: events grouped, counted, triaged and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.issues import api, pages, tasks
from tracer.issues.facts import IssuesChanged
from tracer.issues.ingest import HANDLER
from tracer.kit.feature import Feature, Nav
from tracer.kit.permissions import Permission

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def _tell_listeners(tracer: Tracer, fact: IssuesChanged) -> None:
    tracer.live.publish(f"project:{fact.project_id}", {"created": fact.created})


FEATURE = Feature(
    name="issues",
    routes=(*pages.groups, *api.groups),
    tasks=tasks.TASKS,
    every=tasks.SCHEDULE,
    items={"event": HANDLER},
    after=((IssuesChanged, _tell_listeners),),
    nav=Nav("Issues", "/issues/", "inbox", order=10, can=Permission.EVENT_READ),
)
