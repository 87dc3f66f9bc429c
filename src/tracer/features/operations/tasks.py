"""Background work: handing this server's own errors to its own project, noting the free space.

Through the real spool, in this process: no request is made, so none can cause another.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tracer import clock
from tracer.errors import Unavailable
from tracer.features.operations import actions, queries
from tracer.kit.gauge import free_bytes
from tracer.kit.tasks import Every
from tracer.projects import queries as projects
from tracer.storage.spool import NewFrame

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

# Named so that kit.own_errors never reports it.
log = logging.getLogger("tracer.own")


def deliver(tracer: Tracer) -> None:
    """Append what waits to the spool. What finds no room waits on; it is bounded."""
    waiting = tracer.own_errors.waiting
    if not waiting:
        return
    try:
        own = queries.own_project(tracer.meta.read())
        if own is None:
            with tracer.meta.write() as tx:
                own = actions.make_own_project(tx)
        key = projects.working_key(tracer.meta.read(), own.id)
        if key is None:  # an administrator does not want them
            waiting.clear()
            return
        while waiting:
            tracer.spool.append_sync(_frame(own.id, key.public_key, waiting[0]))
            waiting.popleft()
    except Unavailable as fault:
        log.debug("own errors wait: %s", fault.detail)
    except Exception:
        log.exception("own errors could not be handed over")


def keep_members(tracer: Tracer) -> None:
    """See to it that who administers the server, and nobody else, sees its errors."""
    reader = tracer.meta.read()
    own = queries.own_project(reader)
    if own is None:
        return
    members = reader.rows(
        "SELECT user_id FROM members WHERE organization_id = :id", id=own.organization_id
    )
    if {row[0] for row in members} == queries.server_admin_ids(reader):
        return
    with tracer.meta.write() as tx:
        actions.keep_members(tx, own)


def admins_changed(tracer: Tracer, _fact: object) -> None:
    """Somebody administers the server from now on, or no longer."""
    keep_members(tracer)


def note_free_space(tracer: Tracer) -> None:
    """Once an hour, for the forecast."""
    free = free_bytes(tracer)
    if free is not None:
        with tracer.meta.write(unaudited="free space of the disk") as tx:
            actions.note_free_space(tx, free)


def _frame(project_id: int, key: str, event: dict[str, object]) -> NewFrame:
    head = {
        "kind": "store",
        "event_id": event["event_id"],
        "encoding": "",
        "content_type": "application/json",
        "ip": "",
        "ua": "",
    }
    return NewFrame(
        project_id=project_id,
        key=key,
        received_at=clock.now_s(),
        head=msgspec.json.encode(head),
        body=msgspec.json.encode(event),
    )


SCHEDULE = (Every(2, deliver), Every(60, keep_members), Every(3600, note_free_space))
