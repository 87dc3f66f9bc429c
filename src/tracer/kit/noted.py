"""Single values that the server remembers, in the table `facts`: text by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.storage.meta import Reader, Tx


def load(reader: Reader, name: str) -> str | None:
    """The value, or None when there is none."""
    text: str | None = reader.value("SELECT value FROM facts WHERE name = :name", name=name)
    return text


def note(tx: Tx, name: str, value: str) -> None:
    """Set it. Of no interest to the audit log: what it is about is recorded by who changes it."""
    tx.execute(
        """
        INSERT INTO facts (name, value)
        VALUES (:name, :value)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """,
        name=name,
        value=value,
    )
