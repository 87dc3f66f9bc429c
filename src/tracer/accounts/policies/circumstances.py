"""From where and when people are taken to come while a policy is tried out. Pure.

Here and now, unless the policy has nothing to say then: a policy about the night would seem to
change nothing by day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tracer.kit.policy import Conditions, Hours, Requirements, network, within, zone

if TYPE_CHECKING:
    from tracer.accounts.policies.model import Draft

#: Addresses of documentation (RFC 5737, RFC 3849), which nobody comes from: somewhere else.
ELSEWHERE = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")
WEEK = timedelta(days=7)


class Circumstances(NamedTuple):
    """An address, and a moment in UTC."""

    address: str
    at: datetime


def telling(draft: Draft, here: Circumstances, allowed: Sequence[str]) -> Circumstances:
    """The circumstances nearest to these under which a policy refuses something. `allowed` is the
    organization's own address list: from elsewhere nobody comes in anyway."""
    c, r = draft.conditions, draft.requirements
    return Circumstances(_address(c, r, here.address, allowed), _moment(c, r, here.at))


def moments(times: Iterable[Hours], now: datetime) -> list[datetime]:
    """Now, and when in the coming week any of these hours begin or end: nothing changes between."""
    found = {now}
    for hours in times:
        local = now.astimezone(zone(hours.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(8):
            for minute in (hours.start_minute, hours.end_minute):
                moment = (local + timedelta(days=day, minutes=minute)).astimezone(UTC)
                if now < moment < now + WEEK:
                    found.add(moment)
    return sorted(found)


def _address(c: Conditions, r: Requirements, here: str, allowed: Sequence[str]) -> str:
    for address in (here, *map(_first, (*c.addresses, *allowed)), *ELSEWHERE):
        let_in = not allowed or within(address, allowed)
        concerned = not c.addresses or within(address, c.addresses)
        if let_in and concerned and not (r.addresses and within(address, r.addresses)):
            return address
    return here


def _moment(c: Conditions, r: Requirements, now: datetime) -> datetime:
    times = [hours for hours in (c.hours, r.hours) if hours is not None]
    for moment in moments(times, now):
        concerned = c.hours is None or c.hours.holds(moment)
        if concerned and not (r.hours is not None and r.hours.holds(moment)):
            return moment
    return now


def _first(text: str) -> str:
    """An address of a range that a machine can have."""
    found = network(text)
    return str(found[1] if found.num_addresses > 2 else found[0])
