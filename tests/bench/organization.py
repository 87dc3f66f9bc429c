"""One organization at its largest: 10,000 users, 500 teams, 1,000 projects, with events in some.

Pages are asked in process, through the guard, by an owner and by a member who sees the projects of
three teams only. Nothing here judges the figures.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Running, running
from tracer.accounts import actions, queries
from tracer.ingest.endpoint import Call, authorize
from tracer.ingest.intake import Body
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import empty
from tracer.kit.routes import Found, Routes
from tracer.kit.site import read_request
from tracer.protocol.dsn import find_key

USERS, TEAMS, PROJECTS = 10_000, 500, 1_000
ISSUES = 300
ENTRIES, POLICIES = 100_000, 50
WARM = 3

MEMBER = "user00077@example.com"

PAGES = {
    "issue list": "/issues/",
    "issue list of a project": "/issues/?project=project-0500",
    "issue": "/issues/{issue}/",
    "projects": "/projects/",
    "teams": "/teams/",
    "team": "/teams/team-077/",
    "members": "/members/",
    "members, page 150": "/members/?page=150",
    "members, searched": "/members/?query=user0907",
    "member suggested as one types": "/members/suggest?email=user0907",
    "assignee looked up as one types": "/issues/assignees?find=user0907",
    "project suggested as one types": "/projects/suggest?project=0907",
    "audit log": "/settings/audit/",
    "audit log, searched in vain": "/settings/audit/?query=nothing",
}
OF_OWNERS = {"issue list of a project", "audit log", "audit log, searched in vain"}

_probe = Routes()


@_probe.get("/probe/", can=Permission.EVENT_READ)
def probe(req: Req) -> Any:
    return empty()


def organization(times: int) -> dict[str, Any]:
    """p95 (ms) and statements of each page, and the guard's own microseconds, each of `times`."""
    with (
        tempfile.TemporaryDirectory(prefix="tracer-bench-") as folder,
        running(Path(folder)) as site,
    ):
        issue = _fill(site)
        owner, member = site.login(), site.login(MEMBER, "member")
        visitors = {"owner": _cookie(owner), "member": _cookie(member)}
        figures: dict[str, Any] = {"pages": {}, "guard_us": {}}
        for who, cookie in visitors.items():
            for name, path in PAGES.items():
                if who == "member" and name in OF_OWNERS:
                    continue
                ask = _asking(site, path.format(issue=issue), cookie)
                figures["pages"][f"{name}, {who}"] = _page(site, ask, times)
            guard = _probing(site, cookie)
            figures["guard_us"][f"page, {who}"] = _microseconds(guard, times * 20)
        figures["guard_us"]["ingest"] = _microseconds(_ingesting(site), times * 100)
    return figures


def _fill(site: Running) -> int:
    """Fills it, and shows members the projects of their teams only. Gives an issue's id."""
    org = site.org.id
    with site.meta.write(unaudited="benchmark") as tx:
        first = _ids(tx, "users"), _ids(tx, "teams"), _ids(tx, "projects")
        tx.many(
            "INSERT INTO users (email, name, created_at, login_at) VALUES (?, ?, 1, 1)",
            [(f"user{n:05}@example.com", f"User {n}") for n in range(USERS)],
        )
        tx.many(
            "INSERT INTO members VALUES (?, ?, 'member', 1)",
            [(org, first[0] + n) for n in range(USERS)],
        )
        tx.many(
            "INSERT INTO teams (organization_id, slug, name, created_at) VALUES (?, ?, ?, 1)",
            [(org, f"team-{n:03}", f"Team {n}") for n in range(TEAMS)],
        )
        tx.many(
            "INSERT INTO projects (organization_id, slug, name, created_at) VALUES (?, ?, ?, 1)",
            [(org, f"project-{n:04}", f"Project {n}") for n in range(PROJECTS)],
        )
        tx.many(
            "INSERT INTO project_keys (project_id, public_key, created_at) VALUES (?, ?, 1)",
            [(first[2] + n, f"{n:032x}") for n in range(PROJECTS)],
        )
        tx.many(
            "INSERT INTO team_members VALUES (?, ?, 'contributor', 1)",
            [
                (first[1] + (n + step) % TEAMS, first[0] + n)
                for n in range(USERS)
                for step in (0, 1, 9)
            ],
        )
        tx.many(
            "INSERT INTO team_projects VALUES (?, ?)",
            [(first[1] + n % TEAMS, first[2] + n) for n in range(PROJECTS)],
        )
        _add_policies_and_entries(tx, org)
        home = queries.organization_settings(tx, org)
        actions.update_organization(tx, home, is_open=False)
    site.tracer.keys.refresh(site.meta.read())
    places = {project.slug: project for project in site.projects()}
    for number in range(ISSUES):
        project = places["project-0077" if number % 3 else f"project-{number * 3:04}"]
        site.send(
            message=f"Problem {number}", fingerprint=[str(number)], project=project, digest=False
        )
    site.digest()
    found: int = site.meta.read().value(
        "SELECT min(id) FROM issues WHERE project_id = :id", id=places["project-0077"].id
    )
    return found


def _add_policies_and_entries(tx: Any, org: int) -> None:
    """Policies of every kind, and a long audit log (its chain does not matter here)."""
    kinds = (
        ("deny", '{"permissions":["event:admin"],"project_ids":[2,3,4]}', "{}"),
        ("deny", '{"actor_kinds":["token"],"addresses":["203.0.113.0/24"]}', "{}"),
        ("require", '{"permissions":["org:admin"],"addresses":["203.0.113.0/24"]}', "{}"),
        ("deny", '{"environments":["staging"],"project_ids":[5]}', "{}"),
    )
    tx.many(
        """
        INSERT INTO policies
            (organization_id, name, effect, conditions, requirements, created_at, changed_at)
        VALUES (?, ?, ?, ?, ?, 0, 0)
        """,
        [(org, f"Policy {n}", *kinds[n % len(kinds)]) for n in range(POLICIES)],
    )
    tx.many(
        """
        INSERT INTO audit (at, organization_id, project_id, actor_kind, actor_id, actor,
            address, device, action, object_type, object_id, object, before, after, hash)
        VALUES (?, ?, 1, 'user', 1, ?, '10.0.0.1', 'Firefox', 'issue.resolve', 'issue', ?, 'SHOP-1',
            '{"status":"unresolved"}', '{"status":"resolved"}', x'00')
        """,
        ((tx.now_ms, org, f"user{n % 50}@example.com", str(n % 900)) for n in range(ENTRIES)),
    )


def _ids(tx: Any, table: str) -> int:
    """The id that the next row will have."""
    return int(tx.value(f"SELECT coalesce(max(id), 0) + 1 FROM {table}"))


def _cookie(browser: Any) -> bytes:
    return f"tracer_login={browser.cookies['tracer_login']}".encode()


def _request(site: Running, address: str, cookie: bytes) -> Req:
    path, _, query = address.partition("?")
    part = [(b"hx-request", b"true")] if "suggest" in path or "assignees" in path else []
    return read_request(
        site.tracer,
        {
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"testserver"), (b"cookie", cookie), *part],
            "client": ("127.0.0.1", 1),
        },
    )


def _asking(site: Running, address: str, cookie: bytes) -> Callable[[], int]:
    def ask() -> int:
        req = _request(site, address, cookie)
        found: Any = site.app.table.find("GET", req.path)
        req.route = found.route
        return int(site.app.guard.run(req, found).status_code)

    return ask


def _page(site: Running, ask: Callable[[], int], times: int) -> dict[str, float]:
    for _ in range(WARM):
        assert ask() == 200, "a page that cannot be seen is not measured"
    with site.meta.counted() as counter:
        ask()
    taken = sorted(_timed(ask) for _ in range(times))
    return {
        "p95_ms": taken[int(len(taken) * 0.95)] * 1000,
        "p50_ms": statistics.median(taken) * 1000,
        "statements": counter.count,
    }


def _probing(site: Running, cookie: bytes) -> Callable[[], object]:
    """The guard around a handler that does nothing; the request is read before."""
    found = Found(next(iter(_probe)), {})
    made = _request(site, "/probe/", cookie)
    made.route = found.route
    return lambda: site.app.guard.run(made, found)


def _ingesting(site: Running) -> Callable[[], object]:
    """What stands between an SDK's request and its body: key, project, origin."""
    intake = site.tracer.intake
    key = f"{PROJECTS // 2:032x}"
    project_id = site.tracer.keys.find(key).project_id
    headers = {b"x-sentry-auth": f"Sentry sentry_version=7, sentry_key={key}".encode()}
    scope: Any = {"tracer": site.tracer, "query_string": b""}

    def guard() -> object:
        call = Call(scope, headers, project_id, intake, Body(intake))
        return authorize(call, find_key(headers, b""))

    return guard


def _microseconds(work: Callable[[], object], times: int) -> dict[str, float]:
    for _ in range(WARM):
        work()
    taken = sorted(_timed(work) for _ in range(times))
    return {"p50": taken[times // 2] * 1e6, "p95": taken[int(times * 0.95)] * 1e6}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
