from __future__ import annotations

import pytest

from tracer import clock
from tracer.accounts import throttle as limits
from tracer.accounts.throttle import Throttle
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
    assert len(throttle._failures) <= 100
