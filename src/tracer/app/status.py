"""`tracer status`: what a running server says of itself, or what a folder without one holds.

Never locks, migrates or changes anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tracer.errors import NotFound, Unavailable
from tracer.kit import control, status, tasks
from tracer.kit.gauge import file_bytes, folder_bytes
from tracer.storage.disk import Floor
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading
from tracer.storage.spool.letters import waiting

if TYPE_CHECKING:
    from tracer.settings import Settings
    from tracer.storage.meta import Reader


def find(settings: Settings) -> dict[str, Any]:
    """Of the running server, else of the folder. NotFound when there is no data folder,
    Unavailable when a server holds it and does not answer."""
    folder = Folder(settings.data)
    if folder.is_new:
        raise NotFound(f"There is no tracer data in {folder.path}.")
    answer = control.call(folder.control, "status")
    if answer is not None:
        return {"data": str(folder.path), **answer}
    holder = folder.holder()
    if holder is not None:
        raise Unavailable(f"tracer (pid {holder.pid}) is starting or stopping, or does not answer.")
    return at_rest(settings, folder)


def at_rest(settings: Settings, folder: Folder) -> dict[str, Any]:
    """What a folder holds that no server has open."""
    stores = {**file_bytes(folder.path), "blobs": folder_bytes(folder.blobs)}
    disk = os.statvfs(folder.path)
    free = disk.f_bavail * disk.f_frsize
    floor = Floor((folder.path,), settings.disk_floor_bytes, settings.disk_floor_percent)
    with reading(folder.meta) as reader:
        position = reader.value("SELECT frame FROM digest_position")
        frames, size = waiting(folder.spool, position) if folder.spool.exists() else (0, 0)
        return {
            "data": str(folder.path),
            "state": "stopped",
            "ready": False,
            "version": status.versions()["tracer"],
            "waiting": {"frames": frames, "bytes": size},
            "holds": _holds(reader),
            "stores": stores,
            "disk": status.disk(reader, free, floor.bytes_of(folder.path)),
            "last_backup": status.last_backup(reader),
            "tasks": tasks.counts(reader),
            "versions": status.versions(),
        }


def _holds(reader: Reader) -> dict[str, int]:
    return {
        "organizations": reader.value("SELECT count(*) FROM organizations"),
        "projects": reader.value("SELECT count(*) FROM projects WHERE deleted_at IS NULL"),
        "users": reader.value("SELECT count(*) FROM users"),
        "issues": reader.value("SELECT count(*) FROM issues"),
        "events": reader.value("SELECT coalesce(sum(event_count), 0) FROM issues"),
    }
