from __future__ import annotations

import threading
import time

import pytest

from tracer.accounts import passwords
from tracer.errors import Unavailable


def test_password_fits_its_hash_and_no_other() -> None:
    stored = passwords.hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert passwords.verify_password(stored, "correct horse")
    assert not passwords.verify_password(stored, "correct horsf")
    assert not passwords.is_outdated(stored)


def test_no_password_fits_an_unknown_account() -> None:
    assert not passwords.verify_password(None, "no account has this password")


def test_broken_hash_fits_nothing() -> None:
    assert not passwords.verify_password("$argon2id$broken", "whatever")


def test_unknown_account_costs_as_much_as_a_wrong_password() -> None:
    stored = passwords.hash_password("correct horse")
    passwords.verify_password(None, "warm")

    def cost_s(stored_hash: str | None) -> float:
        times = []
        for _ in range(3):
            began = time.thread_time()
            passwords.verify_password(stored_hash, "wrong horse")
            times.append(time.thread_time() - began)
        return min(times)

    known, unknown = cost_s(stored), cost_s(None)
    assert 0.5 < unknown / known < 2.0


def test_only_two_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_S", 0.05)
    release = threading.Event()
    inside = threading.Barrier(3)

    def hold() -> None:
        with passwords._place():
            inside.wait(5)
            release.wait(5)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    with pytest.raises(Unavailable) as caught:
        passwords.hash_password("correct horse")
    assert caught.value.retry_after_s
    release.set()
    for thread in threads:
        thread.join()
    assert passwords.hash_password("correct horse")
