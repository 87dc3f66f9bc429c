"""Which team a new project is given to, so that whoever makes it can see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import actions as accounts
from tracer.accounts import queries as account_queries
from tracer.errors import Invalid
from tracer.kit.access import SEE_ALL
from tracer.projects import actions

if TYPE_CHECKING:
    from tracer.accounts.membership import Team
    from tracer.kit.context import Actor, Req
    from tracer.projects.model import Project
    from tracer.storage.meta import Reader, Tx


def own_teams(reader: Reader, actor: Actor) -> list[Team]:
    """The teams that the actor is in, by slug."""
    home = actor.organization_id
    if home is None:
        return []
    found = [account_queries.team_by_id(reader, home, team_id) for team_id in actor.teams]
    return sorted((team for team in found if team is not None), key=lambda team: team.slug)


def must_name_team(reader: Reader, actor: Actor) -> bool:
    """Whether the actor sees the projects of their own teams only."""
    if actor.role in SEE_ALL or actor.organization_id is None:
        return False
    home = account_queries.organization_settings(reader, actor.organization_id)
    return home is not None and not home.is_open


def team_for(req: Req, slug: str | None) -> Team | None:
    """The team to give a new project to: the named one, else the actor's only one if there must be
    one. Invalid where the project would be out of its maker's sight."""
    reader = req.meta.read()
    named = account_queries.team(reader, req.reach, slug) if slug else None
    if slug and named is None:
        raise Invalid(f"There is no team called {slug[:50]}.")
    if not must_name_team(reader, req.actor):
        return named
    own = own_teams(reader, req.actor)
    if not own:
        raise Invalid(
            "You are in no team, so you would not see the project. Join or make one first."
        )
    if named is None and len(own) == 1:
        return own[0]
    if named is None or named.id not in req.actor.teams:
        raise Invalid("Choose a team of yours: you see the projects of your teams only.")
    return named


def create_owned(
    tx: Tx, req: Req, team: Team | None, slug: str | None, name: str, platform: str
) -> Project:
    """A new project of the actor's organization, in a team if one is given."""
    project = actions.create_project(tx, req.reach.organization_id, slug, name, platform)
    if team is not None:
        accounts.add_team_project(tx, team, project.id)
    return project
