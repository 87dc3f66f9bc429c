"""Accepted requests on disk until digest has turned them into rows, and dead letters."""

from tracer.storage.spool.frames import DeadLetter, Frame, NewFrame
from tracer.storage.spool.spool import Spool

__all__ = ["DeadLetter", "Frame", "NewFrame", "Spool"]
