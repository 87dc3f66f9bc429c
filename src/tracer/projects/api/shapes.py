"""What the API of projects and keys takes and gives. Ids are numeric strings, dates ISO 8601."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from tracer import clock
from tracer.accounts.model import SLUG_MAX, SLUG_PATTERN
from tracer.projects.model import (
    DOMAIN_PATTERN,
    ENTRY_MAX,
    LABEL_MAX,
    LIST_MAX,
    NAME_MAX,
    PLATFORM_PATTERN,
    RATE_MAX,
    RATE_WINDOW_MAX_S,
    Key,
    Project,
    dsn,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX, pattern=r"\S")]
Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=SLUG_MAX, pattern=SLUG_PATTERN)]
PlatformId = Annotated[str, msgspec.Meta(max_length=64, pattern=PLATFORM_PATTERN)]
Domain = Annotated[str, msgspec.Meta(min_length=1, max_length=ENTRY_MAX, pattern=DOMAIN_PATTERN)]
Entries = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=ENTRY_MAX)]],
    msgspec.Meta(max_length=LIST_MAX),
]


class OrganizationRef(msgspec.Struct):
    """The organization a project belongs to."""

    id: str
    slug: str


class ProjectSummary(msgspec.Struct, rename="camel"):
    """A project as lists show it."""

    id: str
    slug: str
    name: str
    platform: str
    date_created: datetime
    first_event: datetime | None
    status: str
    is_member: bool
    has_access: bool
    is_bookmarked: bool
    access: list[str]
    features: list[str]
    team: None
    teams: list[str]
    organization: OrganizationRef


class ProjectDetail(ProjectSummary, rename="camel"):
    """A project with its settings."""

    data_scrubber_defaults: bool
    scrub_ip_addresses: bool = msgspec.field(name="scrubIPAddresses")
    sensitive_fields: list[str]
    safe_fields: list[str]
    allowed_domains: list[str]


class ProjectCreate(msgspec.Struct):
    """A new project. Without a slug one is made from the name. `team` is the slug of the team
    that it is given to."""

    name: Name
    slug: Slug | None = None
    platform: PlatformId | None = None
    team: Slug | None = None


class ProjectUpdate(msgspec.Struct, rename="camel"):
    """The settings to change; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    slug: Slug | msgspec.UnsetType = msgspec.UNSET
    platform: PlatformId | msgspec.UnsetType | None = msgspec.UNSET
    data_scrubber_defaults: bool | msgspec.UnsetType = msgspec.UNSET
    scrub_ip_addresses: bool | msgspec.UnsetType = msgspec.field(
        name="scrubIPAddresses", default=msgspec.UNSET
    )
    sensitive_fields: Entries | msgspec.UnsetType = msgspec.UNSET
    safe_fields: Entries | msgspec.UnsetType = msgspec.UNSET
    allowed_domains: (
        Annotated[list[Domain], msgspec.Meta(max_length=LIST_MAX)] | msgspec.UnsetType
    ) = msgspec.UNSET


class KeyDsn(msgspec.Struct):
    """Where an SDK sends with this key."""

    public: str


class RateLimit(msgspec.Struct):
    """So many events (errors, messages, security reports) in a window of so many seconds."""

    window: Annotated[int, msgspec.Meta(ge=1, le=RATE_WINDOW_MAX_S)]
    count: Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)]


class KeyInfo(msgspec.Struct, rename="camel"):
    """A project key. `id` and `public` are the key itself, as in Sentry."""

    id: str
    name: str
    label: str
    public: str
    project_id: int
    is_active: bool
    date_created: datetime
    date_expires: datetime | None
    date_used: datetime | None
    rate_limit: RateLimit | None
    dsn: KeyDsn


class KeyCreate(msgspec.Struct, rename="camel"):
    """A new key; its name is shown in lists."""

    name: Annotated[str, msgspec.Meta(max_length=LABEL_MAX)] | None = None
    rate_limit: RateLimit | None = None


class KeyUpdate(msgspec.Struct, rename="camel"):
    """What to change of a key; what is left out stays."""

    name: Annotated[str, msgspec.Meta(max_length=LABEL_MAX)] | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET
    rate_limit: RateLimit | msgspec.UnsetType | None = msgspec.UNSET


def project_summary(project: Project, organization_slug: str, access: list[str]) -> ProjectSummary:
    """A project for a list."""
    return ProjectSummary(**_fields(project, organization_slug, access))


def project_detail(project: Project, organization_slug: str, access: list[str]) -> ProjectDetail:
    """A project with its settings."""
    return ProjectDetail(
        **_fields(project, organization_slug, access),
        data_scrubber_defaults=project.scrub_defaults,
        scrub_ip_addresses=project.scrub_ip,
        sensitive_fields=list(project.sensitive_names),
        safe_fields=list(project.safe_names),
        allowed_domains=list(project.allowed_domains),
    )


def key_info(key: Key, base_url: str, now_ms: int) -> KeyInfo:
    """A key with its DSN at this server."""
    return KeyInfo(
        id=key.public_key,
        name=key.label,
        label=key.label,
        public=key.public_key,
        project_id=key.project_id,
        is_active=key.works(now_ms),
        date_created=clock.from_ms(key.created_at),
        date_expires=_moment(key.expires_at),
        date_used=_moment(key.used_at),
        rate_limit=None if key.rate is None else RateLimit(count=key.rate[0], window=key.rate[1]),
        dsn=KeyDsn(str(dsn(key, base_url))),
    )


def _fields(project: Project, organization_slug: str, access: list[str]) -> dict[str, Any]:
    return {
        "id": str(project.id),
        "slug": project.slug,
        "name": project.name,
        "platform": project.platform,
        "date_created": clock.from_ms(project.created_at),
        "first_event": _moment(project.first_event_at),
        "status": "active",
        "is_member": True,
        "has_access": True,
        "is_bookmarked": False,
        "access": access,
        "features": [],
        "team": None,
        "teams": [],
        "organization": OrganizationRef(str(project.organization_id), organization_slug),
    }


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else clock.from_ms(ms)
