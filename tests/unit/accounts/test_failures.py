"""Wrong guesses in the audit log: told, and never so many that they fill it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracer import clock
from tracer.accounts import actions
from tracer.accounts import failures as limits
from tracer.accounts.failures import Failures
from tracer.storage.meta import Meta


class Now:
    def __init__(self) -> None:
        self.s = 1_000_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    moment = Now()
    clock.set_clock(moment)
    return moment


@pytest.fixture
def meta(tmp_path: Path, now: Now) -> Iterator[Meta]:
    store = Meta(tmp_path / "meta.db")
    with store.write() as tx:
        home = actions.create_organization(tx, "acme", "Acme")
        for number in range(1, 101):
            user_id = actions.create_user(tx, f"user{number}@example.com", None)
            actions.add_member(tx, home, user_id, "member")
    yield store
    store.close()


def entries(meta: Meta) -> list[dict[str, Any]]:
    return [
        {"object": name, "organization_id": home, "address": address, **json.loads(after)}
        for name, home, address, after in meta.read().rows(
            "SELECT object, organization_id, address, after FROM audit "
            "WHERE action = 'login.fail' ORDER BY id"
        )
    ]


def guess(failures: Failures, user_id: int | None = 1, address: str = "1.2.3.4") -> None:
    email = f"user{user_id}@example.com" if user_id else "my-secret-password"
    failures.note("password", email, address, "Firefox", user_id)


def test_failure_is_told_with_account_address_and_organization(meta: Meta, now: Now) -> None:
    failures = Failures()
    guess(failures)
    assert failures.write(meta) == 1
    (entry,) = entries(meta)
    assert entry["object"] == "user1@example.com"
    assert entry["organization_id"] == 1
    assert entry["address"] == "1.2.3.4"
    assert (entry["wrong"], entry["tries"]) == ("password", 1)


def test_many_failures_are_one_entry_each_period(meta: Meta, now: Now) -> None:
    failures = Failures()
    for number in range(1000):
        guess(failures, address=f"10.0.{number // 250}.{number % 250}")
        failures.write(meta)
    now.s += limits.PERIOD_MS / 1000
    failures.write(meta)
    told = entries(meta)
    assert [entry["tries"] for entry in told] == [1, 999]
    assert len(told[1]["addresses"]) == limits.ADDRESSES_KEPT


def test_what_was_typed_for_an_unknown_account_is_not_kept(meta: Meta, now: Now) -> None:
    failures = Failures()
    for _ in range(7):
        guess(failures, None)
    failures.write(meta)
    (entry,) = entries(meta)
    assert (entry["object"], entry["tries"]) == ("unknown accounts", 7)
    assert "my-secret-password" not in json.dumps(entries(meta))


def test_outsider_cannot_fill_the_log(meta: Meta, now: Now) -> None:
    failures = Failures()
    for _ in range(60):
        now.s += 60
        for user_id in range(1, 101):
            guess(failures, user_id)
        guess(failures, None)
        failures.write(meta)
    assert len(entries(meta)) <= 2 * (limits.ENTRIES_AN_HOUR + 7)
    now.s += 3600
    failures.write(meta)
    assert sum(entry["tries"] for entry in entries(meta)) > 5000, "all are told in the end"


def test_memory_is_bounded(now: Now) -> None:
    failures = Failures()
    for user_id in range(1, 5000):
        guess(failures, user_id)
    assert len(failures._gathered) <= limits.ACCOUNTS_KEPT + 1
