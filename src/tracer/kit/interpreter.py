"""Settings of the interpreter that suit one busy background thread beside many short requests."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

#: A request takes the interpreter several times; each time it may wait this long for digest.
SWITCH_S = 0.0002
#: Digest makes and drops whole trees of plain data: looking for cycles among them is in vain.
GC_THRESHOLDS = (20_000, 20, 50)
#: Memory pools of glibc's malloc; each thread's own would keep what its largest query took.
POOLS = 2

_M_ARENA_MAX = -8


def tune() -> None:
    """Apply them to this process. What a platform does not have is left as it is."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, POOLS)


def settle() -> None:
    """What has been made by now stays: the search for cycles does not go through it again."""
    gc.collect()
    gc.freeze()
