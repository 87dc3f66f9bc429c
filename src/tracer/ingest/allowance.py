"""How long a process has been at one thing: by the clock, and by the processor's time it got."""

from __future__ import annotations

import sys
import time

#: On a busy machine a process is given little time: it is over at this share of it at the earliest,
_LEAST_SHARE = 0.5
#: or after so many times the limit.
_MOST_TIMES = 6


class Allowance:
    """Begins now, for a process by its id."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._since_s = time.monotonic()
        self._spent_s = _spent_s(pid)

    def is_over(self, limit_s: float) -> bool:
        """Whether it has had its time, and has used it or never will."""
        passed_s = time.monotonic() - self._since_s
        if passed_s < limit_s or self._spent_s is None:
            return passed_s >= limit_s
        spent_s = _spent_s(self._pid)
        used = spent_s is None or spent_s - self._spent_s >= limit_s * _LEAST_SHARE
        return used or passed_s >= limit_s * _MOST_TIMES


def _spent_s(pid: int) -> float | None:
    """Seconds of the processor that a process has used; None where that cannot be told."""
    if sys.platform != "linux" or not pid:
        return None
    try:
        # The clock of a process, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None
