"""Projects and their keys. Rules, no I/O. Every `_at` is unix milliseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracer.accounts.model import one_line
from tracer.errors import Invalid
from tracer.protocol.dsn import Dsn
from tracer.protocol.filter_rules import NO_FILTERS, FilterRules
from tracer.protocol.scrub import ScrubRules

NAME_MAX = 100
LABEL_MAX = 64
LIST_MAX = 200
ENTRY_MAX = 200
KEYS_MAX = 100

PLATFORM_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
DOMAIN_PATTERN = r"^(https?://)?(\*|(\*\.)?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:]+\])(:\d{1,5})?$"

RESERVED_SLUGS = frozenset({"new"})

UNUSED_MS = 90 * 86_400_000
RATE_MAX = 1_000_000
RATE_WINDOW_MAX_S = 86_400

OVERLAPS_S = {"1h": 3600, "1d": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}

_PLATFORM = re.compile(PLATFORM_PATTERN)
_DOMAIN = re.compile(DOMAIN_PATTERN)


@dataclass(frozen=True, slots=True)
class Project:
    """Where the events of one application go."""

    id: int
    organization_id: int
    slug: str
    name: str
    platform: str
    scrub_ip: bool
    scrub_defaults: bool
    sensitive_names: tuple[str, ...]
    safe_names: tuple[str, ...]
    allowed_domains: tuple[str, ...]
    first_event_at: int | None
    created_at: int
    spike_protection: bool = True
    filters: FilterRules = NO_FILTERS

    @property
    def project_id(self) -> int:
        """Its own id: what lies in a project says so by this name, and the guard asks for it."""
        return self.id

    @property
    def scrub(self) -> ScrubRules:
        """What is removed from its events before they are stored."""
        return ScrubRules(self.scrub_defaults, self.scrub_ip, self.sensitive_names, self.safe_names)


@dataclass(frozen=True, slots=True)
class Key:
    """A project key: the public part of a DSN. After `expires_at` it is refused. At most
    `rate_limit` events are taken in `rate_window_s` seconds; None is no limit."""

    id: int
    project_id: int
    public_key: str
    label: str
    is_active: bool
    expires_at: int | None
    used_at: int | None
    created_at: int
    rate_limit: int | None = None
    rate_window_s: int | None = None

    @property
    def rate(self) -> tuple[int, int] | None:
        """Its rate limit: events, and the seconds in which so many are taken."""
        if self.rate_limit is None or self.rate_window_s is None:
            return None
        return self.rate_limit, self.rate_window_s

    def works(self, now_ms: int) -> bool:
        """Whether events are accepted under it at a moment."""
        return self.is_active and (self.expires_at is None or self.expires_at > now_ms)

    def is_unused(self, now_ms: int) -> bool:
        """Whether it works, and nothing came under it for so long that it may be taken away."""
        last = self.created_at if self.used_at is None else self.used_at
        return self.works(now_ms) and now_ms - last > UNUSED_MS


@dataclass(frozen=True, slots=True)
class Counts:
    """A project's unresolved issues, and its events of the last 24 hours."""

    issues: int
    events: int


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """A project or key was made, changed or deleted: the DSN cache must be read anew."""


def dsn(key: Key, base_url: str) -> Dsn:
    """What an SDK is configured with. `base_url` is the server's, with a path prefix if any."""
    scheme, _, rest = base_url.rstrip("/").partition("://")
    host, slash, prefix = rest.partition("/")
    return Dsn(scheme, key.public_key, host, slash + prefix, key.project_id)


def check_name(text: str) -> str:
    """A project's shown name, trimmed. Invalid when blank or too long."""
    name = one_line(text)
    if not name:
        raise Invalid("Enter a name.")
    if len(name) > NAME_MAX:
        raise Invalid(f"Use at most {NAME_MAX} characters.")
    return name


def check_platform(text: str) -> str:
    """A platform id. Ids that no start page knows are kept too: Sentry has a hundred more."""
    platform = text.strip().lower() or "other"
    if not _PLATFORM.fullmatch(platform):
        raise Invalid("A platform is written as python or javascript-react.")
    return platform


def check_label(text: str) -> str:
    """A key's label, trimmed; "Default" when blank."""
    label = one_line(text)
    if len(label) > LABEL_MAX:
        raise Invalid(f"Use at most {LABEL_MAX} characters.")
    return label or "Default"


def check_rate(count: int, window_s: int) -> tuple[int, int]:
    """A rate limit: events, and the seconds in which so many are taken."""
    if not 1 <= count <= RATE_MAX:
        raise Invalid(f"A rate limit is between 1 and {RATE_MAX:,} events.")
    if not 1 <= window_s <= RATE_WINDOW_MAX_S:
        raise Invalid("The window of a rate limit is between a second and a day.")
    return count, window_s


def entries(text: str) -> tuple[str, ...]:
    """A list typed into a text box, one a line or separated by commas; blanks and repeats go."""
    found = dict.fromkeys(part.strip() for part in re.split(r"[\n,]", text))
    found.pop("", None)
    if len(found) > LIST_MAX:
        raise Invalid(f"Use at most {LIST_MAX} entries.")
    for entry in found:
        if len(entry) > ENTRY_MAX:
            raise Invalid(f"Use at most {ENTRY_MAX} characters an entry.")
    return tuple(found)


def check_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Origins that may send from a browser: `*`, `example.com`, `*.example.com`, with a scheme or
    port if wanted. An empty list means none is refused, as `*`."""
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise Invalid(f"{domain!r} is no domain. Write example.com, *.example.com or *.")
    return domains or ("*",)
