"""Quotas by the API and by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness import Running, envelope, running
from tracer import clock
from tracer.cli import main

EVENT = ({"type": "event"}, {"message": "It broke"})
WANTED = {"category": "error", "window": "month", "amount": 2}


@pytest.fixture
def org(tracer: Running) -> str:
    return f"/api/0/organizations/{tracer.org.slug}/quotas/"


@pytest.fixture
def project(tracer: Running) -> str:
    return f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/quotas/"


def cli(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_quota_is_set_listed_and_removed(tracer: Running, org: str, project: str) -> None:
    made = tracer.api(project, "POST", json=WANTED)
    assert made.status_code == 201
    body = made.json()
    assert (body["scope"], body["category"], body["window"]) == ("project", "error", "month")
    assert (body["used"], body["kind"], body["isExceeded"]) == (0, "hard", False)
    raw = envelope({}, [EVENT])
    assert [tracer.post_envelope(raw).status_code for _ in range(3)] == [200, 200, 429]
    tracer.tracer.digest.flush()
    [listed] = tracer.api(org).json()
    assert (listed["used"], listed["isExceeded"]) == (2, True)
    assert tracer.api(f"{project}{body['id']}/", "DELETE").status_code == 204
    assert tracer.api(org).json() == []


def test_setting_it_again_changes_the_amount(tracer: Running, org: str) -> None:
    first = tracer.api(org, "POST", json=WANTED).json()
    second = tracer.api(org, "POST", json={**WANTED, "amount": 5}).json()
    assert (second["id"], second["amount"]) == (first["id"], 5)
    tracer.api(org, "POST", json={**WANTED, "kind": "soft"})
    assert len(tracer.api(org).json()) == 2


def test_quota_of_a_key_is_named_by_its_public_part(tracer: Running, project: str) -> None:
    made = tracer.api(project, "POST", json={**WANTED, "window": "hour", "key": tracer.key})
    assert made.json()["scope"] == "key"
    keys = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/keys/"
    assert tracer.api(keys).json()[0]["rateLimit"] == {"window": 3600, "count": 2}
    unknown = tracer.api(project, "POST", json={**WANTED, "key": "f" * 32})
    assert unknown.status_code == 400


def test_key_is_refused_where_no_project_is_named(tracer: Running, org: str) -> None:
    assert tracer.api(org, "POST", json={**WANTED, "key": tracer.key}).status_code == 400


def test_dry_run_tells_and_sets_nothing(tracer: Running, org: str, project: str) -> None:
    for _ in range(3):
        tracer.send(message="It broke")
    for path in (org, project):
        told = tracer.api(f"{path}dry-run/", "POST", json={**WANTED, "amount": 1})
        assert told.json() == {"offered": 3, "dropped": 2, "hours": 1}
    assert tracer.api(org).json() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": -1},
        {"amount": 1_000_000_001},
        {"amount": 2**70},
        {"amount": 1.5},
        {"amount": "2"},
        {"window": "year"},
        {"window": "0"},
        {"window": "86401"},
        {"window": 60},
        {"category": "cats"},
        {"kind": "gentle"},
        {"amount": 0, "kind": "soft"},
    ],
)
def test_what_makes_no_quota_is_refused(tracer: Running, org: str, wrong: dict[str, Any]) -> None:
    assert tracer.api(org, "POST", json={**WANTED, **wrong}).status_code == 400
    assert tracer.api(org).json() == []


def test_scopes_decide_what_a_token_may_do(tracer: Running, org: str, project: str) -> None:
    assert tracer.api(org, scopes=["org:read"]).status_code == 200
    assert tracer.api(org, "POST", json=WANTED, scopes=["org:read"]).status_code == 403
    assert tracer.api(project, "POST", json=WANTED, scopes=["project:read"]).status_code == 403
    made = tracer.api(project, "POST", json=WANTED, scopes=["project:write"]).json()
    one = f"{project}{made['id']}/"
    assert tracer.api(one, "DELETE", scopes=["project:read"]).status_code == 403
    assert tracer.api(f"{org}{made['id']}/", "DELETE").status_code == 404


def test_operations_are_in_the_document(tracer: Running, org: str, project: str) -> None:
    paths = tracer.api("/api/0/openapi.json").json()["paths"]
    of_org = paths["/api/0/organizations/{organization_slug}/quotas/"]
    assert set(of_org) == {"get", "post"}
    assert "/api/0/projects/{organization_slug}/{project_slug}/quotas/dry-run/" in paths


# The command line -----------------------------------------------------------------------------


def test_command_sets_beside_a_running_server_and_it_holds_at_once(tracer: Running) -> None:
    data = ("--data", str(tracer.app.settings.data))
    slug = tracer.project.slug
    made = cli("quota", "set", "1", "--category", "error", "--project", slug, "--json", *data)
    assert made.exit_code == 0, made.stderr
    quota = json.loads(made.stdout)
    assert (quota["scope"], quota["window"], quota["kind"]) == ("project", "month", "hard")
    raw = envelope({"event_id": clock.new_id()}, [EVENT])
    assert [tracer.post_envelope(raw).status_code for _ in range(2)] == [200, 429]
    tracer.tracer.digest.flush()
    listed = json.loads(cli("quota", "list", "--json", *data).stdout)["quotas"]
    assert [(one["used"], one["is_exceeded"]) for one in listed] == [(1, True)]
    assert "EXCEEDED" in cli("quota", "list", "--project", slug, *data).stdout
    gone = cli("quota", "remove", str(quota["id"]), *data)
    assert "1 error a month is removed" in gone.stdout
    assert tracer.post_envelope(raw).status_code == 200


def test_command_sets_on_a_stopped_server(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    with running(tmp_path / "data"):
        pass
    made = cli("quota", "set", "0", "--per", "hour", *data)
    assert made.exit_code == 0, made.stderr
    with running(tmp_path / "data") as tracer:
        assert tracer.post_envelope(envelope({}, [EVENT])).status_code == 429


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "-1"), 2),
        (("set", "1000000001"), 2),
        (("set", "5", "--category", "cats"), 1),
        (("set", "5", "--per", "century"), 1),
        (("set", "5", "--project", "nothing"), 1),
        (("set", "5", "--key", "nothing"), 1),
        (("set", "5", "--org", "nobody"), 1),
        (("set", "0", "--soft"), 1),
        (("remove", "99"), 1),
        (("list", "--org", "nobody"), 1),
    ],
)
def test_command_refuses_what_makes_no_sense(
    tracer: Running, words: tuple[str, ...], code: int
) -> None:
    found = cli("quota", *words, "--data", str(tracer.app.settings.data))
    assert found.exit_code == code
    assert found.stderr
    assert tracer.meta.read().value("SELECT count(*) FROM quotas") == 0
