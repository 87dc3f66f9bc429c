"""What the filters are called, and what a dry run finds. No I/O."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from tracer.protocol import filter_rules as names
from tracer.protocol.filter_rules import FilterRules


class Title(NamedTuple):
    """A filter to people: `id` is what the API calls it, where it can Sentry's own."""

    id: str
    title: str
    help: str


TITLES: Final = {
    names.BROWSER_EXTENSIONS: Title(
        "browser-extensions",
        "Browser extensions",
        "Errors that scripts of extensions throw in your pages, or that only they cause.",
    ),
    names.LEGACY_BROWSERS: Title(
        "legacy-browsers", "Legacy browsers", "Events of browsers that hardly anybody uses."
    ),
    names.WEB_CRAWLERS: Title(
        "web-crawlers",
        "Web crawlers",
        "Events of search engines, previews and other robots, told by their user agent.",
    ),
    names.LOCALHOST: Title(
        "localhost",
        "Localhost",
        "Events of pages on localhost, 127.0.0.1 or ::1, and of users with such an address.",
    ),
    names.HEALTH_CHECKS: Title(
        "filtered-transaction",
        "Health checks",
        "Events of requests that ask whether a server is up: paths such as /healthz, and probes.",
    ),
    names.ERROR_MESSAGES: Title("error-messages", "Messages and error types", ""),
    names.RELEASES: Title("releases", "Releases", ""),
    names.ADDRESSES: Title("addresses", "Client addresses", ""),
    names.DISCARDED: Title(
        "discarded-issues", "Discarded issues", "Events of issues that were deleted and discarded."
    ),
}

#: Filters that are on or off.
TOGGLES: Final = (
    names.BROWSER_EXTENSIONS,
    names.WEB_CRAWLERS,
    names.LOCALHOST,
    names.HEALTH_CHECKS,
)
#: Filters that are a list of what people enter.
LISTS: Final = (names.ERROR_MESSAGES, names.RELEASES, names.ADDRESSES)

BROWSERS: Final = (
    ("ie", "Internet Explorer, all"),
    ("edge", "Edge before 79"),
    ("safari", "Safari before 12"),
    ("firefox", "Firefox before 67"),
    ("chrome", "Chrome before 63"),
    ("opera", "Opera before 51"),
    ("opera_mini", "Opera Mini before 35"),
    ("android", "Android before 4"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """A stored event that would have been filtered. `issue_id` is None if its issue is gone."""

    event_id: str
    filter: str
    title: str
    at_ms: int
    issue_id: int | None


@dataclass(slots=True)
class Trial:
    """What rules would have filtered of the latest stored events, of which `looked` were read.
    `is_cut` when there was no time for more."""

    looked: int = 0
    since_ms: int | None = None
    is_cut: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def filtered(self) -> int:
        """How many it would have been."""
        return self.counts.total()


def digest(rules: FilterRules) -> str:
    """What tells rules that were tried from others."""
    return hashlib.sha256(msgspec.json.encode(rules)).hexdigest()[:32]
