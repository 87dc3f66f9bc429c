"""Writes of teams: who and which projects belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts.membership import Team, check_team_role
from tracer.accounts.model import NAME_MAX, Member, check_slug, one_line, slug_from
from tracer.accounts.queries import team_by_id, team_role
from tracer.errors import Conflict, Invalid
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tracer.storage.meta import Tx


def create_team(tx: Tx, organization_id: int, name: str, slug: str | None = None) -> Team:
    """A new team. Without a slug one is made from the name. Conflict when it is taken."""
    name = one_line(name)[:NAME_MAX]
    if not name and not slug:
        raise Invalid("Enter a name.")
    slug = slug or slug_from(name, "team")
    _check_free(tx, organization_id, slug)
    team_id = tx.insert(
        """
        INSERT INTO teams (organization_id, slug, name, created_at)
        VALUES (:organization_id, :slug, :name, :now)
        """,
        organization_id=organization_id,
        slug=slug,
        name=name or slug,
        now=tx.now_ms,
    )
    made = _load(tx, organization_id, team_id)
    _record(tx, "team.create", made, after={"slug": slug, "name": made.name})
    return made


def update_team(tx: Tx, team: Team, *, name: str, slug: str) -> Team:
    """Renames a team. Conflict when the slug is taken."""
    name = one_line(name)[:NAME_MAX] or slug
    if (name, slug) == (team.name, team.slug):
        return team
    if slug != team.slug:
        _check_free(tx, team.organization_id, slug)
    tx.execute(
        "UPDATE teams SET name = :name, slug = :slug WHERE id = :id",
        name=name,
        slug=slug,
        id=team.id,
    )
    _record(
        tx,
        "team.update",
        team,
        before={"name": team.name, "slug": team.slug},
        after={"name": name, "slug": slug},
    )
    return _load(tx, team.organization_id, team.id)


def delete_team(tx: Tx, team: Team) -> None:
    """Removes a team; its members and projects stay."""
    tx.execute("DELETE FROM teams WHERE id = :id", id=team.id)
    _record(tx, "team.delete", team, before={"slug": team.slug, "name": team.name})
    tx.emit(AccessChanged(team.organization_id))


def put_team_member(tx: Tx, team: Team, found: Member, role: str) -> bool:
    """Adds a member of the organization to a team, or gives another role there. False if it was
    so already."""
    check_team_role(role)
    before = team_role(tx, team.id, found.user_id)
    if before == role:
        return False
    tx.execute(
        """
        INSERT INTO team_members (team_id, user_id, role, created_at)
        VALUES (:team_id, :user_id, :role, :now)
        ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role
        """,
        team_id=team.id,
        user_id=found.user_id,
        role=role,
        now=tx.now_ms,
    )
    _record(
        tx,
        "team_member.update" if before else "team_member.add",
        team,
        before={"member": found.email, "role": before} if before else None,
        after={"member": found.email, "role": role},
    )
    if before:
        tx.emit(AccessChanged(team.organization_id))
    return True


def remove_team_member(tx: Tx, team: Team, found: Member) -> bool:
    """Takes a member out of a team; False for one who is not in it."""
    before = team_role(tx, team.id, found.user_id)
    if before is None:
        return False
    tx.execute(
        "DELETE FROM team_members WHERE team_id = :team_id AND user_id = :user_id",
        team_id=team.id,
        user_id=found.user_id,
    )
    _record(tx, "team_member.remove", team, before={"member": found.email, "role": before})
    tx.emit(AccessChanged(team.organization_id))
    return True


def add_team_project(tx: Tx, team: Team, project_id: int) -> bool:
    """Gives a project to a team as well. The caller has the project from a Reach."""
    added = tx.execute(
        "INSERT OR IGNORE INTO team_projects (team_id, project_id) VALUES (:team_id, :project_id)",
        team_id=team.id,
        project_id=project_id,
    )
    if added:
        _record(tx, "team_project.add", team, project_id=project_id)
    return bool(added)


def remove_team_project(tx: Tx, team: Team, project_id: int) -> bool:
    """Takes a project from a team."""
    removed = tx.execute(
        "DELETE FROM team_projects WHERE team_id = :team_id AND project_id = :project_id",
        team_id=team.id,
        project_id=project_id,
    )
    if removed:
        _record(tx, "team_project.remove", team, project_id=project_id)
        tx.emit(AccessChanged(team.organization_id))
    return bool(removed)


def _check_free(tx: Tx, organization_id: int, slug: str) -> None:
    check_slug(slug)
    if slug == "new" or tx.value(
        "SELECT 1 FROM teams WHERE organization_id = :org AND slug = :slug",
        org=organization_id,
        slug=slug,
    ):
        raise Conflict(f"There is a team called {slug} already.")


def _record(
    tx: Tx,
    action: str,
    team: Team,
    *,
    project_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        tx,
        action,
        "team",
        team.id,
        name=team.slug,
        organization_id=team.organization_id,
        project_id=project_id,
        before=before,
        after=after,
    )


def _load(tx: Tx, organization_id: int, team_id: int) -> Team:
    found = team_by_id(tx, organization_id, team_id)
    assert found is not None
    return found
