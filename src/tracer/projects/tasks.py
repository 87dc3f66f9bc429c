"""Background work of projects: erasing what a deleted project held. Safe to run again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracer.errors import Unavailable
from tracer.projects import actions, queries
from tracer.storage.tables import EVENTS, PAYLOADS

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

ISSUES_AT_ONCE = 200
DIGEST_WAIT_S = 30.0


def erase_project(tracer: Tracer, project_id: int) -> None:
    """Erases a deleted project's issues, events, files and row, in small transactions."""
    if not queries.is_deleted(tracer.meta.read(), project_id):
        return
    _await_digest(tracer)
    more = True
    while more:
        with tracer.meta.write(unaudited="erasing a deleted project") as tx:
            more = actions.erase_issues(tx, project_id, limit=ISSUES_AT_ONCE) > 0
    for table in (EVENTS, PAYLOADS):
        tracer.events.erase(table, project_id)
    with tracer.meta.write() as tx:
        actions.erase_project(tx, project_id)


def erase_blobs(tracer: Tracer, digests: list[str]) -> None:
    """Deletes the files that no attachment refers to any more."""
    for digest in digests:
        with tracer.meta.write(unaudited="erasing a deleted project") as tx:
            if not actions.blob_is_used(tx, digest):
                tracer.blobs.delete(digest)


def _await_digest(tracer: Tracer) -> None:
    """Until frames that were accepted before the deletion are digested: none comes after them."""
    target = tracer.spool.last_id
    deadline = time.monotonic() + DIGEST_WAIT_S
    while (tracer.meta.read().value("SELECT frame FROM digest_position") or 0) < target:
        if time.monotonic() > deadline:
            raise Unavailable("Digest still holds events of the project.")
        time.sleep(0.1)
