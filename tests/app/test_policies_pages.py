"""Policies in the browser: tried out before they are saved, listed, switched, explained."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness import Running
from tracer import clock

HOME = "/settings/policies/"
NO_WRITING = {
    "name": "No writing",
    "effect": "deny",
    "role": "member",
    "permission": "event:write",
}


@pytest.fixture(autouse=True)
def people(tracer: Running) -> None:
    tracer.add_user("ben@example.com", "member")
    tracer.add_user("cara@example.com", "viewer")


def try_out(tracer: Running, fields: dict[str, Any]) -> Any:
    return tracer.post(HOME + "dry-run", fields)


def tried(text: str) -> str:
    found = re.search(r'name="tried" value="(\w+)"', text)
    assert found, "the form offers no saving"
    return found[1]


def save(tracer: Running, fields: dict[str, Any], path: str = HOME) -> Any:
    """As a person does: what it changes first, then saving it."""
    shown = try_out(tracer, fields)
    assert shown.status_code == 200, shown.text
    return tracer.post(path, {**fields, "tried": tried(shown.text)})


def policies(tracer: Running) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = tracer.meta.read().rows(
        "SELECT name, effect, is_active FROM policies ORDER BY id"
    )
    return rows


def text_of(answer: Any) -> str:
    """What can be read on a page, on one line."""
    bare = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)^.*?<main", "", answer.text))
    return " ".join(html.unescape(bare).split())


def resolve(tracer: Running, browser: Any) -> int:
    tracer.send(message="Broken")
    issue_id = tracer.meta.read().value("SELECT id FROM issues")
    status: int = tracer.post(f"/issues/{issue_id}/resolve", browser=browser).status_code
    return status


def test_there_are_none_at_first(tracer: Running) -> None:
    assert policies(tracer) == []
    assert "No policies" in tracer.page(HOME).text


def test_saved_policy_holds_at_once_and_is_listed_as_a_sentence(tracer: Running) -> None:
    ben = tracer.login("ben@example.com", "member")
    assert resolve(tracer, ben) == 303
    assert save(tracer, NO_WRITING).headers["location"] == HOME
    assert policies(tracer) == [("No writing", "deny", 1)]
    assert "People and tokens with the role member may not use event:write." in text_of(
        tracer.page(HOME)
    )
    issue_id = tracer.meta.read().value("SELECT id FROM issues")
    refused = tracer.post(f"/issues/{issue_id}/unresolve", browser=ben)
    assert refused.status_code == 403
    assert "The policy “No writing” does not allow this." in refused.text


def test_dry_run_says_who_could_do_what_before_and_after_and_stores_nothing(
    tracer: Running,
) -> None:
    shown = text_of(try_out(tracer, NO_WRITING))
    assert "1 of 3 members and 0 of 0 tokens are concerned" in shown
    assert "1 person member, without a second factor ben@example.com" in shown
    assert "Where everywhere Before event:admin event:write After event:admin event:write" in shown
    assert policies(tracer) == []


def test_saving_without_a_dry_run_shows_it_first(tracer: Running) -> None:
    answer = tracer.post(HOME, NO_WRITING)
    assert answer.status_code == 200
    assert "What this changes" in answer.text
    assert policies(tracer) == []
    assert tracer.post(HOME, {**NO_WRITING, "tried": tried(answer.text)}).status_code == 303


def test_what_was_changed_after_the_dry_run_is_shown_again_before_it_is_saved(
    tracer: Running,
) -> None:
    seen = tried(try_out(tracer, NO_WRITING).text)
    answer = tracer.post(HOME, {**NO_WRITING, "role": "viewer", "tried": seen})
    assert answer.status_code == 200
    assert "It changes nothing for the 3 members" in text_of(answer)
    assert policies(tracer) == []


def test_dry_run_of_a_policy_about_a_time_is_about_that_time(tracer: Running) -> None:
    """On a Tuesday morning, a policy about the weekend would seem to change nothing."""
    clock.set_clock(lambda: datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp())
    fields = {**NO_WRITING, "hours": "1", "hours_day": ["sat", "sun"]}
    shown = text_of(try_out(tracer, {**fields, "hours_start": "08:00", "hours_end": "20:00"}))
    assert "1 of 3 members" in shown
    assert "on Sat 28 Nov at 08:00 UTC" in shown
    asked = {**fields, "hours_start": "08:00", "hours_end": "20:00", "try_at": "2026-11-24T10:00"}
    assert "It changes nothing" in text_of(try_out(tracer, asked))


def test_dry_run_of_a_policy_about_addresses_is_about_those_addresses(tracer: Running) -> None:
    fields = {**NO_WRITING, "addresses": "198.51.100.0/24"}
    assert "concerned, coming from 198.51.100.1 on" in text_of(try_out(tracer, fields))
    asked = text_of(try_out(tracer, {**fields, "try_address": "203.0.113.5"}))
    assert "It changes nothing" in asked
    assert "coming from 203.0.113.5 on" in asked


def test_every_part_of_the_form_is_stored_and_shown_again(tracer: Running) -> None:
    tracer.api(f"/api/0/organizations/{tracer.org.slug}/teams/", "POST", json={"slug": "core"})
    fields = {
        "name": "All of it",
        "effect": "require",
        "actor_kind": ["user", "token"],
        "role": ["admin", "viewer"],
        "teams": "core",
        "permission": ["event:read"],
        "projects": tracer.project.slug,
        "environments": "staging\nlive and kicking",
        "addresses": "192.0.2.0/24, 2001:db8::/32",
        "second_factor": "without",
        "hours": "1",
        "hours_day": ["mon", "sat"],
        "hours_start": "22:00",
        "hours_end": "06:00",
        "hours_zone": "Europe/Berlin",
        "needs_second_factor": "1",
        "needs_addresses": "198.51.100.7",
        "needs_kind": "user",
        "needs_hours": "1",
        "needs_hours_day": ["tue"],
        "needs_hours_start": "08:00",
        "needs_hours_end": "24:00",
        "needs_hours_zone": "UTC",
    }
    assert save(tracer, fields).status_code == 303
    stored = tracer.api(f"/api/0/organizations/{tracer.org.slug}/policies/").json()[0]
    assert stored["conditions"] == {
        "actorKinds": ["user", "token"],
        "roles": ["admin", "viewer"],
        "teams": ["core"],
        "permissions": ["event:read"],
        "projects": [tracer.project.slug],
        "environments": ["staging", "live and kicking"],
        "addresses": ["192.0.2.0/24", "2001:db8::/32"],
        "secondFactor": False,
        "hours": {
            "days": ["mon", "sat"],
            "start": "22:00",
            "end": "06:00",
            "zone": "Europe/Berlin",
        },
    }
    assert stored["requirements"] == {
        "addresses": ["198.51.100.7"],
        "secondFactor": True,
        "hours": {"days": ["tue"], "start": "08:00", "end": "24:00", "zone": "UTC"},
        "actorKinds": ["user"],
    }
    form = tracer.page(f"{HOME}{stored['id']}/").text
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if name in ("environments", "addresses", "needs_addresses"):
                assert all(line in form for line in re.split(r"\n|, ", value))
            else:
                assert re.search(rf'name="{name}"[^>]*value="{re.escape(value)}"', form) or (
                    f'<option value="{value}" selected' in form
                ), name


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": " "}, "Give the policy a name"),
        ({"permission": [], "role": []}, "this one would lock everyone out"),
        ({"addresses": "somewhere"}, "“somewhere” is no address or range"),
        ({"projects": "nothing"}, "There is no project called nothing."),
        ({"teams": "nobody"}, "There is no team called nobody."),
        ({"hours": "1"}, "Choose at least one day of the week."),
        ({"hours": "1", "hours_day": "mon", "hours_start": "late"}, "Write a time of day"),
        ({"hours": "1", "hours_day": "mon", "hours_zone": "Mars"}, "no time zone called Mars"),
        ({"effect": "require"}, "Choose what the policy requires."),
        ({"environments": "prod"}, "choose event:read, or none"),
        ({"try_address": "10.0.0.0/8"}, "Name one address, not a range."),
        ({"try_at": "tomorrow"}, "Write the time as"),
    ],
)
def test_what_is_wrong_is_said_and_the_form_kept(
    tracer: Running, change: dict[str, Any], why: str
) -> None:
    answer = try_out(tracer, {**NO_WRITING, **change})
    assert answer.status_code == 422
    assert why in text_of(answer)
    if "name" not in change:
        assert 'value="No writing"' in answer.text
    assert policies(tracer) == []


def test_name_can_be_used_once(tracer: Running) -> None:
    save(tracer, NO_WRITING)
    again = save(tracer, {**NO_WRITING, "name": "no WRITING"})
    assert again.status_code == 409
    assert "There is a policy called no WRITING already." in text_of(again)


def test_policy_is_changed_switched_off_on_and_deleted(tracer: Running) -> None:
    ben = tracer.login("ben@example.com", "member")
    save(tracer, NO_WRITING)
    one = f"{HOME}{tracer.meta.read().value('SELECT id FROM policies')}/"
    changed = {**NO_WRITING, "name": "No deleting", "permission": "event:admin"}
    changed["policy_id"] = one.split("/")[-2]
    assert save(tracer, changed, one).status_code == 303
    assert resolve(tracer, ben) == 303
    tracer.post(one + "disable")
    assert policies(tracer) == [("No deleting", "deny", 0)]
    assert "Switch on" in tracer.page(HOME).text
    tracer.post(one + "enable")
    assert policies(tracer) == [("No deleting", "deny", 1)]
    tracer.post(one + "delete")
    assert policies(tracer) == []
    said = tracer.meta.read().rows(
        "SELECT action FROM audit WHERE object_type = 'policy' ORDER BY id"
    )
    verbs = ["create", "update", "update", "update", "delete"]
    assert [row[0] for row in said] == [f"policy.{verb}" for verb in verbs]


def test_policy_that_is_off_stays_off_when_it_is_changed(tracer: Running) -> None:
    save(tracer, NO_WRITING)
    policy_id = tracer.meta.read().value("SELECT id FROM policies")
    one = f"{HOME}{policy_id}/"
    tracer.post(one + "disable")
    fields = {**NO_WRITING, "policy_id": policy_id, "role": "viewer"}
    save(tracer, fields, one)
    assert policies(tracer) == [("No writing", "deny", 0)]
    save(tracer, {**fields, "activate": "1"}, one)
    assert policies(tracer) == [("No writing", "deny", 1)]


# Locking oneself out -----------------------------------------------------------------------------

FROM_THE_OFFICE = {
    "name": "Office",
    "effect": "require",
    "role": "owner",
    "permission": "org:admin",
    "needs_addresses": "198.51.100.0/24",
}


def test_policy_that_locks_everyone_out_cannot_be_saved(tracer: Running) -> None:
    shown = try_out(tracer, FROM_THE_OFFICE)
    assert "This would lock everyone out." in text_of(shown)
    assert "Save policy" not in shown.text
    api = tracer.api(
        f"/api/0/organizations/{tracer.org.slug}/policies/",
        "POST",
        json={
            "name": "Office",
            "effect": "require",
            "conditions": {"roles": ["owner"]},
            "requirements": {"addresses": ["198.51.100.0/24"]},
            "acceptLockout": True,
        },
    )
    assert api.status_code == 409
    assert policies(tracer) == []


def test_policy_that_locks_only_its_editor_out_needs_a_second_yes(tracer: Running) -> None:
    other = tracer.add_user("other@example.com", "owner")
    tracer.login("other@example.com", "owner")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET address = '198.51.100.9' WHERE user_id = :id", id=other)
    shown = try_out(tracer, FROM_THE_OFFICE)
    assert "This would lock you out." in text_of(shown)
    fields = {**FROM_THE_OFFICE, "tried": tried(shown.text)}
    assert tracer.post(HOME, fields).status_code == 409
    assert policies(tracer) == []
    assert tracer.post(HOME, {**fields, "accept_lockout": "1"}).status_code == 303
    assert tracer.page(HOME).status_code == 403


def test_switching_on_what_locks_out_is_refused_with_what_it_changes(tracer: Running) -> None:
    save(tracer, {**NO_WRITING, "role": "owner", "permission": "event:write"})
    policy_id = tracer.meta.read().value("SELECT id FROM policies")
    tracer.post(f"{HOME}{policy_id}/disable")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE policies SET conditions = :c", c='{"roles":["owner"]}')
    answer = tracer.post(f"{HOME}{policy_id}/enable")
    assert answer.status_code == 409
    assert "This would lock everyone out." in text_of(answer)
    assert policies(tracer) == [("No writing", "deny", 0)]


def test_policy_about_the_night_does_not_lock_out_by_day(tracer: Running) -> None:
    """An owner can come back at another time of the week; but whoever sits there now cannot."""
    now = datetime.now(UTC)
    soon = now + timedelta(hours=3)
    fields = {
        "name": "Later",
        "effect": "deny",
        "role": "owner",
        "permission": "org:admin",
        "hours": "1",
        "hours_day": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "hours_start": f"{soon.hour:02}:00",
        "hours_end": f"{(soon.hour + 1) % 24:02}:30",
    }
    shown = text_of(try_out(tracer, fields))
    assert "lock everyone out" not in shown
    assert "1 of 3 members" in shown


# Who may -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [HOME, HOME + "new", HOME + "explain"])
def test_only_owners_see_policies(tracer: Running, path: str) -> None:
    assert tracer.page(path).status_code == 200
    for role in ("manager", "admin", "member", "viewer"):
        browser = tracer.login(f"{role}@example.com", role)
        assert tracer.page(path, browser=browser).status_code == 403


def test_saving_asks_for_the_password_again_after_a_while(tracer: Running) -> None:
    tracer.page(HOME)
    seen = tried(try_out(tracer, NO_WRITING).text)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET confirmed_at = 0")
    answer = tracer.post(HOME, {**NO_WRITING, "tried": seen})
    assert answer.headers["location"].startswith("/account/confirm/")
    assert policies(tracer) == []
