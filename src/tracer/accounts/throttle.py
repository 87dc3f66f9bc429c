"""Slows down guessing of passwords, in memory. Keyed by account and address together, and by
address alone: nobody can lock another address out of an account."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from tracer import clock
from tracer.errors import RateLimited

FREE_PAIR = 4
FREE_ADDRESS = 20
DELAY_MAX_S = 900.0
ADDRESS_DELAY_MAX_S = 60.0
FORGET_S = 3600.0
KEPT = 20_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Throttle:
    """Counts failed tries. After the free ones each doubles the wait: 1, 2, 4, … seconds."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], _Failures] = {}
        self._lock = threading.Lock()

    def check(self, account: str, address: str) -> None:
        """Raises RateLimited with the seconds left while the account or address must wait."""
        wait_s = max(self._wait_s(key) for key in _keys(account, address))
        if wait_s > 0:
            seconds = max(1, round(wait_s + 0.5))
            unit = "second" if seconds == 1 else "seconds"
            raise RateLimited(
                f"Too many failed tries. Wait {seconds} {unit} and try again.",
                retry_after_s=seconds,
            )

    def failed(self, account: str, address: str) -> None:
        """Counts one failure."""
        now_s = clock.now_s()
        with self._lock:
            for key in _keys(account, address):
                known = self._failures.pop(key, None)
                count = known.count if known and now_s - known.last_s < FORGET_S else 0
                self._failures[key] = _Failures(count + 1, now_s)
            while len(self._failures) > KEPT:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, account: str, address: str) -> None:
        """Forgets the failures of this account from this address."""
        with self._lock:
            self._failures.pop(_keys(account, address)[0], None)

    def _wait_s(self, key: tuple[str, str]) -> float:
        known = self._failures.get(key)
        if known is None:
            return 0.0
        free, longest_s = (
            (FREE_PAIR, DELAY_MAX_S) if key[0] else (FREE_ADDRESS, ADDRESS_DELAY_MAX_S)
        )
        over = known.count - free
        if over < 0:
            return 0.0
        delay_s = min(longest_s, 2.0 ** min(over, 20))
        return known.last_s + delay_s - clock.now_s()


def _keys(account: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Account at address, and address alone. One IPv6 customer holds a whole /64."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        block = address
    else:
        block = str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)
    return (account.strip().lower()[:254] or "-", block), ("", block)
