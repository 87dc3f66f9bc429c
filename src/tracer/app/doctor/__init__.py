"""`tracer doctor`: checks of everything a data folder holds, and repairs where they are safe.

Checks only read: past the running server where they can, through its control socket in bounded
steps where they cannot (the event store). Repairs are commands, recorded in the audit log.
"""

from tracer.app.doctor.examine import CHECKS, Report, examine

__all__ = ["CHECKS", "Report", "examine"]
