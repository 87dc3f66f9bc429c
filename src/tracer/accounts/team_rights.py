"""Who may give a project to a team or take it away: whoever manages both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.errors import Forbidden
from tracer.kit.permissions import Permission

if TYPE_CHECKING:
    from tracer.accounts.membership import Team
    from tracer.kit.context import Actor


def check_project(actor: Actor, project_id: int) -> None:
    """Forbidden unless the actor may say which teams a project belongs to."""
    if not actor.can(Permission.PROJECT_WRITE, project_id):
        raise Forbidden("You may not change which teams this project belongs to.")


def check_team(actor: Actor, team: Team) -> None:
    """Forbidden unless the actor may say which projects belong to a team."""
    if not actor.can_with_team(Permission.TEAM_WRITE, team.id):
        raise Forbidden("You may not change which projects belong to this team.")
