"""`tracer demo` beside a running server: what it leaves there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from issue_samples import issues
from serving import cli, read_json, untouched

EVENTS = 180


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def summary(folder: Path) -> Any:
    """What the command printed, run beside a server that has ended since."""
    with untouched(folder) as server:
        return read_json(server.cli("demo", "--events", str(EVENTS), "--json"))


@pytest.fixture(scope="module")
def shop(folder: Path, summary: Any) -> Iterator[Running]:
    """The same folder afterwards, in this process."""
    with running(folder / "data") as tracer:
        tracer.digest()
        yield tracer


def column(shop: Running, sql: str) -> list[Any]:
    return [row[0] for row in shop.meta.read().rows(sql)]


def test_every_event_is_in_the_named_project(shop: Running, summary: Any) -> None:
    assert summary["events"] == EVENTS
    assert (summary["organization"], summary["project"]) == ("default", "demo-shop")
    stored = shop.meta.read().rows(
        "SELECT p.slug, sum(i.event_count) FROM issues i"
        " JOIN projects p ON p.id = i.project_id GROUP BY 1"
    )
    assert stored == [("demo-shop", EVENTS)]
    outcomes = set(column(shop, "SELECT DISTINCT outcome FROM outcomes"))
    assert outcomes == {"stored"}


def test_shop_has_platforms_releases_environments_and_people(shop: Running) -> None:
    assert set(column(shop, "SELECT DISTINCT platform FROM issues")) == {
        "python",
        "javascript",
        "java",
        "go",
        "node",
    }
    assert 20 <= len(issues(shop)) <= 30
    assert len(column(shop, "SELECT version FROM releases")) >= 10
    assert set(column(shop, "SELECT name FROM environments")) == {"production", "staging"}
    assert len(column(shop, "SELECT DISTINCT user_key FROM issue_users")) >= 30
    assert len(column(shop, "SELECT id FROM attachments")) >= 2
    assert len(column(shop, "SELECT id FROM feedback WHERE issue_id IS NOT NULL")) >= 4


def test_events_lie_in_the_last_two_weeks(shop: Running) -> None:
    hours = column(shop, "SELECT DISTINCT hour_at FROM issue_hours")
    days = {(time.time() - hour / 1000) // 86_400 for hour in hours}
    assert len(days) >= 12
    assert max(days) <= 14


def test_issue_that_was_fixed_is_back_in_a_later_release(shop: Running) -> None:
    [issue] = issues(shop, "is:regressed")
    assert "shipping_zone" in issue["title"]
    page = shop.page(f"/issues/{issue['id']}/").text
    assert "Regressed" in page
    assert "shop-backend@4.11.0" in page
    assert "Regressed" in shop.page("/issues/").text
    found = column(
        shop, f"SELECT kind FROM issue_activity WHERE issue_id = {issue['id']} ORDER BY id"
    )
    assert found == ["first_seen", "resolved", "regression"]


def test_outage_stands_out_of_its_issue(shop: Running) -> None:
    [issue] = issues(shop, "CheckoutError")
    rows = shop.meta.read().rows(
        "SELECT hour_at, sum(event_count) FROM issue_hours WHERE issue_id = :id GROUP BY 1",
        id=int(issue["id"]),
    )
    outage = [count for hour, count in rows if 2.8 < (time.time() - hour / 1000) / 86_400 < 3.1]
    assert sum(outage) > sum(count for _, count in rows) / 2
    assert 1 <= len(outage) <= 4


def test_some_issues_are_resolved_and_archived(shop: Running) -> None:
    assert len(issues(shop, "is:resolved")) == 2
    assert len(issues(shop, "is:archived")) == 1


def test_secrets_of_the_shop_are_not_stored(shop: Running) -> None:
    [issue] = issues(shop, "PermissionDenied")
    event = shop.page(f"/issues/{issue['id']}/events/latest/json").json()
    assert event["request"]["data"]["password"] == "[Filtered]"
    last = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert last["vars"]["password"] == "[Filtered]"
    assert last["context_line"].strip().startswith("raise PermissionDenied(")


def test_same_seed_tells_the_same_story_with_new_events() -> None:
    from random import Random

    from tracer.cli.demo.plan import plan
    from tracer.cli.demo.stories import STORIES

    first, second = (plan(STORIES, Random(7), 500, 1.7e9) for _ in range(2))
    assert first == second
    assert plan(STORIES, Random(8), 500, 1.7e9) != first
    assert len(first.shots) + len(first.comebacks) == 500
    assert {shot.story for shot in first.shots} == set(STORIES)


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = cli("demo", "--data", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "tracer serve" in result.stderr
    assert result.stdout == ""


def test_address_where_nobody_listens_is_told(tmp_path: Path) -> None:
    dsn = f"http://{'a' * 32}@127.0.0.1:9/1"
    result = cli("demo", "--dsn", dsn, "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.stdout)
