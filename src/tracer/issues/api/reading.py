"""What the API's handlers share: reading parameters, finding issues, applying updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET

from tracer import clock, search
from tracer.accounts import queries as accounts
from tracer.errors import Invalid
from tracer.issues import actions, queries
from tracer.issues.api.shapes import (
    IssueSummary,
    IssueUpdate,
    Point,
    ProjectRef,
    issue_summary,
)
from tracer.issues.model import DAY_MS, HOUR_MS, Issue
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.routes import Operation, Param, Routes

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader, Tx

MAX_LIMIT = 100
SORTS = {"date": "last_seen", "new": "first_seen", "freq": "events", "user": "users"}
DEFAULT_QUERY = "is:unresolved"
MAX_QUERY = 2000
MAX_ENVIRONMENTS = 20

LIMIT = Param("limit", "Entries a page, 1 to 100.", "integer")
ENVIRONMENT = Param(
    "environment", "Only what happened in these environments, at most 20.", repeated=True
)
FILTERS = (
    Param("query", f"A search; `{DEFAULT_QUERY}` when it is not given, everything when empty."),
    Param("sort", "Last seen, first seen, events or users.", values=tuple(SORTS)),
    Param("statsPeriod", "Only issues seen in this time, such as `24h` or `14d`."),
    ENVIRONMENT,
    LIMIT,
)

ISSUE = "/api/0/issues/{issue_id}/"
ISSUE_OF_ORGANIZATION = "/api/0/organizations/{organization_slug}/issues/{issue_id}/"


class At(NamedTuple):
    """The issue of a path, and the path's last value if there is one after the issue."""

    issue: Issue
    value: str


def load_at(
    reader: Reader,
    reach: Reach,
    *,
    issue_id: str,
    organization_slug: str | None = None,
    **rest: str,
) -> At | None:
    """The issue by number or short id, within the organization if the path names one."""
    if organization_slug is not None and not accounts.organization_by_slug(
        reader, reach, organization_slug
    ):
        return None
    issue = queries.issue_by_name(reader, reach, issue_id)
    return At(issue, next(iter(rest.values()), "")) if issue else None


def issue_routes(
    routes: Routes,
    method: str,
    path: str,
    *,
    can: Permission,
    doc: Operation,
    step_up: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a handler of (req, At) below an issue, at both of the paths Sentry has for it."""

    def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)
        def of_organization(req: Req, at: At) -> Any:
            return handler(req, at)

        # The API document names operations after their functions.
        of_organization.__name__ = f"{handler.__name__}_of_organization"
        rules: dict[str, Any] = {"can": can, "load": load_at, "doc": doc, "step_up": step_up}
        routes.add(method, ISSUE + path, **rules)(handler)
        routes.add(method, ISSUE_OF_ORGANIZATION + path, **rules)(of_organization)
        return handler

    return declare


def limit(req: Req, default: int = 25) -> int:
    """Entries a page. Raises Invalid."""
    return req.query.int("limit", default, min=1, max=MAX_LIMIT)


def environments(req: Req) -> tuple[str, ...]:
    """The chosen environments; none means all. Raises Invalid for more than 20."""
    names = tuple(dict.fromkeys(name for name in req.query.all("environment") if name))
    if len(names) > MAX_ENVIRONMENTS:
        raise Invalid(f"Choose at most {MAX_ENVIRONMENTS} environments.")
    return names


def filters(req: Req, project_ids: tuple[int, ...] | None) -> queries.Filters:
    """The filters of a request. Raises Invalid."""
    since_ms = None
    if period := req.query.get("statsPeriod"):
        since_ms = clock.to_ms(req.now) - queries.parse_period(period)
    chosen = environments(req)
    return queries.Filters(
        query=parsed(req, default=DEFAULT_QUERY),
        project_ids=project_ids,
        environment=chosen[0] if len(chosen) == 1 else None,
        environments=chosen if len(chosen) > 1 else (),
        since_ms=since_ms,
    )


def parsed(req: Req, *, default: str) -> search.Query:
    """The search of a request. Raises Invalid."""
    return search.parse(req.query.text("query", max=MAX_QUERY, default=default))


def summaries(req: Req, issues: Sequence[Issue], environments: Sequence[str]) -> list[IssueSummary]:
    """Issues for a list, with 24 hours or, for a period of days, 14 days of counts.

    With several environments, counts and times are of these together."""
    ids = [issue.id for issue in issues]
    reader, now_ms = req.meta.read(), clock.to_ms(req.now)
    refs = project_refs(req)
    comments = queries.comment_counts(reader, ids)
    period = "14d" if req.query.get("statsPeriod", "24h") not in {"", "24h"} else "24h"
    draw = queries.sparklines_14d if period == "14d" else queries.sparklines_24h
    counts = draw(reader, ids, now_ms=now_ms, environments=environments)
    if len(environments) > 1:
        issues = queries.counted_in(reader, issues, environments)
    width_ms = DAY_MS if period == "14d" else HOUR_MS
    found = []
    for issue in queries.told(req.tracer, req.reach, issues):
        stats = {period: points(counts[issue.id], width_ms, now_ms)}
        summary = issue_summary(issue, refs[issue.project_id], req.base_url, stats)
        found.append(msgspec.structs.replace(summary, num_comments=comments.get(issue.id, 0)))
    return found


def points(counts: Sequence[int], width_ms: int, now_ms: int) -> list[Point]:
    """(unix seconds where it begins, events) for each bar of a sparkline."""
    end = now_ms - now_ms % HOUR_MS + HOUR_MS
    start = end - len(counts) * width_ms
    return [((start + place * width_ms) // 1000, count) for place, count in enumerate(counts)]


def project_refs(req: Req) -> dict[int, ProjectRef]:
    """The projects in reach by id."""
    return {
        ref.id: ProjectRef(str(ref.id), ref.slug, ref.name, ref.platform) for ref in req.projects
    }


def assignee_id(reader: Reader, reach: Reach, text: str | None) -> int | None:
    """The member that `text` names: an id, "user:<id>", an e-mail. Raises Invalid."""
    if not text:
        return None
    name = text.removeprefix("user:")
    for member in accounts.members(reader, reach.organization_id):
        if name == str(member.user_id) or name.lower() == member.email.lower():
            return member.user_id
    raise Invalid("assignedTo: no member of the organization has this id or e-mail.")


def apply_update(tx: Tx, issue: Issue, *, update: IssueUpdate, req: Req) -> Issue:
    """Make the changes that an update names. Raises Invalid."""
    by = req.actor
    if update.status in {"resolved", "resolvedInNextRelease"}:
        release = _release_of(tx, issue, update)
        issue = actions.resolve(tx, issue, by=by, in_release=release)
    elif update.status in {"ignored", "archived"}:
        issue = actions.archive(tx, issue, by=by)
    elif update.status == "unresolved":
        issue = actions.unresolve(tx, issue, by=by)
    if update.assigned_to is not UNSET:
        user_id = assignee_id(tx, req.reach, update.assigned_to)
        issue = actions.assign(tx, issue, user_id, by=by)
    return issue


def _release_of(tx: Tx, issue: Issue, update: IssueUpdate) -> str | None:
    """The release after which an issue may not come back; a project without releases has none."""
    details = update.status_details
    if details is not UNSET and details.in_release and details.in_release != "latest":
        return details.in_release
    is_next = update.status == "resolvedInNextRelease"
    if is_next or (details is not UNSET and (details.in_next_release or details.in_release)):
        return queries.newest_release(tx, issue.project_id)
    return None
