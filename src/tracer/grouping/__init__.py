"""Event -> which issue it belongs to and why. Pure: no I/O, no clock."""

from __future__ import annotations

from tracer.grouping.group import group
from tracer.grouping.model import VERSION, Grouping
from tracer.grouping.parameterize import parameterize

__all__ = ["VERSION", "Grouping", "group", "parameterize"]
