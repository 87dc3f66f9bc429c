"""Filter rules as people enter them: what may be a pattern or an address. No I/O."""

from __future__ import annotations

from ipaddress import ip_network

from tracer.errors import Invalid
from tracer.projects.model import entries
from tracer.protocol.filter_rules import LEGACY, FilterRules

#: Patterns or addresses in one list, and characters in one of them.
PATTERNS_MAX = 100
PATTERN_MAX = 200
ADDRESSES_MAX = 200


def patterns(text: str) -> tuple[str, ...]:
    """Globs, one a line: a comma is part of a message. Invalid."""
    found = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    check_patterns(found)
    return found


def addresses(text: str) -> tuple[str, ...]:
    """Addresses and networks, one a line or separated by commas. Invalid."""
    found = entries(text)
    check_addresses(found)
    return found


def check_filters(rules: FilterRules) -> None:
    """Raises Invalid when a rule cannot be one."""
    check_patterns(rules.error_messages)
    check_patterns(rules.releases)
    check_addresses(rules.addresses)
    for name in rules.legacy_browsers:
        if name not in LEGACY:
            raise Invalid(f"{name[:40]!r} is none of the browsers {', '.join(LEGACY)}.")


def check_patterns(given: tuple[str, ...]) -> None:
    """Raises Invalid when there are too many, one is too long, or one matches everything."""
    if len(given) > PATTERNS_MAX:
        raise Invalid(f"Use at most {PATTERNS_MAX} patterns.")
    for pattern in given:
        if len(pattern) > PATTERN_MAX:
            raise Invalid(f"Use at most {PATTERN_MAX} characters a pattern.")
        if not pattern.strip("* "):
            raise Invalid(f"{pattern!r} would filter everything.")


def check_addresses(given: tuple[str, ...]) -> None:
    """Raises Invalid when one is neither an address nor a network, or there are too many."""
    if len(given) > ADDRESSES_MAX:
        raise Invalid(f"Use at most {ADDRESSES_MAX} addresses.")
    for entry in given:
        try:
            network = ip_network(entry, strict=False)
        except ValueError:
            raise Invalid(
                f"{entry[:60]!r} is no address. Write 203.0.113.9, 203.0.113.0/24 or 2001:db8::/32."
            ) from None
        if network.prefixlen == 0:
            raise Invalid(f"{entry!r} would filter everything.")
