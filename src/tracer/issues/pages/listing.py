"""What the issue list shows for one address: filters as chosen, rows, paging, ways to narrow.

Reads only; `index` answers with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tracer import clock, search
from tracer.accounts import queries as accounts
from tracer.accounts.model import Member
from tracer.errors import Invalid, NotFound
from tracer.issues import queries
from tracer.issues.model import DAY_MS, HOUR_MS, IGNORED, RESOLVED, UNRESOLVED, Issue
from tracer.issues.queries.choices import releases
from tracer.issues.queries.filters import ALL_STATUSES
from tracer.kit.filters import plural
from tracer.projects import queries as projects
from tracer.protocol.categories import LEVELS

if TYPE_CHECKING:
    from tracer.kit.context import Req
    from tracer.kit.directory import ProjectRef
    from tracer.kit.forms import Query

STATUSES = {
    "unresolved": (UNRESOLVED,),
    "resolved": (RESOLVED,),
    "archived": (IGNORED,),
    "all": ALL_STATUSES,
}
PERIODS = {
    "1h": ("Last hour", HOUR_MS),
    "24h": ("Last 24 hours", DAY_MS),
    "7d": ("Last 7 days", 7 * DAY_MS),
    "14d": ("Last 14 days", 14 * DAY_MS),
    "30d": ("Last 30 days", 30 * DAY_MS),
    "90d": ("Last 90 days", 90 * DAY_MS),
}
DEFAULT_SORT = "last_seen"
SORTS = {
    "": "Last seen",
    "first_seen": "First seen",
    "events": "Most events",
    "users": "Most users",
}
MAX_TEXT = 2000
#: A select has at most so many projects or members; where there are more, so many are suggested.
SELECTABLE = 50
SUGGESTED = 20
#: Statements that one list may take, besides those of the guard.
QUERY_BUDGET = 9

Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """The filters of an address, each "" when it is not chosen; `status` is never "".
    `default_status` is what `status` is without being named."""

    q: str
    status: str
    default_status: str
    project: str
    environment: str
    period: str
    level: str
    release: str
    assigned: str
    sort: str
    cursor: str

    def address(self, **changes: str) -> str:
        """The list with some filters changed, from its first page on unless `cursor` is given."""
        query = self.query(**{"cursor": "", **changes})
        return f"/issues/?{query}" if query else "/issues/"

    def query(self, **changes: str) -> str:
        """The query string with some filters changed; defaults are left out."""
        values = {
            name: changes.get(name, getattr(self, name))
            for name in (
                "project", "environment", "period", "status", "q", "level", "release",
                "assigned", "sort", "cursor",
            )
        }  # fmt: skip
        if values["status"] == self.default_status:
            values["status"] = ""
        return urlencode({name: value for name, value in values.items() if value})


@dataclass(frozen=True, slots=True)
class Row:
    """One issue of the list with its little charts."""

    issue: Issue
    level: str
    is_new: bool
    day: list[int]
    fortnight: list[int]

    @property
    def href(self) -> str:
        return f"/issues/{self.issue.id}/"


@dataclass(frozen=True, slots=True)
class SearchError:
    """Why a search cannot be read; `marked` is its text before, at and after the place."""

    detail: str
    marked: tuple[str, str, str] | None


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The options of every select; `members` are also whom an issue can be given to."""

    project: Options
    environment: Options
    period: Options
    level: Options
    release: Options
    assigned: Options
    sort: Options
    projects: tuple[ProjectRef, ...]
    members: list[Member]
    #: Whether there is more than a select can hold: then one types, and is offered what fits.
    has_many_projects: bool
    has_many_members: bool


@dataclass(frozen=True, slots=True)
class IssueList:
    """All that the template needs. `next` and `previous` are addresses or ""."""

    choice: Choice
    rows: list[Row]
    options: Narrowing
    error: SearchError | None
    next: str
    previous: str
    count_text: str
    is_partial: bool
    topic: str
    waiting_for: str

    @property
    def tabs(self) -> list[dict[str, object]]:
        """The statuses as links."""
        return [
            {
                "title": status.capitalize(),
                "href": self.choice.address(status=status),
                "active": status == self.choice.status,
            }
            for status in STATUSES
        ]

    @property
    def is_narrowed(self) -> bool:
        """Whether something besides the status keeps issues out."""
        choice = self.choice
        return bool(
            choice.q or choice.project or choice.environment or choice.period
            or choice.level or choice.release or choice.assigned
        )  # fmt: skip

    @property
    def shown_status(self) -> int | None:
        """The one status that all rows have."""
        statuses = STATUSES[self.choice.status]
        return statuses[0] if len(statuses) == 1 else None

    @property
    def cleared(self) -> str:
        """The address without filters; status and sort stay."""
        empty = dict.fromkeys(
            ("q", "project", "environment", "period", "level", "release", "assigned"), ""
        )
        return self.choice.address(**empty)


def load(req: Req, params: Query) -> IssueList:
    """The list that an address asks for. Raises Invalid for values no select offers, NotFound for
    a project out of reach; a search that cannot be read is part of the answer."""
    reader = req.meta.read()
    choice = read_choice(params)
    project = _project(req, choice.project)
    if project is not None:
        choice = replace(choice, project=project.slug)
    now_ms = clock.to_ms(req.now)
    chosen = (project.id,) if project else req.reach.project_ids
    error, found = None, None
    try:
        found = queries.page(
            reader,
            req.reach,
            _filters(choice, chosen if project else None, now_ms),
            sort=choice.sort or DEFAULT_SORT,
            cursor=queries.Cursor.parse(choice.cursor),
            user_id=req.actor.user_id,
        )
    except Invalid as problem:
        error = _search_error(choice.q, problem)
    rows = _rows(req, found, now_ms) if found else []
    return IssueList(
        choice,
        rows,
        _options(req, choice, chosen),
        error,
        choice.address(cursor=str(found.next)) if found and found.next else "",
        choice.address(cursor=str(found.previous)) if found and found.previous else "",
        _count_text(found, len(rows)),
        found.is_partial if found else False,
        _topic(req, project),
        "" if rows else _waiting_for(req, chosen),
    )


def read_choice(params: Query) -> Choice:
    """The filters of an address. Raises Invalid for a value that no select offers."""
    q = params.text("q", max=MAX_TEXT)
    default_status = "all" if _names_status(q) else "unresolved"
    return Choice(
        q=q,
        status=params.choice("status", STATUSES, default_status),
        default_status=default_status,
        project=params.text("project", max=100),
        environment=params.text("environment", max=200),
        period=params.choice("period", PERIODS, ""),
        level=params.choice("level", LEVELS, ""),
        release=params.text("release", max=250),
        assigned=params.text("assigned", max=254),
        sort=params.choice("sort", (DEFAULT_SORT, *SORTS), "").removeprefix(DEFAULT_SORT),
        cursor=params.text("cursor", max=60),
    )


def _names_status(q: str) -> bool:
    """Whether the search says itself which statuses it wants."""
    try:
        terms = list(search.parse(q).walk())
    except Invalid:
        return False
    known = {*STATUSES, "ignored"}
    return any(
        term.key in {"is", "status"} and any(value.lower() in known for value in term.values)
        for term in terms
    )


def _filters(choice: Choice, project_ids: tuple[int, ...] | None, now_ms: int) -> queries.Filters:
    return queries.Filters(
        query=search.parse(choice.q),
        project_ids=project_ids,
        statuses=STATUSES[choice.status],
        levels=(LEVELS[choice.level],) if choice.level else (),
        environment=choice.environment or None,
        release=choice.release or None,
        assigned=choice.assigned or None,
        since_ms=now_ms - PERIODS[choice.period][1] if choice.period else None,
    )


def _search_error(q: str, problem: Invalid) -> SearchError:
    if not isinstance(problem, search.Unreadable):
        return SearchError(problem.detail, None)
    position = problem.position
    end = q.find(" ", position + 1)
    end = len(q) if end < 0 else end
    return SearchError(problem.detail, (q[:position], q[position:end], q[end:]))


def _rows(req: Req, found: queries.Page, now_ms: int) -> list[Row]:
    ids = [issue.id for issue in found.issues]
    reader, chosen = req.meta.read(), () if found.environment is None else (found.environment,)
    day = queries.sparklines_24h(reader, ids, now_ms=now_ms, environments=chosen)
    fortnight = queries.sparklines_14d(reader, ids, now_ms=now_ms, environments=chosen)
    names = {number: name for name, number in LEVELS.items()}
    return [
        Row(
            issue,
            names.get(issue.level, "error"),
            now_ms - issue.first_seen_at < DAY_MS,
            day[issue.id],
            fortnight[issue.id],
        )
        for issue in queries.told(req.tracer, req.reach, found.issues)
    ]


def _options(req: Req, choice: Choice, chosen: tuple[int, ...]) -> Narrowing:
    reader = req.meta.read()
    environments = projects.environments(reader, req.reach)
    members = accounts.assignable(reader, req.reach.organization_id, SELECTABLE + 1)
    has_many_members = len(members) > SELECTABLE
    has_many_projects = len(req.projects) > SELECTABLE
    refs = () if has_many_projects else req.projects
    if has_many_members:
        members = members[:SUGGESTED]
    people = [("me", "Me"), ("none", "Nobody")]
    people += [
        (one.email, one.name or one.email) for one in members if one.user_id != req.actor.user_id
    ]
    return Narrowing(
        project=[("", "All projects"), *((ref.slug, ref.name) for ref in refs)],
        projects=req.projects[:SUGGESTED],
        environment=_named("All environments", environments, choice.environment),
        period=[("", "Any time"), *((name, words) for name, (words, _) in PERIODS.items())],
        level=[("", "Any level"), *((name, name.capitalize()) for name in reversed(LEVELS))],
        release=_named("Any release", releases(reader, req.reach, chosen), choice.release),
        assigned=[("", "Anyone"), *people],
        sort=list(SORTS.items()),
        members=members,
        has_many_projects=has_many_projects,
        has_many_members=has_many_members,
    )


def _named(everything: str, names: list[str], chosen: str) -> Options:
    """Options of plain names; the chosen one is among them even if it is no longer known."""
    if chosen and chosen not in names:
        names = [chosen, *names]
    return [("", everything), *((name, name) for name in names)]


def _project(req: Req, name: str) -> ProjectRef | None:
    """A project by its slug or id."""
    if not name:
        return None
    for ref in req.projects:
        if name in (ref.slug, str(ref.id)):
            return ref
    raise NotFound("There is no such project.")


def _topic(req: Req, project: ProjectRef | None) -> str:
    if project is not None:
        return f"project:{project.id}"
    return "projects" if req.projects else ""


def _waiting_for(req: Req, chosen: tuple[int, ...]) -> str:
    """The slug of the project to set up, when none of those chosen has had an event yet."""
    found = [one for one in projects.projects(req.meta.read(), req.reach) if one.id in chosen]
    if not found or any(one.first_event_at for one in found):
        return ""
    return found[0].slug


def _count_text(found: queries.Page | None, shown: int) -> str:
    if found is None or not shown:
        return ""
    if found.total is None or found.total == shown:
        return plural(shown, "issue")
    return f"{shown} of {found.total:,}{'+' if found.is_capped else ''} issues"
