"""What schema the stores of a folder have, and the way back to before the last migration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.errors import NotFound
from tracer.storage import migrate, snapshots
from tracer.storage.folder import Folder
from tracer.storage.readonly import schema_of
from tracer.storage.spool.letters import steps

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.settings import Settings
    from tracer.storage.snapshots import Snapshot

#: Snapshots that are further apart belong to different updates.
TOGETHER_MS = 10 * 60_000


def status(settings: Settings) -> list[dict[str, Any]]:
    """Each SQLite store: its schema, the one this program knows, and the snapshots there are."""
    folder = Folder(settings.data)
    if folder.is_new:
        raise NotFound(f"There is no tracer data in {folder.path}.")
    return [
        {
            "store": name,
            "path": str(path),
            "schema": schema_of(path),
            "known": known,
            "snapshots": [
                {
                    "path": str(one.path),
                    "schema": one.schema,
                    "made_at": one.made_at,
                    "bytes": one.size_bytes,
                }
                for one in snapshots.snapshots(path)
            ],
        }
        for name, path, known in _stores(folder)
    ]


def rollback(settings: Settings, *, yes: bool) -> dict[str, Any]:
    """Go back to the snapshots of the last migration; without `yes` only say what would be lost.

    Conflict while a server runs; NotFound when there is no snapshot of an older schema.
    """
    folder = Folder(settings.data)
    if folder.is_new:
        raise NotFound(f"There is no tracer data in {folder.path}.")
    folder.lock()
    try:
        chosen = _chosen(folder)
        lost = _lost(folder, chosen)
        stores: dict[str, dict[str, Any]] = {
            name: {"schema": one.schema, "snapshot": str(one.path)} for name, one in chosen.items()
        }
        if yes:
            _roll_back(folder, chosen, stores)
    finally:
        folder.unlock()
    return {"done": yes, "stores": stores, "lost": lost}


def _roll_back(
    folder: Folder, chosen: dict[str, Snapshot], stores: dict[str, dict[str, Any]]
) -> None:
    """Meta first: frames are numbered after what digest has done by the meta that is then there."""
    for name, path, _ in _stores(folder):
        if name in chosen:
            position = snapshots.rows(folder.meta)["frame"] if name == "spool" else None
            aside = snapshots.roll_back(path, chosen[name], position=position)
            stores[name]["set_aside"] = str(aside)


def _stores(folder: Folder) -> list[tuple[str, Path, int]]:
    found = [
        ("meta", folder.meta, len(migrate.migrations())),
        ("spool", folder.spool, len(steps())),
    ]
    return [one for one in found if one[1].exists()]


def _chosen(folder: Folder) -> dict[str, Snapshot]:
    """By store, the snapshot from before the last update: of each store that it migrated."""
    newest = {}
    for name, path, _ in _stores(folder):
        here = schema_of(path)
        older = [one for one in snapshots.snapshots(path) if one.schema < here]
        if older:
            newest[name] = older[0]
    if not newest:
        raise NotFound("There is no snapshot of an older schema: nothing to go back to.")
    last = max(one.made_at for one in newest.values())
    return {name: one for name, one in newest.items() if last - one.made_at <= TOGETHER_MS}


def _lost(folder: Folder, chosen: dict[str, Snapshot]) -> dict[str, int]:
    """What came since: rows by table, requests digested, requests that wait for digest."""
    lost: dict[str, int] = {}
    if "meta" in chosen:
        now, then = snapshots.rows(folder.meta), snapshots.rows(chosen["meta"].path)
        lost["requests digested"] = max(0, now.pop("frame") - then.pop("frame"))
        for table in ("issues", "audit", "users", "projects", "tokens"):
            if now.get(table, 0) > then.get(table, 0):
                lost[table] = now[table] - then.get(table, 0)
    if "spool" in chosen:
        now, then = snapshots.rows(folder.spool), snapshots.rows(chosen["spool"].path)
        lost["dead letters"] = max(0, now["dead_letters"] - then["dead_letters"])
        lost["requests that wait"] = max(0, now["frames"])
    return {what: count for what, count in lost.items() if count}
