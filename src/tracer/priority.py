"""How threads and processes that can wait give way to those that somebody waits for.

Every change is for good: only the superuser may take a lower priority back.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOWEST = 19


def lower_thread(niceness: int) -> None:
    """Give the calling thread a lower priority, 1 to 19, where threads have one (Linux).

    Threads that it starts inherit it.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def lower_process() -> None:
    """This process runs when nothing else wants to; on Linux whatever wakes up takes its place."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_LOWEST)


def call_lowered(niceness: int, function: Callable[[], T]) -> T:
    """Call a function in a thread of a lower priority, which what it starts inherits."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        lower_thread(niceness)
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
