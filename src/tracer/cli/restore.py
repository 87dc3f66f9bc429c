"""`tracer restore`: see `tracer.cli.backup`."""

from __future__ import annotations

from tracer.cli.backup import restore

command = restore
