"""The composition root: the only place where stores are opened and packages are put together."""

from __future__ import annotations

from tracer.app.assembly import Application, build
from tracer.app.founding import Founded, greet
from tracer.app.local import known_url, look, run

__all__ = ["Application", "Founded", "build", "greet", "known_url", "look", "run"]
