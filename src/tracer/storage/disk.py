"""The disk floor: how much space the file systems that hold the data folder must keep free.

Only looks. The spool stops accepting while `Floor.low` says so; nothing else is stopped by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Space must come back to so much more than the floor before work resumes: no to and fro at it.
_BACK_SHARE = 16


@dataclass(frozen=True, slots=True)
class Low:
    """A file system with less space than its floor. `reason` is set when it cannot be asked."""

    path: Path
    free_bytes: int
    floor_bytes: int
    reason: str = ""

    @property
    def text(self) -> str:
        """In one line, for logs and people."""
        if self.reason:
            return f"{self.path}: {self.reason}"
        return (
            f"{self.path}: {self.free_bytes >> 20} MiB free, "
            f"the floor is {self.floor_bytes >> 20} MiB"
        )


class Floor:
    """The floor of every file system that some paths lie on; each is asked once.

    It is `floor_bytes` or `percent` of the file system, whichever is less: a small disk would
    otherwise never be above it.
    """

    def __init__(self, paths: Iterable[Path], floor_bytes: int, percent: int) -> None:
        self._paths = tuple(paths)
        self._floor_bytes = floor_bytes
        self._percent = percent
        self.low: Low | None = None

    def bytes_of(self, path: Path) -> int:
        """The floor of the file system that a path lies on; 0 when it cannot be asked."""
        try:
            status = os.statvfs(_existing(path))
        except OSError:
            return 0
        return self._floor_of(status.f_blocks * status.f_frsize)

    def look(self) -> Low | None:
        """The first file system that is too full, or None. Never raises."""
        seen: set[int] = set()
        found = None
        for path in self._paths:
            place = _existing(path)
            try:
                device = place.stat().st_dev
                if device in seen:
                    continue
                seen.add(device)
                found = self._of(place)
            except OSError as error:
                found = Low(place, 0, 0, error.strerror or str(error))
            if found is not None:
                break
        self.low = found
        return found

    def _of(self, place: Path) -> Low | None:
        status = os.statvfs(place)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        floor = self._floor_of(total)
        if self.low is not None:
            floor += floor // _BACK_SHARE
        return Low(place, free, floor) if free < floor else None

    def _floor_of(self, total_bytes: int) -> int:
        return min(self._floor_bytes, total_bytes * self._percent // 100)


def _existing(path: Path) -> Path:
    """The path itself, or the folder it will lie in: a store may not have made its file yet."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
