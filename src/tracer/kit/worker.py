"""The thread that runs background work: due tasks of the queue, and what is on the schedule.

At least once: a task whose server died is run again when its lease ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tracer import clock
from tracer.errors import Invalid, NotFound, Problem
from tracer.kit import audit, tasks
from tracer.kit.redact import redact
from tracer.kit.tasks import Every, Task

if TYPE_CHECKING:
    from tracer.kit.context import Tracer

log = logging.getLogger("tracer.worker")

LEASE_MS = 10 * 60_000
LOOK_S = 1.0


class Worker:
    """One thread. `wake` it after a commit that enqueued something."""

    def __init__(
        self, declared: Mapping[str, Callable[..., None]], schedule: Sequence[Every] = ()
    ) -> None:
        self._declared = dict(declared)
        self._schedule = tuple(schedule)
        self._due_s: list[float] = []
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        #: What the thread does now and since when (monotonic seconds).
        self.running: tuple[str, float] | None = None

    def start(self, tracer: Tracer) -> None:
        """Begin; the first scheduled runs come one period later."""
        self._due_s = [time.monotonic() + every.seconds for every in self._schedule]
        self._thread = threading.Thread(
            target=self._loop, args=(tracer,), name="worker", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def stop(self, timeout_s: float) -> bool:
        """Finish the task at hand; False when it took longer and will be run again."""
        self._is_stopping = True
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def run_due(self, tracer: Tracer) -> int:
        """Run every task that is due now, in the calling thread; how many were run."""
        count = 0
        while not self._is_stopping and self._run_next(tracer):
            count += 1
        return count

    def _loop(self, tracer: Tracer) -> None:
        while not self._is_stopping:
            try:
                self.run_due(tracer)
                self._run_schedule(tracer)
                wait_s = self._wait_s(tracer)
            except Exception:
                log.exception("the worker could not look at its queue")
                wait_s = LOOK_S
            self._wake.wait(wait_s)
            self._wake.clear()

    def _wait_s(self, tracer: Tracer) -> float:
        waits = [LOOK_S, *(due - time.monotonic() for due in self._due_s)]
        due_at = tasks.next_due_at(tracer.meta.read())
        if due_at is not None:
            waits.append((due_at - clock.now_ms()) / 1000)
        return max(min(waits), 0.0)

    def _run_schedule(self, tracer: Tracer) -> None:
        for index, every in enumerate(self._schedule):
            if self._is_stopping or time.monotonic() < self._due_s[index]:
                continue
            self.running = (every.function.__name__, time.monotonic())
            try:
                with audit.acting(audit.Acting("task", name=every.function.__name__)):
                    every.function(tracer)
            except Exception:
                log.exception("scheduled %s failed", every.function.__name__)
            finally:
                self.running = None
            self._due_s[index] = time.monotonic() + every.seconds

    def _run_next(self, tracer: Tracer) -> bool:
        if not self._has_due(tracer):
            return False
        with tracer.meta.write(unaudited="task queue") as tx:
            task = tasks.claim(tx, lease_ms=LEASE_MS)
        if task is None:
            return False
        error, may_pass = self._run(tracer, task)
        with tracer.meta.write(unaudited="task queue") as tx:
            if error is None:
                tasks.finish(tx, task)
            else:
                tasks.fail(tx, task, error, may_pass=may_pass)
        return True

    def _has_due(self, tracer: Tracer) -> bool:
        due_at = tasks.next_due_at(tracer.meta.read())
        return due_at is not None and due_at <= clock.now_ms()

    def _run(self, tracer: Tracer, task: Task) -> tuple[str | None, bool]:
        """What went wrong (None: nothing), and whether another try may help."""
        function = self._declared.get(task.name)
        if function is None:
            return f"no package declares the task {task.name!r}", False
        self.running = (task.name, time.monotonic())
        try:
            with audit.acting(audit.Acting("task", name=task.name)):
                function(tracer, **msgspec.json.decode(task.arguments))
        except NotFound:
            log.info("task %s %s: its object is gone", task.id, task.name)
        except Invalid as error:
            return error.detail, False
        except Problem as error:
            return error.detail, True
        except Exception as error:
            log.exception("task %s %s failed", task.id, task.name)
            return redact(f"{type(error).__name__}: {error}"), True
        finally:
            self.running = None
        return None, True
