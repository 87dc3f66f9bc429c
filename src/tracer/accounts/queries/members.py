"""Reads of members."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracer.accounts.model import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

_MEMBER = """
    SELECT u.id, u.email, u.name, m.role, m.created_at, u.login_at
    FROM members m
    JOIN users u ON u.id = m.user_id
    WHERE m.organization_id = :organization_id"""
_MATCHES = """
      AND (:text = '' OR instr(lower(u.email), :text) OR instr(lower(u.name), :text))
      AND (:role = '' OR m.role = :role)"""


def members(reader: Reader, organization_id: int) -> list[Member]:
    """Everyone in the organization, by e-mail."""
    return reader.load(
        Member, _MEMBER + " ORDER BY u.email COLLATE NOCASE", organization_id=organization_id
    )


def assignable(reader: Reader, organization_id: int, limit: int = 50) -> list[Member]:
    """Whom to offer where somebody is chosen: those who were here last, by e-mail."""
    found = reader.load(
        Member,
        _MEMBER + " ORDER BY u.login_at DESC, u.id LIMIT :limit",
        organization_id=organization_id,
        limit=limit,
    )
    return sorted(found, key=lambda one: one.email.lower())


def members_page(
    reader: Reader,
    organization_id: int,
    *,
    text: str = "",
    role: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[Member]:
    """Some members, by e-mail: those whose e-mail or name contains `text`."""
    return reader.load(
        Member,
        # In the order of the index on e-mail addresses, so that nothing is sorted.
        f"""
        SELECT u.id, u.email, u.name, m.role, m.created_at, u.login_at
        FROM users u
        CROSS JOIN members m ON m.user_id = u.id
        WHERE m.organization_id = :organization_id{_MATCHES}
        ORDER BY u.email COLLATE NOCASE
        LIMIT :limit OFFSET :offset
        """,  # noqa: S608
        organization_id=organization_id,
        text=text.lower(),
        role=role,
        limit=limit,
        offset=offset,
    )


def count_members(reader: Reader, organization_id: int, *, text: str = "", role: str = "") -> int:
    """How many members match."""
    if not text and not role:
        whole: int = reader.value(
            "SELECT count(*) FROM members WHERE organization_id = :id", id=organization_id
        )
        return whole
    found: int = reader.value(
        f"""
        SELECT count(*)
        FROM members m
        JOIN users u ON u.id = m.user_id
        WHERE m.organization_id = :organization_id{_MATCHES}
        """,  # noqa: S608
        organization_id=organization_id,
        text=text.lower(),
        role=role,
    )
    return found


def member(reader: Reader, organization_id: int, user_id: int) -> Member | None:
    """One member."""
    return reader.find(
        Member,
        _MEMBER + " AND m.user_id = :user_id",
        organization_id=organization_id,
        user_id=user_id,
    )


def member_in_reach(reader: Reader, reach: Reach, user_id: int) -> Member | None:
    """One member of the actor's organization."""
    return member(reader, reach.organization_id, user_id)


def member_by_email(reader: Reader, organization_id: int, email: str) -> Member | None:
    """One member by e-mail."""
    return reader.find(
        Member,
        _MEMBER + " AND u.email = :email",
        organization_id=organization_id,
        email=email,
    )


def member_teams(
    reader: Reader, organization_id: int, user_ids: Sequence[int]
) -> dict[int, list[tuple[str, str]]]:
    """The teams (slug, role) of some users, by user id."""
    found: dict[int, list[tuple[str, str]]] = {}
    for user_id, slug, role in reader.rows(
        """
        SELECT tm.user_id, t.slug, tm.role
        FROM json_each(:ids) asked
        CROSS JOIN team_members tm ON tm.user_id = asked.value
        CROSS JOIN teams t ON t.id = tm.team_id
        WHERE t.organization_id = :organization_id
        ORDER BY t.slug
        """,
        organization_id=organization_id,
        ids=json.dumps(list(user_ids)),
    ):
        found.setdefault(user_id, []).append((slug, role))
    return found


def count_owners(reader: Reader, organization_id: int) -> int:
    """How many owners an organization has."""
    found: int = reader.value(
        "SELECT count(*) FROM members WHERE organization_id = :id AND role = 'owner'",
        id=organization_id,
    )
    return found


def membership(reader: Reader, user_id: int) -> int | None:
    """The organization a user logs in to: the one joined first."""
    found: int | None = reader.value(
        """
        SELECT organization_id
        FROM members
        WHERE user_id = :user_id
        ORDER BY created_at, organization_id
        LIMIT 1
        """,
        user_id=user_id,
    )
    return found
