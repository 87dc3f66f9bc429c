"""Whether an account exists cannot be told from how long an answer takes: many answers, compared.

The share of pairs in which the one kind took longer than the other is 0.5 where they cannot be told
apart; with 100 of each it strays by 0.04. Passwords are hashed cheaply here, so that anything else
weighs more than it does in earnest.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher

from harness import Running, forget_guesses
from mail_sink import mailbox
from tracer.accounts import actions, passwords

TIMES = 100
LONG = 0.18
CHEAP = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


def share(one: Callable[[], object], other: Callable[[], object]) -> float:
    """In how many of all pairs `one` took longer than `other`; called by turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(TIMES * 2 + 8):
        forget_guesses()
        began = time.perf_counter()
        (one, other)[number % 2]()
        if number >= 8:
            times[number % 2].append(time.perf_counter() - began)
    sorted_other = sorted(times[1])
    longer = sum(bisect_left(sorted_other, took) for took in times[0])
    return longer / (len(times[0]) * len(times[1]))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", CHEAP)


@pytest.fixture
def ask(tracer: Running, cheap: None) -> Callable[[str, str], Callable[[], object]]:
    with tracer.meta.write() as tx:
        user_id = actions.create_user(tx, "ada@example.com", CHEAP.hash("correct horse battery"))
        actions.add_member(tx, tracer.org.id, user_id, "member")
        half = actions.create_user(tx, "half@example.com", None)
        actions.add_member(tx, tracer.org.id, half, "member")
    headers = {"X-CSRF-Token": tracer.csrf(tracer.visitor)}

    def asker(path: str, email: str) -> Callable[[], object]:
        data = {"email": email, "password": "wrong horse battery"}
        return lambda: tracer.visitor.post(path, data=data, headers=headers)

    return asker


@pytest.mark.parametrize("other", ["nobody@example.com", "half@example.com", "no address at all"])
def test_login_takes_as_long_for_an_account_that_does_not_exist(
    ask: Callable[[str, str], Callable[[], object]], other: str
) -> None:
    found = share(ask("/login", "ada@example.com"), ask("/login", other))
    assert abs(found - 0.5) < LONG, found


def test_measure_would_notice_that_nothing_is_hashed(
    ask: Callable[[str, str], Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = passwords.verify_password

    def hasty(password_hash: str | None, password: str, *, known: bool = False) -> bool:
        return password_hash is not None and verify(password_hash, password, known=known)

    monkeypatch.setattr(passwords, "verify_password", hasty)
    known, unknown = ask("/login", "ada@example.com"), ask("/login", "nobody@example.com")
    assert share(known, unknown) - 0.5 > LONG


def test_asking_for_a_link_takes_as_long_for_an_account_that_does_not_exist(
    tracer: Running, ask: Callable[[str, str], Callable[[], object]]
) -> None:
    with mailbox(tracer):
        found = share(ask("/forgot", "ada@example.com"), ask("/forgot", "nobody@example.com"))
        tracer.run_tasks()
    assert abs(found - 0.5) < LONG, found


def test_asking_to_join_takes_as_long_and_says_the_same_for_an_account_that_exists(
    tracer: Running, ask: Callable[[str, str], Callable[[], object]]
) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE organizations SET join_domains = '[\"example.com\"]'")
    place = f"/join/{tracer.org.slug}"
    with mailbox(tracer) as mails:
        known, unknown = ask(place, "ada@example.com"), ask(place, "nobody@example.com")
        assert text_of(known()) == text_of(unknown())
        found = share(known, unknown)
        mails.clear()
        tracer.run_tasks()
    assert abs(found - 0.5) < LONG, found


def text_of(answer: Any) -> str:
    """A page without what differs each time: the address that was typed, the form's token."""
    assert answer.status_code == 200
    plain = re.sub(r"(ada|nobody)@", "somebody@", answer.text)
    return re.sub(r"[0-9a-f]{16}\.[0-9a-f]{64}", "token", plain)
