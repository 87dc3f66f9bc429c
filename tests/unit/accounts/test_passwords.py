from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from pathlib import Path

import pytest

from tracer.accounts import known_passwords, passwords
from tracer.errors import Invalid, Unavailable


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


def test_only_two_are_hashed_at_a_time_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_S", 0.05)
    places = passwords._Places(2, 1)
    release = threading.Event()
    inside = threading.Barrier(3)

    def hold() -> None:
        with places.one():
            inside.wait(5)
            release.wait(5)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    with pytest.raises(Unavailable) as caught, places.one():
        pass
    assert caught.value.retry_after_s
    monkeypatch.setattr(passwords, "WAIT_S", 5.0)
    waiting = threading.Thread(target=lambda: places.one().__enter__())
    waiting.start()
    time.sleep(0.1)
    began = time.monotonic()
    with pytest.raises(Unavailable), places.one():
        pass
    assert time.monotonic() - began < 1.0, "one more than may wait is turned away at once"
    release.set()
    for thread in [*threads, waiting]:
        thread.join()


def test_known_browser_does_not_wait_for_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = passwords.hash_password("correct horse")
    full = passwords._Places(1, 0)
    monkeypatch.setattr(passwords, "_places", full)
    with full.one():
        with pytest.raises(Unavailable):
            passwords.verify_password(stored, "correct horse")
        assert passwords.verify_password(stored, "correct horse", known=True)


@pytest.mark.parametrize(
    "text",
    [
        "password",
        "Password1!",
        "P4$$w0rd!!",
        "qwertyuiop",
        "iloveyou",
        "Sunshine2024",
        "Dragon-1",
        "hunter2hunter2",
        "trustno1!!",
        "  Letmein123 ",
        "ｐａｓｓｗｏｒｄ",
    ],
)
def test_common_password_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="first that are guessed"):
        passwords.new_password(text)


@pytest.mark.parametrize("text", ["aaaaaaaaaaaa", "12121212", "abcdabcdabcd", "        "])
def test_password_of_few_characters_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"different characters|first that are guessed"):
        passwords.new_password(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my Tracer opens", "tracer"),
        ("ada.lovelace@example.com", "ada.lovelace@example.com"),
        ("ADA.LOVELACE!!", "ada.lovelace"),
        ("xx-Lovelace-xx", "lovelace"),
        ("example quay 7", "example"),
        ("only Acme Corp!", "acme corp"),
    ],
)
def test_password_with_a_name_in_it_is_refused(text: str, name: str) -> None:
    with pytest.raises(Invalid, match=f"“{re.escape(name)}”"):
        passwords.new_password(text, "ada.lovelace@example.com", "Acme Corp", "")


@pytest.mark.parametrize(
    "text",
    ["correct horse battery", "zK8#mm29xQ", "battery staple", "été à la plage", "🦔🐝🌲🍄🪨🪵🫖🧵"],
)
def test_password_that_is_hard_to_guess_is_taken(text: str) -> None:
    assert passwords.new_password(text, "ada@acme.example", "Shop", "it") == text


def test_short_or_long_password_is_refused_first() -> None:
    with pytest.raises(Invalid, match="at least 8"):
        passwords.new_password("secret")
    with pytest.raises(Invalid, match="at most 1024"):
        passwords.new_password("ab cd ef " * 200)


def test_list_is_the_one_that_the_notice_names() -> None:
    content = known_passwords.FILE.read_bytes()
    notice = (Path(__file__).parents[3] / "NOTICE").read_text()
    assert f"sha256 {hashlib.sha256(content).hexdigest()}" in notice
    digests = [content[at : at + 4] for at in range(0, len(content), known_passwords.WIDTH)]
    assert digests == sorted(set(digests))
    assert 10_000 < len(digests) < 100_000
    assert len(content) < 300_000


def test_good_password_is_hardly_ever_taken_for_a_common_one() -> None:
    numbers = random.Random(7)
    signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    made = ("".join(numbers.choices(signs, k=12)) for _ in range(20_000))
    assert sum(map(known_passwords.is_known, made)) <= 8


def test_hash_of_nobody_costs_what_others_cost() -> None:
    made = passwords._nobody()
    assert not passwords.is_outdated(made)
    assert len(made) == len(passwords.hash_password("correct horse"))
    assert made != passwords._nobody()
