"""Brings a SQLite file to this program's schema: numbered .sql files, forward only."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import apsw

from tracer.errors import Invalid


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


def migrations(folder: Traversable | Path | None = None) -> list[Migration]:
    """The migrations in a folder (default: those of meta.db), by number; 1, 2, 3 without a gap."""
    folder = folder or resources.files("tracer.storage") / "migrations"
    found = [
        Migration(int(file.name[:4]), file.name, file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1..{len(found)}: {folder}")
    return found


def migrate(connection: apsw.Connection, path: Path, steps: list[Migration]) -> int:
    """Apply what is missing, each step in a transaction of its own; return how many were applied.

    Call it before foreign keys are switched on (a step may rebuild a table); they are checked here.
    Raises Invalid when the file was written by a newer program.
    """
    version = connection.pragma("user_version")
    newest = len(steps)
    if version > newest:
        raise Invalid(
            f"{path} was written by a newer tracer (schema {version}, this one knows {newest}): "
            "update tracer, or restore a backup made by this version"
        )
    for step in steps[version:]:
        with connection:
            connection.execute(step.sql)
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise Invalid(f"{path}: {step.name} would break {len(broken)} references")
            connection.execute(f"PRAGMA user_version = {step.number}")
    return newest - int(version)
