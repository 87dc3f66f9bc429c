"""Lists of the API narrowed to one environment or to several."""

from __future__ import annotations

import time

import pytest

from harness import Running
from issue_samples import failure, issues

DAY_S = 86_400


@pytest.fixture
def filled(tracer: Running) -> Running:
    """KeyError in production, staging and dev; ValueError in dev only; OSError long ago in dev."""
    users = {"production": "ann", "staging": "ann", "dev": "bob"}
    for environment, user in users.items():
        event = failure("KeyError", environment=environment, user={"id": user})
        tracer.send(event, digest=False)
    tracer.send(failure("ValueError", environment="dev"), digest=False)
    old = time.time() - 3 * DAY_S
    tracer.send(failure("OSError", environment="staging", timestamp=old), digest=False)
    tracer.send(failure("OSError", environment="production"))
    return tracer


def types(found: list[dict[str, object]]) -> set[str]:
    return {str(one["title"]).partition(":")[0] for one in found}


def test_issues_of_any_of_several_environments_are_listed(filled: Running) -> None:
    assert types(issues(filled, environment=["production", "staging"])) == {"KeyError", "OSError"}
    assert types(issues(filled, environment=["dev", "moon"])) == {"KeyError", "ValueError"}
    assert issues(filled, environment=["moon", "mars"]) == []


def test_counts_are_those_of_the_chosen_environments_together(filled: Running) -> None:
    [one] = issues(filled, "KeyError", environment=["production", "staging"])
    assert (one["count"], one["userCount"]) == ("2", 1)
    assert sum(count for _, count in one["stats"]["24h"]) == 2
    [one] = issues(filled, "KeyError", environment=["production", "dev"])
    assert (one["count"], one["userCount"]) == ("2", 2)
    [one] = issues(filled, "KeyError")
    assert (one["count"], one["userCount"]) == ("3", 2)


def test_period_is_about_the_chosen_environments(filled: Running) -> None:
    chosen = ["staging", "moon"]
    assert types(issues(filled, environment=chosen, statsPeriod="14d")) == {"KeyError", "OSError"}
    assert types(issues(filled, environment=chosen, statsPeriod="24h")) == {"KeyError"}


def test_one_environment_named_twice_is_one(filled: Running) -> None:
    twice = issues(filled, environment=["dev", "dev"])
    assert twice == issues(filled, environment="dev")
    assert {one["count"] for one in twice} == {"1"}


def test_events_of_several_environments_are_listed(filled: Running) -> None:
    [issue] = issues(filled, "KeyError")
    for path in (
        f"/api/0/issues/{issue['id']}/events/",
        f"/api/0/projects/{filled.org.slug}/{filled.project.slug}/events/",
    ):
        chosen = filled.api(f"{path}?environment=production&environment=dev").json()
        named = {
            tag["value"] for event in chosen for tag in event["tags"] if tag["key"] == "environment"
        }
        assert named == {"production", "dev"}
