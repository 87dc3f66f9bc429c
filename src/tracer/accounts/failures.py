"""Wrong guesses in the audit log, without letting anybody fill it: gathered in memory, then one
entry for each account and period with how many there were. Nothing is written while they happen,
so that a known account takes no longer than an unknown one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracer import clock
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Tx

#: An account's next entry comes this much later at the earliest.
PERIOD_MS = 10 * 60_000
#: So many entries of single accounts an hour; the rest of the hour is told in one.
ENTRIES_AN_HOUR = 60
ACCOUNTS_KEPT = 1000
ADDRESSES_KEPT = 20

_HOUR_MS = 3_600_000
_MANY = -1
_UNKNOWN = 0


@dataclass(slots=True)
class _Gathered:
    """The failures of one account that no entry tells of yet."""

    email: str
    what: str
    device: str
    first_at: int
    last_at: int = 0
    tries: int = 0
    addresses: dict[str, None] = field(default_factory=dict)


class Failures:
    """What was guessed wrongly. `note` is cheap and never fails; `write` is for the worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathered: dict[int, _Gathered] = {}
        self._written: dict[int, int] = {}
        self._hour = 0
        self._entries = 0

    def note(self, what: str, email: str, address: str, device: str, user_id: int | None) -> None:
        """Remember one failure: `what` was wrong ("password", …), `user_id` None for an account
        that does not exist (what was typed there is not kept)."""
        now_ms = clock.now_ms()
        with self._lock:
            key = _UNKNOWN if user_id is None else user_id
            if key not in self._gathered and len(self._gathered) >= ACCOUNTS_KEPT:
                key = _MANY
            entry = self._gathered.get(key)
            if entry is None:
                shown = email if key > 0 else ""
                entry = self._gathered[key] = _Gathered(shown, what, device, now_ms)
            entry.tries += 1
            entry.last_at = now_ms
            if len(entry.addresses) < ADDRESSES_KEPT:
                entry.addresses[address] = None

    def write(self, meta: Meta) -> int:
        """Write down what is due; how many entries that were."""
        due = self._due(clock.now_ms())
        if due:
            with meta.write() as tx:
                for user_id, entry in due:
                    _record(tx, user_id, entry)
        return len(due)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._gathered.clear()
            self._written.clear()
            self._entries = 0

    def _due(self, now_ms: int) -> list[tuple[int, _Gathered]]:
        with self._lock:
            if now_ms // _HOUR_MS != self._hour:
                self._hour, self._entries = now_ms // _HOUR_MS, 0
            self._written = {
                key: at for key, at in self._written.items() if now_ms - at < PERIOD_MS
            }
            due = []
            waiting = [key for key in self._gathered if key not in self._written]
            # Accounts before what is told of many, the most tried first.
            waiting.sort(key=lambda key: (key > 0, self._gathered[key].tries), reverse=True)
            for key in waiting:
                if key > 0 and self._entries >= ENTRIES_AN_HOUR:
                    self._add_to_many(self._gathered.pop(key))
                    continue
                due.append((key, self._gathered.pop(key)))
                self._written[key] = now_ms
                self._entries += key > 0
            return due

    def _add_to_many(self, entry: _Gathered) -> None:
        many = self._gathered.get(_MANY)
        if many is None:
            entry.email = ""
            self._gathered[_MANY] = entry
            return
        many.tries += entry.tries
        many.first_at = min(many.first_at, entry.first_at)
        many.last_at = max(many.last_at, entry.last_at)
        for address in entry.addresses:
            if len(many.addresses) < ADDRESSES_KEPT:
                many.addresses[address] = None


#: Of the whole process.
failures = Failures()


def _record(tx: Tx, key: int, entry: _Gathered) -> None:
    """One entry, as of somebody who is not logged in."""
    addresses = list(entry.addresses)
    account = tx.row(
        """
        SELECT u.id, m.organization_id
        FROM users u
        LEFT JOIN members m ON m.user_id = u.id
        WHERE u.id = :id
        ORDER BY m.created_at
        LIMIT 1
        """,
        id=key,
    )
    user_id, organization_id = account or (None, None)
    who = audit.Acting(
        "anonymous",
        address=addresses[0] if len(addresses) == 1 else "",
        device=entry.device if entry.tries == 1 else "",
    )
    with audit.acting(who):
        audit.record(
            tx,
            "login.fail",
            "user",
            "" if user_id is None else user_id,
            name=entry.email or ("many accounts" if key == _MANY else "unknown accounts"),
            organization_id=organization_id,
            after={
                "wrong": entry.what,
                "tries": entry.tries,
                "first_at": entry.first_at,
                "last_at": entry.last_at,
                "addresses": addresses,
            },
        )
