"""What tests of the audit log do again and again: write an entry, read the log."""

from __future__ import annotations

from typing import Any

from harness import Running
from tracer.kit import audit

PAGE = "/settings/audit/"


def log_of(tracer: Running) -> str:
    """The path of the API."""
    return f"/api/0/organizations/{tracer.org.slug}/audit-logs/"


def rows(tracer: Running, path: str) -> list[dict[str, Any]]:
    answer = tracer.api(path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def write(tracer: Running, action: str, name: str = "", **values: Any) -> None:
    """An entry as some action would leave it."""
    acting = audit.Acting(
        "user",
        1,
        values.pop("actor", "ada@example.com"),
        None,
        "10.1.2.3",
        "Firefox",
        tracer.org.id,
    )
    with audit.acting(acting), tracer.meta.write() as tx:
        audit.record(tx, action, action.partition(".")[0], 7, name=name, **values)
