"""What `tracer demo` asks of the running server besides taking its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracer.accounts import queries as account_queries
from tracer.errors import NotFound
from tracer.issues import actions as issues
from tracer.issues import queries as issue_queries
from tracer.kit import audit
from tracer.kit.access import reach_of_all
from tracer.kit.context import ANONYMOUS, Actor
from tracer.projects import actions as projects
from tracer.projects import queries as project_queries
from tracer.projects.model import dsn

if TYPE_CHECKING:
    from tracer.issues.model import Issue
    from tracer.storage.meta import Meta, Tx

DEMO_PLATFORM = "python-django"


def open_project(meta: Meta, url: str, *, project: str) -> dict[str, Any]:
    """The project of a slug, made if it is not there; `events` are those its issues count."""
    with meta.write() as tx:
        home = account_queries.first_organization(tx)
        if home is None:
            raise NotFound("There is no organization yet.")
        found = project_queries.project(tx, reach_of_all(tx, home.id), project)
        if found is None:
            name = project.replace("-", " ").capitalize()
            found = projects.create_project(tx, home.id, project, name, DEMO_PLATFORM)
            # Two weeks of events come within minutes.
            found = projects.update_project(tx, found, replace(found, spike_protection=False))
        key = project_queries.working_key(tx, found.id)
        if key is None:
            raise NotFound(f"The project {project} has no active key.")
        return {
            "url": url,
            "dsn": str(dsn(key, url)),
            "organization": home.slug,
            "project": found.slug,
            "project_id": found.id,
            "events": tx.value(
                "SELECT coalesce(sum(event_count), 0) FROM issues WHERE project_id = :id",
                id=found.id,
            ),
        }


def triage(meta: Meta, *, project_id: int, steps: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Treat issues as their owner would. A step names an event and what is done to its issue:
    `resolve` (with `release`), `archive`, `assign` (to the first member) or `comment` (`text`).
    """
    with meta.write() as tx, audit.together(tx):
        by = _owner(tx)
        for step in steps:
            issue = _issue_of(tx, project_id, step["event_id"])
            if step["action"] == "resolve":
                issues.resolve(tx, issue, by=by, in_release=step.get("release"))
            elif step["action"] == "archive":
                issues.archive(tx, issue, by=by)
            elif step["action"] == "comment":
                issues.comment(tx, issue, step["text"], by=by)
            elif by.user_id is not None:
                issues.assign(tx, issue, by.user_id, by=by)
    return {"steps": len(steps)}


def _owner(tx: Tx) -> Actor:
    """The first member; nobody while nobody has set up an account."""
    home = account_queries.first_organization(tx)
    members = account_queries.members(tx, home.id) if home else []
    if not members:
        return ANONYMOUS
    first = min(members, key=lambda member: member.user_id)
    return Actor("user", first.user_id, first.email, first.name)


def _issue_of(tx: Tx, project_id: int, event_id: str) -> Issue:
    issue_id = tx.value(
        "SELECT issue_id FROM recent_events WHERE project_id = :project AND event_id = :event",
        project=project_id,
        event=bytes.fromhex(event_id),
    )
    issue = issue_queries.current_issue(tx, issue_id) if issue_id is not None else None
    if issue is None:
        raise NotFound(f"The event {event_id} is in no issue.")
    return issue
