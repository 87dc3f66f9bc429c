"""Making dead letters, and mending them as a new version of tracer would."""

from __future__ import annotations

import json

from harness import Running
from tracer import clock
from tracer.projects.model import Project
from tracer.storage.spool import NewFrame

NEVER_AN_ENVELOPE = b"\x00 never an envelope, password=hunter2"


def bury(
    tracer: Running,
    body: bytes = NEVER_AN_ENVELOPE,
    project: Project | None = None,
    *,
    project_id: int | None = None,
    **head: str,
) -> int:
    """A frame as the endpoint would write it that digest cannot open; its letter's id."""
    noted = {"kind": "envelope", "encoding": "", "content_type": "", "ip": "", "ua": "", **head}
    owner = project_id if project_id is not None else (project or tracer.project).id
    raw = json.dumps(noted).encode()
    id_ = tracer.tracer.spool.append_sync(NewFrame(owner, "k", clock.now_s(), raw, body))
    tracer.digest()
    return id_


def change(tracer: Running, sql: str, *values: object) -> None:
    """A statement on the spool's own file."""
    tracer.tracer.spool._writer.run(lambda connection: connection.execute(sql, values))


def mend(tracer: Running, letter_id: int, body: bytes) -> None:
    """From now on the frame can be opened."""
    change(tracer, "UPDATE dead_letters SET body = ? WHERE id = ?", body, letter_id)


def ids(tracer: Running) -> list[int]:
    """The dead letters there are, the oldest first."""
    found: list[int] = tracer.tracer.spool.letters.read.ids(limit=1000)
    return found
