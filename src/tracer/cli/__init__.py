"""The command `tracer`. Each command is a thin call into another package.

Exit codes: 0 done, 1 refused (the reason is one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

from tracer.cli.group import main

__all__ = ["main"]
