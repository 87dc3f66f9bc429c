"""Each write that leaves no entry in the audit log is listed here with the reason that it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "tracer"

#: Bookkeeping that nobody asked for in person, by module.
BOOKKEEPING = {
    ("accounts/factors/flow.py", "a challenge was answered"),
    ("accounts/factors/flow.py", "a challenge was asked"),
    ("accounts/factors/flow.py", "a login that is not one yet"),
    ("accounts/factors/flow.py", "last use"),
    ("accounts/factors/flow.py", "the counter of a passkey"),
    ("accounts/factors/tasks.py", "expiry"),
    ("accounts/pages/factors.py", "a challenge was asked"),
    ("accounts/pages/login.py", "the same password, hashed at today's costs"),
    ("accounts/pages/reset.py", "somebody asked for a mail"),
    ("accounts/pages/second_factor.py", "tries of a login"),
    ("accounts/tasks.py", "a mail about what is in the audit log"),
    ("accounts/tasks.py", "expiry"),
    ("accounts/tokens/tasks.py", "tokens that ended long ago"),
    ("app/backups.py", "a moment that a backup shows"),
    ("app/backups.py", "how the last backup went"),
    ("app/secret_commands.py", "sealing again; the rotation is recorded"),
    ("channels/mail.py", "mail queue"),
    ("features/audit/tasks.py", "removing entries that a retention run let go"),
    ("features/feedback/__init__.py", "messages find their issues"),
    ("features/operations/tasks.py", "free space of the disk"),
    ("features/quotas/tasks.py", "a mail about what a page shows"),
    ("ingest/digest.py", "digest"),
    ("issues/tasks.py", "erasing what a deleted issue left"),
    ("issues/tasks.py", "forgetting ids of old events"),
    ("issues/tasks.py", "forgetting old counts"),
    ("kit/guard.py", "last use"),
    ("kit/worker.py", "task queue"),
    ("projects/tasks.py", "erasing a deleted project"),
}


def reasons(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield from (
                ast.literal_eval(given.value) for given in node.keywords if given.arg == "unaudited"
            )


def test_writes_without_an_entry_are_bookkeeping_with_a_reason() -> None:
    found = {
        (str(path.relative_to(SOURCE)), reason)
        for path in SOURCE.rglob("*.py")
        for reason in reasons(path)
    }
    assert found == BOOKKEEPING


def test_only_the_store_itself_begins_transactions() -> None:
    """Nothing else opens meta.db to write, past the check that a write is recorded."""
    writers = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if "open_writer(" in path.read_text()
    }
    # A rollback folds the log of a stopped file into it before setting the file aside.
    known = {"storage/meta.py", "storage/sqlite.py", "storage/snapshots.py"}
    assert {path for path in writers if not path.startswith("storage/spool/")} == known
