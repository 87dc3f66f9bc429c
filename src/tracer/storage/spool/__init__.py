"""Accepted requests on disk until digest has turned them into rows, and dead letters."""

from tracer.storage.spool.burial import Bounds, Burial, Letters
from tracer.storage.spool.frames import Frame, NewFrame
from tracer.storage.spool.letters import DeadLetter, LetterReader
from tracer.storage.spool.pressure import LEVELS, Capacity, Load
from tracer.storage.spool.spool import Spool

__all__ = [
    "LEVELS",
    "Bounds",
    "Burial",
    "Capacity",
    "DeadLetter",
    "Frame",
    "LetterReader",
    "Letters",
    "Load",
    "NewFrame",
    "Spool",
]
