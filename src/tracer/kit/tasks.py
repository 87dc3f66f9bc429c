"""Background work as data: what is declared, and the queue rows that wait, run or have failed.

The queue is a table beside the facts, so a task commits or vanishes with what caused it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.errors import NotFound
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.storage.meta import Reader, Tx

MAX_TRIES = 8


@dataclass(frozen=True, slots=True)
class Every:
    """Periodic work: `function(tracer)`, first `seconds` after the start, then each `seconds`."""

    seconds: float
    function: Callable[[Tracer], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the queue. `arguments` is JSON; times are unix milliseconds."""

    id: int
    name: str
    arguments: str
    status: str
    tries: int
    due_at: int
    error: str | None
    created_at: int


_COLUMNS = "id, name, arguments, status, tries, due_at, error, created_at"


def failed_tasks(reader: Reader, *, limit: int = 100) -> list[Task]:
    """The tasks whose tries are used up, latest first."""
    return reader.load(
        Task,
        f"""
        SELECT {_COLUMNS}
        FROM tasks
        WHERE status = 'failed'
        ORDER BY id DESC
        LIMIT :limit
        """,  # noqa: S608
        limit=limit,
    )


def counts(reader: Reader) -> dict[str, int]:
    """How many tasks there are, by status."""
    found = {"waiting": 0, "running": 0, "failed": 0}
    found.update(reader.rows("SELECT status, count(*) FROM tasks GROUP BY status"))
    return found


def retry(tx: Tx, task_id: int) -> None:
    """Put a failed task back with all its tries; NotFound when it is not there or not failed."""
    name = tx.value("SELECT name FROM tasks WHERE id = :id AND status = 'failed'", id=task_id)
    if name is None:
        raise NotFound("No such failed task.")
    tx.execute(
        "UPDATE tasks SET status = 'waiting', tries = 0, due_at = :now WHERE id = :id",
        id=task_id,
        now=tx.now_ms,
    )
    audit.record(tx, "task.retry", "task", task_id, name=name)


def claim(tx: Tx, *, lease_ms: int) -> Task | None:
    """Lease the next due task to the caller: waiting ones, and running ones whose lease ran out."""
    task = tx.find(
        Task,
        f"""
        SELECT {_COLUMNS}
        FROM tasks
        WHERE status IN ('waiting', 'running') AND due_at <= :now
        ORDER BY due_at
        LIMIT 1
        """,  # noqa: S608
        now=tx.now_ms,
    )
    if task is not None:
        tx.execute(
            """
            UPDATE tasks
            SET status = 'running', tries = tries + 1, due_at = :lease
            WHERE id = :id
            """,
            id=task.id,
            lease=tx.now_ms + lease_ms,
        )
    return task


def finish(tx: Tx, task: Task) -> None:
    """Remove a task that is done."""
    tx.execute("DELETE FROM tasks WHERE id = :id", id=task.id)


def fail(tx: Tx, task: Task, error: str, *, may_pass: bool = True) -> None:
    """Note a failure: wait 2, 4, 8 … seconds (at most an hour), or give up after the last try."""
    tries = task.tries + 1
    given_up = tries >= MAX_TRIES or not may_pass
    tx.execute(
        """
        UPDATE tasks
        SET status = :status, due_at = :due, error = :error
        WHERE id = :id
        """,
        id=task.id,
        status="failed" if given_up else "waiting",
        due=tx.now_ms + min(2**tries, 3600) * 1000,
        error=error[:2000],
    )


def next_due_at(reader: Reader) -> int | None:
    """When the next task is due, in unix milliseconds."""
    due: int | None = reader.value(
        "SELECT MIN(due_at) FROM tasks WHERE status IN ('waiting', 'running')"
    )
    return due
