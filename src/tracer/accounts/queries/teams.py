"""Reads of teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts.membership import Team, TeamMember
from tracer.accounts.model import Member
from tracer.accounts.queries.members import member
from tracer.accounts.queries.organizations import organization_by_slug

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

_TEAM = """
    SELECT t.id, t.organization_id, t.slug, t.name, t.created_at,
        (SELECT count(*) FROM team_members tm WHERE tm.team_id = t.id),
        (
            SELECT count(*)
            FROM team_projects tp
            JOIN projects p ON p.id = tp.project_id AND p.deleted_at IS NULL
            WHERE tp.team_id = t.id
        )
    FROM teams t
    WHERE t.organization_id = :organization_id"""


def teams(
    reader: Reader,
    organization_id: int,
    *,
    text: str = "",
    after: str = "",
    limit: int = 1000,
    offset: int = 0,
) -> list[Team]:
    """Teams by slug; `text` is in the slug or name, `after` is the slug before the first."""
    return reader.load(
        Team,
        f"""{_TEAM} AND t.slug > :after
          AND (:text = '' OR instr(t.slug, :text) OR instr(lower(t.name), :text))
        ORDER BY t.slug
        LIMIT :limit OFFSET :offset
        """,
        organization_id=organization_id,
        text=text.lower(),
        after=after,
        limit=limit,
        offset=offset,
    )


def count_teams(reader: Reader, organization_id: int, *, text: str = "") -> int:
    """How many teams match."""
    found: int = reader.value(
        """
        SELECT count(*)
        FROM teams t
        WHERE t.organization_id = :organization_id
          AND (:text = '' OR instr(t.slug, :text) OR instr(lower(t.name), :text))
        """,
        organization_id=organization_id,
        text=text.lower(),
    )
    return found


def team(reader: Reader, reach: Reach, slug: str) -> Team | None:
    """One team of the actor's organization, by slug."""
    return reader.find(
        Team, _TEAM + " AND t.slug = :slug", organization_id=reach.organization_id, slug=slug
    )


def team_and_member(
    reader: Reader, reach: Reach, slug: str, user_id: int
) -> tuple[Team, Member] | None:
    """A team and a member of the organization, who may or may not be in the team."""
    found = team(reader, reach, slug)
    who = member(reader, reach.organization_id, user_id) if found else None
    return (found, who) if found and who else None


def team_and_project(
    reader: Reader, reach: Reach, slug: str, project_id: int
) -> tuple[Team, int] | None:
    """A team and the id of a project in reach, which may or may not be the team's."""
    found = team(reader, reach, slug)
    return (found, project_id) if found and reach.holds(project_id) else None


def team_of(reader: Reader, reach: Reach, organization_slug: str, team_slug: str) -> Team | None:
    """One team as the API names it: organization and team by slug or id."""
    if organization_by_slug(reader, reach, organization_slug) is None:
        return None
    if team_slug.isascii() and team_slug.isdigit() and len(team_slug) < 19:
        return team_by_id(reader, reach.organization_id, int(team_slug))
    return team(reader, reach, team_slug)


def team_by_id(reader: Reader, organization_id: int, team_id: int) -> Team | None:
    """One team of an organization, by id."""
    return reader.find(Team, _TEAM + " AND t.id = :id", organization_id=organization_id, id=team_id)


def team_members(reader: Reader, team_id: int, limit: int = 1000) -> list[TeamMember]:
    """Who belongs to a team, its leads first."""
    return reader.load(
        TeamMember,
        """
        SELECT u.id, u.email, u.name, tm.role
        FROM team_members tm
        JOIN users u ON u.id = tm.user_id
        WHERE tm.team_id = :team_id
        ORDER BY tm.role DESC, u.email COLLATE NOCASE
        LIMIT :limit
        """,
        team_id=team_id,
        limit=limit,
    )


def team_role(reader: Reader, team_id: int, user_id: int) -> str | None:
    """A user's role in a team; None for one who is not in it."""
    found: str | None = reader.value(
        "SELECT role FROM team_members WHERE team_id = :team_id AND user_id = :user_id",
        team_id=team_id,
        user_id=user_id,
    )
    return found


def team_project_ids(reader: Reader, team_id: int) -> frozenset[int]:
    """The ids of a team's projects."""
    rows = reader.rows(
        "SELECT project_id FROM team_projects WHERE team_id = :team_id", team_id=team_id
    )
    return frozenset(row[0] for row in rows)


def teams_of_project(reader: Reader, project_id: int) -> list[Team]:
    """The teams a project belongs to, by slug. The caller has the project from a Reach."""
    return reader.load(
        Team,
        """
        SELECT t.id, t.organization_id, t.slug, t.name, t.created_at
        FROM team_projects tp
        JOIN teams t ON t.id = tp.team_id
        WHERE tp.project_id = :project_id
        ORDER BY t.slug
        """,
        project_id=project_id,
    )
