"""Reads of policies, and of who they may concern. Never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracer import clock
from tracer.accounts.policies.model import Names, StoredPolicy
from tracer.accounts.queries import organization_by_slug
from tracer.kit.policy import Conditions, Requirements

if TYPE_CHECKING:
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

#: Where an owner has been seen lately: addresses they can be expected to come from again.
ADDRESSES_EACH = 10

_POLICY = """
    SELECT id, organization_id, name, effect, conditions, requirements, is_active, created_at,
        changed_at
    FROM policies"""
_TEAMS = """
    (
        SELECT json_group_object(team_id, role)
        FROM (
            SELECT tm.team_id, tm.role
            FROM team_members tm
            JOIN teams t ON t.id = tm.team_id AND t.organization_id = :org
            WHERE tm.user_id = m.user_id
            ORDER BY tm.team_id
        )
    )"""
_HAS_FACTOR = "EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = m.user_id)"


@dataclass(frozen=True, slots=True)
class Group:
    """Members or tokens that are alike in all that access depends on; `example` is one of them.

    A member with a second factor has shown it when logged in.
    """

    role: str
    teams: Mapping[int, str] = field(default_factory=dict)
    scopes: tuple[str, ...] | None = None
    project_ids: tuple[int, ...] | None = None
    second_factor: bool = False
    count: int = 1
    example: str = ""


class Owner(NamedTuple):
    """An owner of an organization, and the addresses they logged in from."""

    person: Group
    addresses: tuple[str, ...]


def policies(reader: Reader, organization_id: int) -> list[StoredPolicy]:
    """Every policy, active or not, in the order in which they are asked."""
    rows = reader.rows(
        f"{_POLICY} WHERE organization_id = :org ORDER BY effect, id",
        org=organization_id,
    )
    return [_policy(row) for row in rows]


def policy(reader: Reader, reach: Reach, policy_id: int) -> StoredPolicy | None:
    """One policy of the actor's organization."""
    row = reader.row(
        f"{_POLICY} WHERE id = :id AND organization_id = :org",
        id=policy_id,
        org=reach.organization_id,
    )
    return _policy(row) if row else None


def policy_of(
    reader: Reader, reach: Reach, organization_slug: str, policy_id: int
) -> StoredPolicy | None:
    """One policy as the API names it."""
    if organization_by_slug(reader, reach, organization_slug) is None:
        return None
    return policy(reader, reach, policy_id)


def names(reader: Reader, organization_id: int) -> Names:
    """The teams and projects that a policy can name."""
    teams = reader.rows(
        "SELECT id, slug, name FROM teams WHERE organization_id = :org ORDER BY slug",
        org=organization_id,
    )
    projects = reader.rows(
        """
        SELECT id, slug, name
        FROM projects
        WHERE organization_id = :org AND deleted_at IS NULL
        ORDER BY slug
        """,
        org=organization_id,
    )
    return Names(
        {id_: (slug, name) for id_, slug, name in teams},
        {id_: (slug, name) for id_, slug, name in projects},
    )


def member_groups(reader: Reader, organization_id: int) -> list[Group]:
    """All members, those that are alike together."""
    rows = reader.rows(
        f"""
        SELECT role, teams, has_factor, count(*), min(email)
        FROM (
            SELECT m.role, {_TEAMS} AS teams, {_HAS_FACTOR} AS has_factor, u.email
            FROM members m
            JOIN users u ON u.id = m.user_id
            WHERE m.organization_id = :org
        )
        GROUP BY role, teams, has_factor
        """,  # noqa: S608
        org=organization_id,
    )
    return [
        Group(role, _teams(teams), second_factor=bool(factor), count=count, example=email)
        for role, teams, factor, count, email in rows
    ]


def token_groups(reader: Reader, organization_id: int) -> list[Group]:
    """All tokens that work, those that are alike together; each as its owner is today."""
    rows = reader.rows(
        f"""
        SELECT role, teams, has_factor, scopes, project_ids, count(*), min(name)
        FROM (
            SELECT coalesce(m.role, 'organization') AS role,
                CASE WHEN m.user_id IS NULL THEN '{{}}' ELSE {_TEAMS} END AS teams,
                m.user_id IS NOT NULL AND {_HAS_FACTOR} AS has_factor,
                t.scopes, t.project_ids, t.name
            FROM tokens t
            LEFT JOIN members m ON t.kind = 'personal' AND m.user_id = t.user_id
                AND m.organization_id = t.organization_id
            JOIN signing_keys k ON k.kid = t.kid
            WHERE t.organization_id = :org
                AND (t.kind = 'organization' OR m.user_id IS NOT NULL)
                AND (k.retires_at IS NULL OR k.retires_at > :now)
                AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > :now)
                AND (t.ends_at IS NULL OR t.ends_at > :now)
        )
        GROUP BY role, teams, has_factor, scopes, project_ids
        """,  # noqa: S608
        org=organization_id,
        now=clock.now_ms(),
    )
    return [
        Group(
            role,
            _teams(teams),
            tuple(scopes.split()),
            None if projects is None else tuple(msgspec.json.decode(projects)),
            bool(factor),
            count,
            name,
        )
        for role, teams, factor, scopes, projects, count, name in rows
    ]


def owners(reader: Reader, organization_id: int) -> list[Owner]:
    """The owners as they would come again, the first fifty."""
    rows = reader.rows(
        f"""
        SELECT m.role, {_TEAMS}, {_HAS_FACTOR}, u.email,
            (
                SELECT json_group_array(DISTINCT address)
                FROM (
                    SELECT l.address
                    FROM logins l
                    WHERE l.user_id = m.user_id
                    ORDER BY l.seen_at DESC
                    LIMIT {ADDRESSES_EACH}
                )
            )
        FROM members m
        JOIN users u ON u.id = m.user_id
        WHERE m.organization_id = :org AND m.role = 'owner'
        ORDER BY u.id
        LIMIT 50
        """,  # noqa: S608
        org=organization_id,
    )
    return [
        Owner(
            Group(role, _teams(teams), second_factor=bool(factor), example=email),
            tuple(msgspec.json.decode(addresses)),
        )
        for role, teams, factor, email, addresses in rows
    ]


class Named(NamedTuple):
    """A member or token that was asked for by name. `ended` says why a token works no more."""

    person: Group
    name: str
    ended: str = ""


def member_named(reader: Reader, organization_id: int, email: str) -> Named | None:
    """A member by e-mail address."""
    row = reader.row(
        f"""
        SELECT m.role, {_TEAMS}, {_HAS_FACTOR}, u.email
        FROM users u
        JOIN members m ON m.user_id = u.id AND m.organization_id = :org
        WHERE u.email = :email
        """,  # noqa: S608
        org=organization_id,
        email=email,
    )
    if row is None:
        return None
    person = Group(row[0], _teams(row[1]), second_factor=bool(row[2]), example=row[3])
    return Named(person, row[3])


def token_numbered(reader: Reader, organization_id: int, token_id: int) -> Named | None:
    """A token of the organization by its id; a personal one as its owner is today."""
    row = reader.row(
        f"""
        SELECT coalesce(m.role, ''), CASE WHEN m.user_id IS NULL THEN '{{}}' ELSE {_TEAMS} END,
            m.user_id IS NOT NULL AND {_HAS_FACTOR}, t.scopes, t.project_ids, t.name, t.kind,
            t.revoked_at, min(coalesce(t.expires_at, :far), coalesce(t.ends_at, :far)),
            CASE WHEN k.kid IS NULL THEN 0 ELSE coalesce(k.retires_at, :far) END
        FROM tokens t
        LEFT JOIN signing_keys k ON k.kid = t.kid
        LEFT JOIN members m ON t.kind = 'personal' AND m.user_id = t.user_id
            AND m.organization_id = t.organization_id
        WHERE t.id = :id AND t.organization_id = :org
        """,  # noqa: S608
        org=organization_id,
        id=token_id,
        far=2**62,
    )
    if row is None:
        return None
    ended = ""
    if row[7] is not None:
        ended = "It was revoked."
    elif row[8] <= clock.now_ms():
        ended = "It has expired."
    elif row[9] <= clock.now_ms():
        ended = "The key that signed it is no longer accepted."
    elif row[6] == "personal" and not row[0]:
        ended = "Its owner is no member any more."
    person = Group(
        "organization" if row[6] == "organization" else row[0],
        _teams(row[1]),
        tuple(row[3].split()),
        None if row[4] is None else tuple(msgspec.json.decode(row[4])),
        bool(row[2]),
        example=row[5],
    )
    return Named(person, f"{row[5] or 'Without a name'} (token {token_id})", ended)


def _policy(row: tuple[Any, ...]) -> StoredPolicy:
    return StoredPolicy(
        row[0],
        row[1],
        row[2],
        row[3],
        msgspec.json.decode(row[4], type=Conditions),
        msgspec.json.decode(row[5], type=Requirements),
        bool(row[6]),
        row[7],
        row[8],
    )


def _teams(text: str) -> dict[int, str]:
    return {} if text == "{}" else msgspec.json.decode(text, type=dict[int, str], strict=False)
