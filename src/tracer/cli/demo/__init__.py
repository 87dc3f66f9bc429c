"""`tracer demo`: two weeks in the life of a web shop, sent through the real endpoint.

The shop's services, people and failures are made up; `code/` has the lines their frames show.
"""

from __future__ import annotations

from tracer.cli.demo.command import command

__all__ = ["command"]
