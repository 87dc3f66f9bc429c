"""One frame at a time in a process of its own, which may die or hang without harm to this one.

For frames under suspicion: a process died or hung on them before, or they are dead letters.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import msgspec

from tracer.ingest import look as looking
from tracer.ingest import prepare
from tracer.ingest.allowance import Allowance
from tracer.ingest.items import ItemHandler
from tracer.ingest.look import Look
from tracer.ingest.prepare import PreparedFrame
from tracer.protocol.filter_rules import ProjectRules
from tracer.protocol.scrub import ScrubRules
from tracer.storage.spool import Frame

#: A new process imports the program first; on a busy machine that may take long.
START_S = 30.0
KEEP_S = 60.0

DIED = "WorkerDied"
TOOK_TOO_LONG = "TookTooLong"


class Equipment(NamedTuple):
    """What a process needs to prepare frames: see `prepare.start_worker`."""

    handlers: Mapping[str, ItemHandler]
    max_decoded_bytes: int
    dictionaries: Mapping[int, bytes]


class Trial(msgspec.Struct):
    """What became of a frame. When it died or hung, `look` is None or `prepared` a failure."""

    look: Look | None
    prepared: PreparedFrame


class Solo:
    """A process that is started when it is needed. One frame at a time; others wait their turn."""

    def __init__(self, equipment: Equipment, limit_s: float) -> None:
        self._equipment = equipment
        self.limit_s = limit_s
        self._lock = threading.Lock()
        self._used_s = 0.0
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def try_frame(self, frame: Frame, rules: ProjectRules | None) -> Trial:
        """Look at a frame and prepare it, within the time limit for each. `rules` is None when its
        project is gone."""
        return Trial(self.look(frame, rules and rules.scrub), self.prepare(frame, rules))

    def prepare(self, frame: Frame, rules: ProjectRules | None) -> PreparedFrame:
        """As `prepare_frame`; a failure when the process dies or hangs on it."""
        with self._lock:
            prepared = self._run(_prepare, frame, rules)
        if isinstance(prepared, tuple):
            return prepare.failed(frame, *prepared)
        found: PreparedFrame = prepared
        return found

    def look(self, frame: Frame, rules: ScrubRules | None) -> Look | None:
        """The frame to be read; None when it cannot be shown without dying or hanging."""
        with self._lock:
            shown = self._run(_look, frame, rules or ScrubRules())
        return shown if isinstance(shown, Look) else None

    def rest(self) -> None:
        """End the process if nobody has needed it for a while."""
        if self._process is None or time.monotonic() - self._used_s < KEEP_S:
            return
        self.close()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The function's answer, or (reason, detail) when the process died or took too long."""
        pipe = self._open()
        self._used_s = time.monotonic()
        try:
            pipe.send((function, arguments))
            allowance = Allowance(self._pid)
            while not allowance.is_over(self.limit_s):
                if pipe.poll(self.limit_s / 20):
                    return pipe.recv()
        except (EOFError, OSError):
            code = self._end()
            return DIED, f"The process that prepared this frame died ({_how(code)})."
        self._end()
        return TOOK_TOO_LONG, f"It was not prepared within {self.limit_s:g} seconds."

    @property
    def _pid(self) -> int:
        return (self._process.pid if self._process else None) or 0

    def _open(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._end()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, *self._equipment), name="tracer-solo", daemon=True
        )
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_S) or self._pipe.recv() is not True:
            self._end()
            raise RuntimeError("a process for one frame did not start")
        return self._pipe

    def _end(self) -> int | None:
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        if process is None:
            return None
        process.join(0.2)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


# In the process ---------------------------------------------------------------------------------


def _serve(
    pipe: Connection,
    handlers: Mapping[str, ItemHandler],
    max_decoded_bytes: int,
    dictionaries: Mapping[int, bytes],
) -> None:
    # Without posts it gives way to nobody: else it would be found guilty of the others' load.
    prepare.start_worker(handlers, max_decoded_bytes, dictionaries)
    pipe.send(True)
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(function(*arguments))


def _look(frame: Frame, rules: ScrubRules) -> Look:
    return looking.look(frame, rules, prepare.workshop())


def _prepare(frame: Frame, rules: ProjectRules | None) -> PreparedFrame:
    return prepare.prepare_frame(frame, rules, prepare.workshop())
