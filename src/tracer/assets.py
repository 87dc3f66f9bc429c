"""Where templates/ and static/ are: inside the wheel, or beside src/ in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_WHEEL = _PACKAGE / "_web"
ROOT = _WHEEL if _WHEEL.is_dir() else _PACKAGE.parents[1]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
