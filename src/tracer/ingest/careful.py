"""Preparing frames in the digest thread itself, so that no frame can take the server with it.

One that takes too long is interrupted and judged in a process of its own, and so is one on which
the process before this one died. Should the whole interpreter stand still, the process ends itself.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import threading
import time

from tracer.ingest.mark import Mark
from tracer.ingest.prepare import PreparedFrame, Workshop, prepare_frame
from tracer.ingest.solo import Solo
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage.spool import Frame

log = logging.getLogger("tracer.digest")

#: A frame that keeps the interpreter for itself, as native code can, cannot be interrupted. After
#: so many times the limit the process ends, and its next start finds the mark.
STANDSTILL = 12
_STDERR = 2
_ARRIVES_S = 0.01


class TookTooLong(BaseException):
    """Raised inside a frame's preparation; no `except Exception` on its way may catch it."""


class Careful:
    """Used by one thread. `begin` and `end` enclose a chunk of frames."""

    def __init__(self, workshop: Workshop, mark: Mark, solo: Solo) -> None:
        self._workshop = workshop
        self._mark = mark
        self._solo = solo
        self._lock = threading.Lock()
        self._active = threading.Event()
        self._closing = threading.Event()
        self._thread_id = 0
        self._frame = 0
        self._began_s = 0.0
        self._is_fired = False
        self._watch = threading.Thread(target=self._look, name="digest-watch", daemon=True)
        self._watch.start()

    def begin(self) -> None:
        """Frames follow, from the calling thread."""
        self._thread_id = threading.get_ident()
        self._active.set()

    def prepare(self, frame: Frame, rules: ProjectRules | None) -> PreparedFrame:
        """As `prepare_frame`, within the time limit."""
        if self._mark.is_suspect(frame.id):
            log.warning("digest: frame %d is judged apart: tracer ended in it before", frame.id)
            return self._solo.prepare(frame, rules)
        try:
            self._enter(frame.id)
            prepared = prepare_frame(frame, rules, self._workshop)
            self._leave()
        except TookTooLong:
            with self._lock:
                self._frame, self._is_fired = 0, False
            log.warning("digest: frame %d takes too long and is judged apart", frame.id)
            return self._solo.prepare(frame, rules)
        return prepared

    def end(self) -> None:
        """No frames for now."""
        self._active.clear()
        self._mark.clear()

    def rest(self) -> None:
        """Nothing has come for a while."""
        self._solo.rest()

    def close(self) -> None:
        """End the watch and the process for single frames."""
        self._closing.set()
        self._active.set()
        self._watch.join()
        self._solo.close()

    def _enter(self, frame_id: int) -> None:
        self._mark.preparing(frame_id)
        self._began_s = time.monotonic()
        self._frame = frame_id

    def _leave(self) -> None:
        """From here on the frame is not interrupted; what was on its way already arrives here."""
        with self._lock:
            self._frame = 0
            is_fired = self._is_fired
        if is_fired:
            time.sleep(_ARRIVES_S)
            raise TookTooLong

    # On the watch's thread ----------------------------------------------------------------------

    def _look(self) -> None:
        limit_s = self._solo.limit_s
        while True:
            if not self._active.is_set():
                faulthandler.cancel_dump_traceback_later()
                self._active.wait()
            # As long as this thread gets its turns the interpreter does not stand still.
            faulthandler.dump_traceback_later(limit_s * STANDSTILL, file=_STDERR, exit=True)
            if self._closing.wait(min(1.0, limit_s / 5)):
                faulthandler.cancel_dump_traceback_later()
                return
            with self._lock:
                frame, began_s = self._frame, self._began_s
                if not frame or time.monotonic() - began_s < limit_s or self._is_fired:
                    continue
                self._is_fired = True
                thread = ctypes.c_ulong(self._thread_id)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TookTooLong))
