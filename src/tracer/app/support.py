"""The support bundle: what helps to find a fault, without anything that people or programs sent.

Numbers are kept and texts only where they are tracer's own. Never locks or changes a store.
"""

from __future__ import annotations

import platform
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.app import migrations, status
from tracer.errors import Problem
from tracer.kit.redact import HIDDEN, redact
from tracer.kit.status import versions
from tracer.settings import Source, shown
from tracer.storage import snapshots
from tracer.storage.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracer.settings import Settings

LOG_LINES = 500
_OWN_TEXTS = frozenset({"code", "state", "version", "reason"})
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,255}")
_HEX = re.compile(r"\b[0-9a-fA-F]{16,}\b")
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){4,7}\b")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}(?:\.(?:db|duckdb)(?:[-.](?:wal|shm))?)?")


def gather(settings: Settings, sources: Sequence[Source], log: Path | None) -> dict[str, Any]:
    """The bundle as JSON. `log` is a file whose last lines are put in, scrubbed."""
    return {
        "made_at": clock.now_ms(),
        "versions": versions(),
        "system": {"platform": platform.platform(), "machine": platform.machine()},
        "settings": [
            {"name": one.name, "value": scrub(shown(one.value)), "from": one.source}
            for one in sources
        ],
        "status": _tried(lambda: _numbers(status.find(settings))),
        "schemas": _tried(
            lambda: [
                {name: store[name] for name in ("store", "schema", "known")}
                for store in migrations.status(settings)
            ]
        ),
        "rows": _tried(lambda: _rows(Folder(settings.data))),
        "log": [] if log is None else _last_lines(log),
    }


def scrub(text: str) -> str:
    """Without keys, tokens, passwords, e-mail and network addresses."""
    text = _ADDRESS.sub(HIDDEN, redact(text))
    return _IP.sub(HIDDEN, _HEX.sub(HIDDEN, text))


def _numbers(value: Any, name: str = "") -> Any:
    """Numbers and tracer's own words; other texts, and names that are not of its own, are left
    out."""
    if isinstance(value, dict):
        kept = {key: _numbers(one, key) for key, one in value.items() if _PLAIN_NAME.fullmatch(key)}
        return {key: one for key, one in kept.items() if one not in ({}, [], "")}
    if isinstance(value, list | tuple):
        return [one for one in (_numbers(item, name) for item in value) if one not in ({}, "")]
    if isinstance(value, str):
        return scrub(value) if name in _OWN_TEXTS else ""
    return value


def _rows(folder: Folder) -> dict[str, dict[str, int]]:
    paths = {"meta": folder.meta, "spool": folder.spool}
    return {name: snapshots.rows(path) for name, path in paths.items() if path.exists()}


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("r", encoding="utf-8", errors="replace") as file:
            return scrub("".join(deque(file, LOG_LINES))).splitlines()
    except OSError as error:
        return [f"the log could not be read: {error.strerror}"]


def _tried(find: Any) -> Any:
    """What is found, or why it was not: a bundle is made of a broken server too."""
    try:
        return find()
    except Problem as problem:
        return {"problem": scrub(problem.detail)}
