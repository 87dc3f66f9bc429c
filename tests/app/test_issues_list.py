from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness import Running, running
from issue_samples import failure
from tracer import clock
from tracer.errors import Invalid
from tracer.issues import actions, queries
from tracer.issues.queries import Cursor, Filters
from tracer.kit.context import Actor, Reach
from tracer.search import parse
from tracer.storage.meta import Meta

listing = importlib.import_module("tracer.issues.queries.page")

LEVELS = ("error", "warning", "fatal", "info")
HOUR_MS = 3_600_000
COUNT = 36


@dataclass
class Known:
    """What a test knows of an issue that it made, to check the list against."""

    number: int
    id: int = 0
    status: int = 0
    assignee: str = ""

    @property
    def level(self) -> str:
        return LEVELS[self.number % 4]

    @property
    def type(self) -> str:
        return f"Error{self.number:02}"

    @property
    def value(self) -> str:
        return f"widget {self.number % 5} fails" if self.number % 2 else f"gadget {self.number}"

    @property
    def events(self) -> list[tuple[str, int]]:
        """(environment, hours ago) of each event."""
        ages = range(self.number, self.number + 1 + self.number % 3)
        return [("staging" if (age + self.number) % 3 == 0 else "production", age) for age in ages]

    @property
    def release(self) -> str:
        return f"shop@1.{self.number % 4}.0"

    @property
    def browser(self) -> str:
        return ("Chrome", "Firefox", "Mobile Safari")[self.number % 3]

    @property
    def is_second_project(self) -> bool:
        return self.number % 6 == 5

    def seen(self, environment: str | None = None) -> list[int]:
        """Hours ago, newest first."""
        return sorted(age for name, age in self.events if environment in (None, name))


@dataclass
class World:
    tracer: Running
    known: list[Known]
    now_ms: int

    @property
    def reader(self) -> Meta:
        return self.tracer.meta.read()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("list") / "data") as tracer:
        yield _populate(tracer)


def _populate(tracer: Running) -> World:
    second, now_s = tracer.add_project("billing"), time.time() - 60
    known = [Known(number) for number in range(COUNT)]
    for one in known:
        for place, (environment, age) in enumerate(one.events):
            tracer.send(
                failure(
                    one.type,
                    one.value,
                    timestamp=now_s - age * 3600,
                    level=one.level,
                    environment=environment,
                    release=one.release,
                    tags={"browser.name": one.browser},
                    user={"id": str(place if one.number % 2 else 0)},
                ),
                project=second if one.is_second_project else None,
                digest=False,
            )
    tracer.digest()
    rows = dict(tracer.meta.read().rows("SELECT type, id FROM issues"))
    assert len(rows) == COUNT
    me = tracer.add_user("me@example.com", "member")
    other = tracer.add_user("you@example.com", "member")
    by = Actor("user")
    with tracer.meta.write() as tx:
        for one in known:
            one.id = rows[one.type]
            issue = queries.current_issue(tx, one.id)
            if one.number % 7 == 3:
                one.status = 1
                actions.resolve(tx, issue, by=by)
            elif one.number % 7 == 5:
                one.status = 2
                actions.archive(tx, issue, by=by)
            if one.number % 5 == 1:
                one.assignee = "me"
                actions.assign(tx, issue, me, by=by)
            elif one.number % 5 == 2:
                one.assignee = "you"
                actions.assign(tx, issue, other, by=by)
    return World(tracer, known, int(now_s * 1000))


CASES: dict[str, Callable[[Known], bool]] = {
    "": lambda k: True,
    "is:unresolved": lambda k: k.status == 0,
    "is:archived": lambda k: k.status == 2,
    "!is:resolved": lambda k: k.status != 1,
    "is:[resolved, ignored]": lambda k: k.status in (1, 2),
    "is:assigned": lambda k: k.assignee != "",
    "is:unassigned is:unresolved": lambda k: k.assignee == "" and k.status == 0,
    "level:error": lambda k: k.level == "error",
    "!level:[error, info]": lambda k: k.level in ("warning", "fatal"),
    "release:shop@1.2.0": lambda k: k.release == "shop@1.2.0",
    "!release:shop@1.2.0": lambda k: k.release != "shop@1.2.0",
    "release:shop@1.*": lambda k: True,
    "browser.name:Chrome": lambda k: k.browser == "Chrome",
    "!browser.name:Chrome": lambda k: k.browser != "Chrome",
    'browser.name:[Chrome, "Mobile Safari"]': lambda k: k.browser != "Firefox",
    "browser.name:*o*e": lambda k: k.browser == "Chrome",
    "has:browser.name !has:nothing": lambda k: True,
    "assigned:me": lambda k: k.assignee == "me",
    "!assigned:me": lambda k: k.assignee != "me",
    "assigned:[me, none]": lambda k: k.assignee in ("me", ""),
    "assigned:you@example.com": lambda k: k.assignee == "you",
    "assigned:nobody@example.com": lambda k: False,
    "project:billing": lambda k: k.is_second_project,
    "!project:bill*": lambda k: not k.is_second_project,
    "widget": lambda k: k.number % 2 == 1,
    "WIDGET": lambda k: k.number % 2 == 1,
    '"widget 3"': lambda k: k.number % 2 == 1 and k.number % 5 == 3,
    "et fails": lambda k: k.number % 2 == 1,
    "message:widget*fails": lambda k: k.number % 2 == 1,
    "!message:widget": lambda k: k.number % 2 == 0,
    "error.type:Error07": lambda k: k.number == 7,
    "error.type:Error0*": lambda k: k.number < 10,
    "billing-1": lambda k: k.number == 5,
    "issue:BILLING-2": lambda k: k.number == 11,
    "timesSeen:>1": lambda k: len(k.events) > 1,
    "timesSeen:[1, 3]": lambda k: len(k.events) in (1, 3),
    "timesSeen:>999999999999999m": lambda k: False,
    "users:>=2": lambda k: k.number % 2 == 1 and len(k.events) > 1,
    "lastSeen:-10h": lambda k: k.seen()[0] < 10,
    "lastSeen:+10h": lambda k: k.seen()[0] >= 10,
    "firstSeen:-10h": lambda k: k.seen()[-1] < 10,
    "level:fatal browser.name:Chrome widget": lambda k: (
        k.level == "fatal" and k.browser == "Chrome" and k.number % 2 == 1
    ),
    "is:resolved OR level:fatal": lambda k: k.status == 1 or k.level == "fatal",
    "is:unresolved (project:billing OR widget)": lambda k: (
        k.status == 0 and (k.is_second_project or k.number % 2 == 1)
    ),
    "browser.name:Chrome OR (level:fatal !project:bill*) OR billing-1": lambda k: (
        k.browser == "Chrome" or (k.level == "fatal" and not k.is_second_project) or k.number == 5
    ),
    "level:error browser.name:Firefox": lambda k: k.level == "error" and k.browser == "Firefox",
}

PLANS = {"source": (5000, 20_000), "walk": (0, 20_000), "short walk": (0, 5)}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both plans of a page must find the same, however far a walk may look."""
    few, window = PLANS[request.param]
    monkeypatch.setattr(listing, "FEW", few)
    monkeypatch.setattr(listing, "WINDOW", window)
    return request.param


def _all(world: World, filters: Filters, sort: str, limit: int = 7) -> list[list[int]]:
    """Every page of a list, onward to its end, and the same pages again on the way back."""
    me = world.tracer.add_user("me@example.com", "member")
    options = {"sort": sort, "limit": limit, "user_id": me}
    pages, cursor = [], None
    for _ in range(200):
        page = queries.page(world.reader, world.tracer.reach, filters, cursor=cursor, **options)
        pages.append([issue.id for issue in page.issues])
        if page.next is None:
            break
        assert page.is_partial or len(page.issues) == limit
        cursor = Cursor.parse(str(page.next))
    else:
        raise AssertionError("the list never ends")
    back: list[list[int]] = []
    for _ in range(200):
        if page.previous is None:
            break
        page = queries.page(
            world.reader, world.tracer.reach, filters, cursor=page.previous, **options
        )
        back.insert(0, [issue.id for issue in page.issues])
        if page.is_partial and page.previous is None:
            break
    found = list(itertools.chain.from_iterable(pages))
    earlier = list(itertools.chain.from_iterable(back))
    assert earlier == found[: len(earlier)]
    assert len(earlier) >= len(found) - limit
    return pages


def _key(sort: str, environment: str | None = None) -> Callable[[Known], tuple[float, int]]:
    def key(one: Known) -> tuple[float, int]:
        ages = one.seen(environment)
        value = {
            "last_seen": -ages[0],
            "first_seen": -ages[-1],
            "events": len(ages),
            "users": len(ages) if one.number % 2 else 1,
        }[sort]
        return (-value, -one.id)

    return key


@pytest.mark.parametrize("query", CASES)
def test_query_finds_what_it_says(world: World, plan: str, query: str) -> None:
    pages = _all(world, Filters(parse(query)), "last_seen")
    expected = sorted(filter(CASES[query], world.known), key=_key("last_seen"))
    assert list(itertools.chain.from_iterable(pages)) == [one.id for one in expected]


@pytest.mark.parametrize("sort", queries.SORTS)
@pytest.mark.parametrize("environment", [None, "production", "staging", "moon"])
@pytest.mark.parametrize(
    "query", ["", "is:unresolved", "widget", "!browser.name:Chrome level:error"]
)
def test_sorts_follow_the_numbers_shown(
    world: World, plan: str, sort: str, environment: str | None, query: str
) -> None:
    pages = _all(world, Filters(parse(query), environment=environment), sort)
    matching = [one for one in world.known if one.seen(environment) and _matches(query, one)]
    expected = sorted(matching, key=_key(sort, environment))
    assert list(itertools.chain.from_iterable(pages)) == [one.id for one in expected]


def _matches(query: str, one: Known) -> bool:
    if query.startswith("!browser"):
        return one.browser != "Chrome" and one.level == "error"
    return CASES[query](one)


@pytest.mark.parametrize("sort", queries.SORTS)
@pytest.mark.parametrize("environment", [None, "staging"])
def test_time_range_is_when_it_was_last_seen(
    world: World, plan: str, sort: str, environment: str | None
) -> None:
    since_ms = world.now_ms - 12 * HOUR_MS - 1
    pages = _all(world, Filters(environment=environment, since_ms=since_ms), sort)
    recent = [
        one for one in world.known if one.seen(environment) and one.seen(environment)[0] <= 12
    ]
    assert list(itertools.chain.from_iterable(pages)) == [
        one.id for one in sorted(recent, key=_key(sort, environment))
    ]


def test_environment_decides_the_numbers_shown(world: World) -> None:
    page = queries.page(
        world.reader, world.tracer.reach, Filters(parse("environment:staging")), limit=100
    )
    shown = {issue.id: issue for issue in page.issues}
    assert page.environment == "staging"
    for one in world.known:
        ages = one.seen("staging")
        assert (one.id in shown) == bool(ages)
        if ages:
            issue = shown[one.id]
            assert issue.event_count == len(ages)
            assert abs(issue.last_seen_at - (world.now_ms - ages[0] * HOUR_MS)) < 1000
            assert abs(issue.first_seen_at - (world.now_ms - ages[-1] * HOUR_MS)) < 1000


def test_form_fields_narrow_as_terms_do(world: World) -> None:
    for filters, matches in (
        (Filters(levels=(40, 50)), lambda k: k.level in ("error", "fatal")),
        (Filters(release="shop@1.2.0"), lambda k: k.release == "shop@1.2.0"),
        (Filters(release="shop@1.*"), lambda k: False),
        (Filters(assigned="me"), lambda k: k.assignee == "me"),
        (Filters(assigned="none"), lambda k: k.assignee == ""),
        (Filters(statuses=(1,)), lambda k: k.status == 1),
        (Filters(project_ids=(world.tracer.project.id,)), lambda k: not k.is_second_project),
        (Filters(project_ids=(999,)), lambda k: False),
    ):
        pages = _all(world, filters, "last_seen")
        expected = sorted(filter(matches, world.known), key=_key("last_seen"))
        assert list(itertools.chain.from_iterable(pages)) == [one.id for one in expected]


def test_nothing_is_seen_out_of_reach(world: World) -> None:
    nowhere = Reach(world.tracer.org.id, ())
    mine = Reach(world.tracer.org.id, (world.tracer.project.id,))
    assert queries.page(world.reader, nowhere, Filters()).issues == []
    page = queries.page(world.reader, mine, Filters(), limit=100)
    assert {issue.project_id for issue in page.issues} == {world.tracer.project.id}
    hidden = next(one for one in world.known if one.is_second_project)
    assert queries.issue(world.reader, mine, hidden.id) is None
    assert queries.issue_by_name(world.reader, mine, "billing-1") is None
    assert queries.issue_by_name(world.reader, world.tracer.reach, "billing-1") is not None
    assert queries.page(world.reader, mine, Filters(parse("issue:BILLING-1"))).issues == []


def test_total_counts_what_matches_up_to_a_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = queries.page(world.reader, world.tracer.reach, Filters(), limit=5)
    assert (page.total, page.is_capped) == (COUNT, False)
    monkeypatch.setattr(listing, "COUNT_CAP", 10)
    page = queries.page(world.reader, world.tracer.reach, Filters(), limit=5)
    assert (page.total, page.is_capped) == (10, True)
    page = queries.page(world.reader, world.tracer.reach, Filters(), limit=5, cursor=page.next)
    assert page.total is None


def test_a_walk_that_gave_up_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "WINDOW", 10)
    page = queries.page(world.reader, world.tracer.reach, Filters(parse("level:debug")))
    assert (page.issues, page.is_partial, page.next is not None) == ([], True, True)


@pytest.mark.parametrize("sort", queries.SORTS)
@pytest.mark.parametrize("few", [0, 5000])
def test_page_keeps_its_query_budget(
    world: World, monkeypatch: pytest.MonkeyPatch, sort: str, few: int
) -> None:
    monkeypatch.setattr(listing, "FEW", few)
    query = parse("is:unresolved project:* browser.name:Firefox widget !level:debug lastSeen:-30d")
    filters = Filters(query, environment="production", since_ms=world.now_ms - 99 * HOUR_MS)
    with Meta.counted() as counter:
        page = queries.page(world.reader, world.tracer.reach, filters, sort=sort)
        ids = [issue.id for issue in page.issues]
        queries.sparklines_24h(
            world.reader, ids, now_ms=clock.now_ms(), environments=["production"]
        )
        queries.sparklines_14d(world.reader, ids, now_ms=clock.now_ms())
    assert page.issues
    assert counter.count <= 6


@pytest.mark.parametrize("sort", queries.SORTS)
@pytest.mark.parametrize("environment", [None, "production"])
def test_lists_are_read_from_an_index_in_their_order(
    world: World, sort: str, environment: str | None
) -> None:
    filters = Filters(parse("is:unresolved"), environment=environment)
    narrowed = listing.narrow(filters, user_id=None, now_ms=0)
    cursor = Cursor(10, 10)
    wanted = listing._listing(narrowed, world.tracer.reach.project_ids, sort, cursor)
    sql = listing._by_walk(wanted, None)
    plan = world.reader.rows(f"EXPLAIN QUERY PLAN {sql} LIMIT 25", **wanted.params)
    text = "\n".join(row[3] for row in plan)
    table = "issues" if environment is None else "issue_environments"
    assert f"INDEX {table}_{sort.removesuffix('_seen')}" in text
    assert "TEMP B-TREE" not in text
    assert "SCAN i" not in text
    assert "SCAN e" not in text


def test_many_projects_are_listed_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_MAX_RANGES", 1)
    pages = _all(world, Filters(parse("!level:error")), "events")
    expected = sorted((k for k in world.known if k.level != "error"), key=_key("events"))
    assert list(itertools.chain.from_iterable(pages)) == [one.id for one in expected]


def test_unknown_sort_is_refused(world: World) -> None:
    with pytest.raises(Invalid):
        queries.page(world.reader, world.tracer.reach, Filters(), sort="title")
