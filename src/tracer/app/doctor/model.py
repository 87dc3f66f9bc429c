"""What a check is given and what it finds, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.settings import Settings
    from tracer.storage.folder import Folder
    from tracer.storage.meta import Reader

WARNING = "warning"
ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `means` says what follows from it, `fix` what to do, for people;
    `repair` is what `--fix` does: commands of `repairs`, each with its arguments."""

    severity: str
    code: str
    text: str
    means: str
    fix: str
    repair: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Place:
    """A data folder under examination. `ask` runs a command of `repairs` where the stores are open;
    `step` tells whoever watches that a piece of the work is done."""

    settings: Settings
    folder: Folder
    reader: Reader
    is_running: bool
    ask: Callable[..., Any]
    step: Callable[[], None]


Check = Callable[[Place], Iterator[Finding]]


def plural(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
