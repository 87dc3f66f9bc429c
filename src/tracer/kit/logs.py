"""Logging to stderr: lines for people, or one JSON object a line for machines.

Each line names the request and trace it was written for. Messages and tracebacks are redacted: no
key, token or password is ever in a log.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from types import TracebackType

from tracer.kit import tracing
from tracer.kit.filters import iso
from tracer.kit.redact import redact

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": redact(record.getMessage()),
        }
        trace = tracing.current()
        if trace is not None:
            entry["request_id"] = trace.request_id
            entry["trace_id"] = trace.trace_id
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, default=str)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        trace = tracing.current()
        text = redact(super().format(record))
        if trace is None:
            return text
        first, newline, rest = text.partition("\n")
        return f"{first} [{trace.request_id}]{newline}{rest}"


def configure(level: str, style: str) -> None:
    """Log to stderr from `level` up, as `console` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if style == "json" else _TextFormatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    sys.excepthook = _tell
    threading.excepthook = _tell_thread
    logging.getLogger("asyncio").setLevel("WARNING" if level != "debug" else "DEBUG")


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception that ends the process, as Python shows it but redacted."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _tell_thread(args: threading.ExceptHookArgs) -> None:
    """An exception that ends a thread."""
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "?"
    logging.getLogger("tracer").critical(
        "the thread %s ended", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
