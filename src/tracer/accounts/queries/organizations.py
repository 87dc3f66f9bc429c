"""Reads of organizations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracer.accounts.membership import OrganizationSettings
from tracer.accounts.model import Organization

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader


def organization(reader: Reader, reach: Reach) -> Organization | None:
    """The actor's organization."""
    return reader.find(
        Organization,
        "SELECT id, slug, name, created_at FROM organizations WHERE id = :id",
        id=reach.organization_id,
    )


def organization_by_slug(
    reader: Reader, reach: Reach, organization_slug: str
) -> Organization | None:
    """The actor's organization if it goes by this slug or id; else None."""
    found = organization(reader, reach)
    if found is None or organization_slug not in (found.slug, str(found.id)):
        return None
    return found


def first_organization(reader: Reader) -> Organization | None:
    """The oldest organization: the one a set-up link belongs to."""
    return reader.find(
        Organization,
        """
        SELECT id, slug, name, created_at
        FROM organizations
        WHERE slug NOT LIKE '~%'
        ORDER BY id
        LIMIT 1
        """,
    )


def organizations_of(reader: Reader, user_id: int) -> list[tuple[Organization, str]]:
    """The organizations a user belongs to, each with the role, by name."""
    rows = reader.rows(
        """
        SELECT o.id, o.slug, o.name, o.created_at, m.role
        FROM members m
        JOIN organizations o ON o.id = m.organization_id
        WHERE m.user_id = :user_id
        ORDER BY o.name COLLATE NOCASE, o.id
        LIMIT 200
        """,
        user_id=user_id,
    )
    return [(Organization(*row[:4]), row[4]) for row in rows]


def organization_settings(reader: Reader, organization_id: int) -> OrganizationSettings | None:
    """An organization with its settings."""
    row = reader.row(
        """
        SELECT id, slug, name, created_at, is_open, second_factor, join_domains, join_role
        FROM organizations
        WHERE id = :id
        """,
        id=organization_id,
    )
    return _settings(row) if row else None


def settings_by_slug(
    reader: Reader, reach: Reach, organization_slug: str
) -> OrganizationSettings | None:
    """The actor's organization with its settings, if it goes by this slug or id."""
    found = organization_settings(reader, reach.organization_id)
    if found is None or organization_slug not in (found.slug, str(found.id)):
        return None
    return found


def open_to_domains(reader: Reader, slug: str) -> OrganizationSettings | None:
    """The organization that people may join by the domain of their e-mail address; else None."""
    row = reader.row(
        """
        SELECT id, slug, name, created_at, is_open, second_factor, join_domains, join_role
        FROM organizations
        WHERE slug = :slug AND join_domains != '[]'
        """,
        slug=slug,
    )
    return _settings(row) if row else None


def count_organizations(reader: Reader) -> int:
    """How many organizations this server has, without those that are being erased."""
    found: int = reader.value("SELECT count(*) FROM organizations WHERE slug NOT LIKE '~%'")
    return found


def _settings(row: tuple[int, str, str, int, int, str, str, str]) -> OrganizationSettings:
    return OrganizationSettings(
        id=row[0],
        slug=row[1],
        name=row[2],
        created_at=row[3],
        is_open=bool(row[4]),
        second_factor=row[5],
        join_domains=tuple(json.loads(row[6])),
        join_role=row[7],
    )
