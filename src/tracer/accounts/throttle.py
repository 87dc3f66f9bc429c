"""Slows down guessing, in memory: by account and address together, by address, and by account.

Nobody can lock another out: a browser that logged in before counts by itself only, an address that
was logged in from is free of what others do to the account, and a wait never grows by waiting.
"""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass
from typing import NamedTuple

from tracer import clock
from tracer.errors import RateLimited

FORGET_S = 3600.0
KEPT = 20_000

FREE_PAIR = 4
FREE_ADDRESS = 20
FREE_ACCOUNT = 30
DELAY_MAX_S = 900.0
ADDRESS_DELAY_MAX_S = 60.0
ACCOUNT_DELAY_MAX_S = 60.0


class Who(NamedTuple):
    """Who tries. `browser` names a browser that logged in to this account before, "" any other;
    `is_near`: the account was logged in to from this address lately."""

    account: str
    address: str
    browser: str = ""
    is_near: bool = False


class _Key(NamedTuple):
    kind: str
    account: str
    place: str


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


#: By kind of key: how many tries are free, and the longest wait after each more.
_RULES = {
    "browser": (FREE_PAIR, DELAY_MAX_S),
    "pair": (FREE_PAIR, DELAY_MAX_S),
    "address": (FREE_ADDRESS, ADDRESS_DELAY_MAX_S),
    "account": (FREE_ACCOUNT, ACCOUNT_DELAY_MAX_S),
}


class Throttle:
    """Counts failed tries. After the free ones each doubles the wait: 1, 2, 4, … seconds."""

    def __init__(self) -> None:
        self._failures: dict[str, dict[_Key, _Failures]] = {kind: {} for kind in _RULES}
        self._lock = threading.Lock()

    def begin(self, who: Who) -> None:
        """Counts a try as failed until `passed` or `cancelled` says otherwise, so that many at
        once are no way around. Raises RateLimited with the seconds left to wait; a try that was
        refused counts for nothing."""
        with self._lock:
            self._refuse(_keys(who))
            self._count(_keys(who))

    def check(self, account: str, address: str) -> None:
        """Raises RateLimited with the seconds left while this account or address must wait."""
        with self._lock:
            self._refuse(_keys(Who(account, address, is_near=True)))

    def failed(self, account: str, address: str) -> None:
        """Counts one failure that `begin` did not."""
        with self._lock:
            self._count(_keys(Who(account, address, is_near=True)))

    def succeeded(self, account: str, address: str) -> None:
        """Forgets the failures of this account from this address."""
        with self._lock:
            self._failures["pair"].pop(_keys(Who(account, address))[0], None)

    def passed(self, who: Who) -> None:
        """The try that `begin` counted was right: it and the failures before it are forgotten."""
        with self._lock:
            keys = _keys(who)
            self._take_back(keys)
            self._failures[keys[0].kind].pop(keys[0], None)

    def cancelled(self, who: Who) -> None:
        """Takes a try back that came to nothing."""
        with self._lock:
            self._take_back(_keys(who))

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            for kept in self._failures.values():
                kept.clear()

    def _refuse(self, keys: tuple[_Key, ...]) -> None:
        wait_s = max(self._wait_s(key) for key in keys)
        if wait_s > 0:
            seconds = max(1, round(wait_s + 0.5))
            unit = "second" if seconds == 1 else "seconds"
            raise RateLimited(
                f"Too many failed tries. Wait {seconds} {unit} and try again.",
                retry_after_s=seconds,
            )

    def _count(self, keys: tuple[_Key, ...]) -> None:
        now_s = clock.now_s()
        for key in keys:
            kept = self._failures[key.kind]
            known = kept.pop(key, None)
            count = known.count if known and now_s - known.last_s < FORGET_S else 0
            kept[key] = _Failures(count + 1, now_s)
            while len(kept) > KEPT:
                del kept[next(iter(kept))]

    def _take_back(self, keys: tuple[_Key, ...]) -> None:
        for key in keys:
            known = self._failures[key.kind].get(key)
            if known is not None and known.count > 0:
                known.count -= 1

    def _wait_s(self, key: _Key) -> float:
        known = self._failures[key.kind].get(key)
        if known is None:
            return 0.0
        free, longest_s = _RULES[key.kind]
        over = known.count - free
        if over < 0:
            return 0.0
        delay_s = min(longest_s, 2.0 ** min(over, 20))
        return known.last_s + delay_s - clock.now_s()


#: What passwords are guessed by: at the login, and wherever the current one is asked for.
guesses = Throttle()


def same_place(one: str, other: str) -> bool:
    """Whether two addresses count as the same one."""
    return bool(one) and _block(one) == _block(other)


def _keys(who: Who) -> tuple[_Key, ...]:
    """What a try counts for; the first is the narrowest."""
    account = who.account.strip().lower()[:254] or "-"
    if who.browser:
        return (_Key("browser", account, who.browser),)
    block = _block(who.address)
    narrow = (_Key("pair", account, block), _Key("address", "", block))
    return narrow if who.is_near else (*narrow, _Key("account", account, ""))


def _block(address: str) -> str:
    """An address as it counts: one IPv6 customer holds a whole /64."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)
