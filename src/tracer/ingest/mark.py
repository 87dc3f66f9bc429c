"""What digest is at, in a small file that outlives the process: a frame under preparation, or the
frames of the batch being stored. A mark costs a write to memory, no system call."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

_LAYOUT = struct.Struct("<4q")  # step, first frame, last frame, deaths
_PREPARING, _STORING = 1, 2

#: A process may be killed at any time: that a frame is guilty is believed at the second death.
DEATHS = 2


class _Left(NamedTuple):
    step: int
    first: int
    last: int
    deaths: int


class Mark:
    """The open file. `left` is what the process before this one was at when it died."""

    def __init__(self, path: Path | None) -> None:
        """Open or create it; in memory when `path` is None."""
        if path is None:
            self._map = mmap.mmap(-1, _LAYOUT.size)
        else:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, _LAYOUT.size)
                self._map = mmap.mmap(descriptor, _LAYOUT.size)
            finally:
                os.close(descriptor)
        left = _Left(*_LAYOUT.unpack(self._map[:]))
        self._left = left._replace(deaths=left.deaths + 1)

    def is_suspect(self, frame: int) -> bool:
        """Whether the process before this one ended while it prepared this frame."""
        return self._left.step == _PREPARING and self._left.first == frame

    @property
    def careful_through(self) -> int:
        """Up to this frame each is to be stored alone: the process died while storing them."""
        return self._left.last if self._left.step == _STORING else 0

    def is_guilty(self, frame: int) -> bool:
        """Whether processes died while this frame alone was stored, more than once."""
        left = self._left
        return left.step == _STORING and left.first == left.last == frame and left.deaths >= DEATHS

    def preparing(self, frame: int) -> None:
        """A frame is being prepared in this process."""
        _LAYOUT.pack_into(self._map, 0, _PREPARING, frame, frame, 0)

    def storing(self, first: int, last: int) -> None:
        """These frames are being stored."""
        left = self._left
        same = (left.step, left.first, left.last) == (_STORING, first, last)
        _LAYOUT.pack_into(self._map, 0, _STORING, first, last, left.deaths if same else 0)

    def clear(self) -> None:
        """Nothing is under way."""
        _LAYOUT.pack_into(self._map, 0, 0, 0, 0, 0)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
