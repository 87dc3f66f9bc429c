"""tracer: self-hosted error tracking in one process."""

__version__ = "0.1.0"
