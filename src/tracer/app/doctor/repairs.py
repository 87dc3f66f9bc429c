"""What doctor asks of the process that has the stores open: bounded looks at the event store, and
repairs. Each repair is recorded in the audit log."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.app.doctor import files
from tracer.errors import Conflict, NotFound
from tracer.ingest import balance
from tracer.issues import recount as recounting
from tracer.kit import audit, tasks
from tracer.projects.actions import blob_is_used
from tracer.storage.blobs import Blobs
from tracer.storage.events import Sql

if TYPE_CHECKING:
    from tracer.kit import control
    from tracer.storage.events import EventStore
    from tracer.storage.folder import Folder
    from tracer.storage.meta import Meta, Tx

#: So many go through the control socket in one answer.
_AT_MOST = 200

_COUNTS = Sql("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM payloads)")
_DICTIONARIES = Sql("SELECT DISTINCT dictionary FROM payloads ORDER BY dictionary LIMIT 100")
_BEYOND = Sql("""
    SELECT (SELECT count(*) FROM events WHERE frame > $frame)
        + (SELECT count(*) FROM payloads WHERE frame > $frame)""")


@dataclass(frozen=True, slots=True)
class Stores:
    """The open stores. `settled` tells the running digest that an imbalance was looked into."""

    folder: Folder
    meta: Meta
    events: Callable[[], EventStore]
    settled: Callable[[], None]


def commands(stores: Stores) -> Mapping[str, control.Command]:
    """The commands by name."""

    def counters(project_id: int, after: int) -> dict[str, Any]:
        looked = recounting.differences(
            stores.meta.read(),
            stores.events(),
            project_id,
            after=after,
            now_ms=clock.now_ms(),
        )
        found = [dataclasses.asdict(one) for one in looked.differences]
        if len(found) <= _AT_MOST:
            return {"differences": found, "issues": looked.issues, "next": looked.next}
        # All of one issue's, then on from there.
        last = found[_AT_MOST]["issue_id"]
        kept = [one for one in found if one["issue_id"] < last]
        return {"differences": kept, "issues": looked.issues, "next": last - 1}

    def events() -> dict[str, Any]:
        store = stores.events()
        count, payloads = store.select(_COUNTS)[0]
        numbers = [row[0] for row in store.select(_DICTIONARIES)]
        return {"events": count, "payloads": payloads, "dictionaries": numbers}

    def position() -> dict[str, Any]:
        # Nobody commits meanwhile: digest stores rows inside its own transaction.
        with stores.meta.write() as tx:
            frame = tx.value("SELECT frame FROM digest_position")
            beyond = stores.events().select(_BEYOND, frame=frame)[0][0]
        return {"position": frame, "beyond": beyond}

    def limits() -> dict[str, Any]:
        return {"open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}

    def repair(name: str, **arguments: Any) -> dict[str, Any]:
        function = _REPAIRS.get(name)
        if function is None:
            raise NotFound(f"There is no repair {name}.")
        return {"done": function(stores, **arguments)}

    return {
        "doctor_counters": counters,
        "doctor_events": events,
        "doctor_position": position,
        "doctor_limits": limits,
        "doctor_repair": repair,
    }


def _recount(stores: Stores, issue_id: int) -> int:
    with stores.meta.write() as tx:
        return int(recounting.recount(tx, stores.events(), issue_id))


def _short_ids(stores: Stores, project_id: int) -> int:
    with stores.meta.write() as tx:
        row = tx.row("SELECT next_short_id, slug FROM projects WHERE id = :id", id=project_id)
        if row is None:
            return 0
        highest = tx.value("SELECT max(short_id) FROM issues WHERE project_id = :i", i=project_id)
        after = max(row[0], (highest or 0) + 1)
        tx.execute(
            "UPDATE projects SET next_short_id = :next WHERE id = :id", next=after, id=project_id
        )
        audit.record(
            tx,
            "project.repair",
            "project",
            project_id,
            name=row[1],
            project_id=project_id,
            before={"next_short_id": row[0]},
            after={"next_short_id": after},
        )
    return 1


def _settle(stores: Stores) -> int:
    with stores.meta.write() as tx:
        if balance.check(tx, limit=1):
            raise Conflict("The accounts still do not balance.")
        balance.settle(tx)
        _record(tx, "settle", {})
    stores.settled()
    return 1


def _forget_beyond(stores: Stores) -> int:
    with stores.meta.write() as tx:
        frame = tx.value("SELECT frame FROM digest_position")
        rows = stores.events().forget_from(frame + 1)
        _record(tx, "forget_beyond", {"position": frame, "rows": rows})
    return rows


def _modes(stores: Stores) -> int:
    paths = list(files.too_open(stores.folder))
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    with stores.meta.write() as tx:
        _record(tx, "modes", {"files": len(paths)})
    return len(paths)


def _leftovers(stores: Stores) -> int:
    paths = list(files.half_written(stores.folder))
    for path in paths:
        path.unlink(missing_ok=True)
    with stores.meta.write() as tx:
        _record(tx, "leftovers", {"files": len(paths)})
    return len(paths)


def _orphans(stores: Stores, digests: Sequence[str]) -> int:
    store = Blobs(stores.folder.blobs)
    # Inside the transaction: digest puts blobs under the same lock, so none is lost.
    with stores.meta.write() as tx:
        doomed = [digest for digest in digests if not blob_is_used(tx, digest)]
        deleted = sum(store.delete(digest) for digest in doomed)
        _record(tx, "orphans", {"files": deleted})
    return deleted


def _retry_task(stores: Stores, task_id: int) -> int:
    with stores.meta.write() as tx:
        tasks.retry(tx, task_id)
    return 1


def _record(tx: Tx, repair: str, what: Mapping[str, Any]) -> None:
    audit.record(tx, "server.repair", "server", name=repair, after={"repair": repair, **what})


_REPAIRS: Mapping[str, Callable[..., int]] = {
    "recount": _recount,
    "short_ids": _short_ids,
    "settle": _settle,
    "forget_beyond": _forget_beyond,
    "modes": _modes,
    "leftovers": _leftovers,
    "orphans": _orphans,
    "retry_task": _retry_task,
}
