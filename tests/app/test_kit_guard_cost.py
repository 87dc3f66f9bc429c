"""What the guard costs a request, also in a large organization."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from tracer import manifest
from tracer.kit.feature import Feature
from tracer.kit.permissions import Permission
from tracer.kit.render import json
from tracer.kit.routes import Routes
from tracer.kit.site import read_request

routes = Routes()


@routes.get("/probe/read", can=Permission.EVENT_READ)
def read(req: Any) -> Any:
    return json({"projects": list(req.reach.project_ids)})


PROBE = Feature("probe", routes=(routes,))


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("probe")
    with running(folder / "data", (*manifest.FEATURES, PROBE)) as started:
        yield started


def test_guard_makes_one_query_once_it_knows_the_organization(probe: Running) -> None:
    req, found = _prepared(probe)
    probe.app.guard.run(req, found)
    req, found = _prepared(probe)
    with probe.meta.counted() as counter:
        probe.app.guard.run(req, found)
    assert counter.count == 1


def test_guard_makes_one_query_in_a_large_organization_too(tmp_path: Path) -> None:
    with running(tmp_path / "data", (*manifest.FEATURES, PROBE)) as large:
        _grow(large, projects=1000, teams=500, policies=50)
        assert len(large.page("/probe/read").json()["projects"]) > 900
        req, found = _prepared(large)
        with large.meta.counted() as counter:
            large.app.guard.run(req, found)
        assert counter.count == 1


def _grow(site: Running, *, projects: int, teams: int, policies: int) -> None:
    """Projects, teams of which the owner leads ten, and policies of every kind."""
    org, user = site.org.id, site.add_user()
    every_kind = [
        ("deny", '{"permissions":["event:admin"],"project_ids":[2,3,4]}', "{}"),
        (
            "require",
            '{"permissions":["org:admin"],"second_factor":false}',
            '{"second_factor":true}',
        ),
        ("deny", '{"actor_kinds":["token"],"addresses":["203.0.113.0/24"]}', "{}"),
        (
            "require",
            '{"roles":["owner"]}',
            '{"hours":{"days":[0,1,2,3,4,5,6],"zone":"Asia/Tokyo"}}',
        ),
        ("deny", '{"environments":["staging"],"project_ids":[5]}', "{}"),
    ]
    with site.meta.write(unaudited="test") as tx:
        tx.many(
            "INSERT INTO projects (organization_id, slug, name, created_at) VALUES (?, ?, ?, 0)",
            [(org, f"p{n}", f"Project {n}") for n in range(projects)],
        )
        tx.many(
            "INSERT INTO teams (organization_id, slug, name, created_at) VALUES (?, ?, ?, 0)",
            [(org, f"t{n}", f"Team {n}") for n in range(teams)],
        )
        tx.execute("INSERT INTO team_projects SELECT id, id + 1 FROM teams")
        tx.execute(
            "INSERT INTO team_members SELECT id, :user, 'lead', 0 FROM teams LIMIT 10", user=user
        )
        tx.many(
            """
            INSERT INTO policies
                (organization_id, name, effect, conditions, requirements, created_at, changed_at)
            VALUES (?, ?, ?, ?, ?, 0, 0)
            """,
            [(org, f"Policy {n}", *every_kind[n % len(every_kind)]) for n in range(policies)],
        )


def _prepared(probe: Running) -> Any:
    """A request as the site makes it, and its route."""

    browser = probe.client if "tracer_login" in probe.client.cookies else probe.login()
    cookie = f"tracer_login={browser.cookies['tracer_login']}"
    scope = {
        "method": "GET",
        "path": "/probe/read",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
    }
    found: Any = probe.app.table.find("GET", "/probe/read")
    req = read_request(probe.tracer, scope)
    req.route = found.route
    return req, found
