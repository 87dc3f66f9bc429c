from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tracer import clock
from tracer.accounts import throttle as limits
from tracer.accounts.throttle import Throttle, Who, same_place
from tracer.errors import RateLimited


class Now:
    def __init__(self) -> None:
        self.s = 1_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    moment = Now()
    clock.set_clock(moment)
    return moment


def fail(
    throttle: Throttle, times: int, account: str = "ada@example.com", at: str = "1.2.3.4"
) -> None:
    for _ in range(times):
        throttle.failed(account, at)


def waiting_s(throttle: Throttle, account: str = "ada@example.com", at: str = "1.2.3.4") -> int:
    try:
        throttle.check(account, at)
    except RateLimited as error:
        return error.retry_after_s or 0
    return 0


def test_first_failures_cost_no_wait(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, limits.FREE_PAIR - 1)
    assert waiting_s(throttle) == 0


def test_wait_grows_with_each_failure_and_ends(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, limits.FREE_PAIR)
    waits = []
    for _ in range(6):
        waits.append(waiting_s(throttle))
        now.s += waits[-1] + 1
        assert waiting_s(throttle) == 0
        fail(throttle, 1)
    assert waits == sorted(waits)
    assert waits[0] <= 2
    assert waits[-1] >= 30


def test_wait_never_grows_past_its_bound(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, 200)
    assert waiting_s(throttle) <= limits.DELAY_MAX_S + 1


def test_other_address_is_not_locked_out_of_the_account(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, 100)
    assert waiting_s(throttle) > 0
    assert waiting_s(throttle, at="5.6.7.8") == 0


def test_account_is_the_same_in_upper_case(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, 10, account="ada@example.com")
    assert waiting_s(throttle, account=" ADA@Example.com") > 0


def test_one_address_that_tries_many_accounts_must_wait(now: Now) -> None:
    throttle = Throttle()
    for number in range(limits.FREE_ADDRESS + 2):
        throttle.failed(f"user{number}@example.com", "1.2.3.4")
    assert 0 < waiting_s(throttle, account="new@example.com") <= limits.ADDRESS_DELAY_MAX_S + 1


def test_neighbours_in_an_ipv6_network_count_as_one_address(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, 20, at="2001:db8::1")
    assert waiting_s(throttle, at="2001:db8::ffff") > 0
    assert waiting_s(throttle, at="2001:db8:0:1::1") == 0


def test_success_forgets_the_account_at_this_address(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, limits.FREE_PAIR + 3)
    throttle.succeeded("ada@example.com", "1.2.3.4")
    assert waiting_s(throttle) == 0


def test_failures_are_forgotten_after_an_hour(now: Now) -> None:
    throttle = Throttle()
    fail(throttle, 3)
    now.s += limits.FORGET_S + 1
    fail(throttle, 2)
    assert waiting_s(throttle) == 0


def test_memory_is_bounded(now: Now, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT", 100)
    throttle = Throttle()
    for number in range(1000):
        throttle.failed(f"user{number}@example.com", f"10.0.{number // 250}.{number % 250}")
    assert all(len(kept) <= 100 for kept in throttle._failures.values())


# Tries that are counted before they are made --------------------------------------------------


def begin(throttle: Throttle, who: Who) -> int:
    """0 when the try may be made, else the seconds to wait."""
    try:
        throttle.begin(who)
    except RateLimited as error:
        return error.retry_after_s or 1
    return 0


def test_many_tries_at_once_are_no_way_around(now: Now) -> None:
    throttle = Throttle()
    who = Who("ada@example.com", "1.2.3.4")
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: begin(throttle, who), range(64)))
    assert waits.count(0) == limits.FREE_PAIR


def test_right_password_takes_its_try_back_everywhere(now: Now) -> None:
    throttle = Throttle()
    for number in range(limits.FREE_ADDRESS + limits.FREE_ACCOUNT + 20):
        who = Who(f"user{number % 7}@example.com", "1.2.3.4")
        assert begin(throttle, who) == 0
        throttle.passed(who)


def test_try_that_came_to_nothing_does_not_count(now: Now) -> None:
    throttle = Throttle()
    who = Who("ada@example.com", "1.2.3.4")
    for _ in range(50):
        assert begin(throttle, who) == 0
        throttle.cancelled(who)


def guess_from_everywhere(throttle: Throttle, now: Now, seconds: int) -> int:
    """Somebody with any number of addresses tries as often as possible; how many were let in."""
    let_in = 0
    for second in range(seconds):
        now.s += 1
        for number in range(20):
            address = f"10.{second % 250}.{second // 250}.{number}"
            let_in += begin(throttle, Who("ada@example.com", address)) == 0
    return let_in


def test_guessing_from_many_addresses_is_slow_too(now: Now) -> None:
    throttle = Throttle()
    let_in = guess_from_everywhere(throttle, now, 1800)
    assert limits.FREE_ACCOUNT <= let_in <= limits.FREE_ACCOUNT + 40


def test_nobody_can_lock_the_owner_out(now: Now) -> None:
    throttle = Throttle()
    guess_from_everywhere(throttle, now, 600)
    account = "ada@example.com"
    assert begin(throttle, Who(account, "9.9.9.9")) > 0, "a stranger has to wait"
    assert begin(throttle, Who(account, "9.9.9.9", browser="hers")) == 0
    assert begin(throttle, Who(account, "5.6.7.8", is_near=True)) == 0
    for number in range(200):
        begin(throttle, Who(f"user{number}@example.com", "1.2.3.4"))
        begin(throttle, Who(account, "1.2.3.4"))
    assert begin(throttle, Who(account, "1.2.3.4", browser="hers")) == 0, "behind the same address"


def test_stranger_never_waits_long_for_what_others_did(now: Now) -> None:
    throttle = Throttle()
    guess_from_everywhere(throttle, now, 600)
    wait_s = begin(throttle, Who("ada@example.com", "9.9.9.9"))
    assert 0 < wait_s <= limits.ACCOUNT_DELAY_MAX_S + 1
    now.s += wait_s
    assert begin(throttle, Who("ada@example.com", "9.9.9.9")) == 0


def test_waiting_tries_do_not_make_the_wait_longer(now: Now) -> None:
    throttle = Throttle()
    who = Who("ada@example.com", "1.2.3.4")
    for _ in range(limits.FREE_PAIR):
        begin(throttle, who)
    waits = [begin(throttle, who) for _ in range(50)]
    assert set(waits) == {waits[0]}


def test_known_browser_is_slowed_down_by_its_own_failures(now: Now) -> None:
    throttle = Throttle()
    who = Who("ada@example.com", "1.2.3.4", browser="hers")
    waits = [begin(throttle, who) for _ in range(limits.FREE_PAIR + 1)]
    assert waits[-1] > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::9", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "", False),
    ],
)
def test_same_place_is_the_same_address_or_ipv6_network(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) is same
