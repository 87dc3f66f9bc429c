"""What a project filters out of what comes in, as data: plain, hashable, picklable.

`ingest.filters` decides by it; `projects.filters` reads and checks what people enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from tracer.protocol.scrub import ScrubRules

BROWSER_EXTENSIONS: Final = "browser_extensions"
LEGACY_BROWSERS: Final = "legacy_browsers"
LOCALHOST: Final = "localhost"
WEB_CRAWLERS: Final = "web_crawlers"
HEALTH_CHECKS: Final = "health_checks"
ERROR_MESSAGES: Final = "error_messages"
RELEASES: Final = "releases"
ADDRESSES: Final = "addresses"
DISCARDED: Final = "discarded"

#: Every filter, which is the reason of the outcome `filtered` too, in the order of pages.
FILTERS: Final = (
    BROWSER_EXTENSIONS,
    LEGACY_BROWSERS,
    WEB_CRAWLERS,
    LOCALHOST,
    HEALTH_CHECKS,
    ERROR_MESSAGES,
    RELEASES,
    ADDRESSES,
    DISCARDED,
)

#: Browsers of the filter `legacy_browsers`: the first major version that is not legacy. These are
#: the ids and versions that Sentry documents.
LEGACY: Final = {
    "ie": 12,
    "edge": 79,
    "safari": 12,
    "firefox": 67,
    "chrome": 63,
    "opera": 51,
    "opera_mini": 35,
    "android": 4,
}


@dataclass(frozen=True, slots=True)
class FilterRules:
    """A project's choice. Patterns are globs without regard to case; addresses are single ones or
    networks, IPv4 and IPv6."""

    browser_extensions: bool = False
    legacy_browsers: tuple[str, ...] = ()
    localhost: bool = False
    web_crawlers: bool = False
    health_checks: bool = False
    error_messages: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


NO_FILTERS: Final = FilterRules()
#: What a new project begins with; Sentry's begin with these two as well.
OF_NEW_PROJECTS: Final = FilterRules(browser_extensions=True, web_crawlers=True)


class ProjectRules(NamedTuple):
    """What preparing a frame needs to know of its project."""

    scrub: ScrubRules = ScrubRules()
    filters: FilterRules = NO_FILTERS
