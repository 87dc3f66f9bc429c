"""Policies: when one refuses, what it is about, which of several decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tracer.errors import Invalid
from tracer.kit.permissions import Permission
from tracer.kit.policy import (
    Conditions,
    Hours,
    Policy,
    Requirements,
    Who,
    check,
    decide,
    network,
    refusals,
    taken,
    within,
)

TUESDAY = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
ANN = Who("user", "member", frozenset({7}), "10.1.2.3", False, TUESDAY)


def deny(name: str = "no", **conditions: Any) -> Policy:
    return Policy(1, name, "deny", Conditions(**conditions), Requirements())


def require(conditions: dict[str, Any], **requirements: Any) -> Policy:
    return Policy(2, "must", "require", Conditions(**conditions), Requirements(**requirements))


def refused(
    policies: Sequence[Policy] | Policy,
    who: Who = ANN,
    permission: str = "event:read",
    project_id: int | None = None,
    environment: str | None = None,
) -> str:
    """The name of the policy that refuses, or ""."""
    several = [policies] if isinstance(policies, Policy) else policies
    found = decide(refusals(several, who), permission, project_id, environment)
    return found.policy.name if found else ""


# Whom it is about --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "other"),
    [
        ({"actor_kinds": ("user",)}, {"actor_kind": "token"}),
        ({"roles": ("viewer", "member")}, {"role": "owner"}),
        ({"team_ids": (7, 8)}, {"team_ids": frozenset({9})}),
        ({"team_ids": (7,)}, {"team_ids": frozenset()}),
        ({"addresses": ("10.0.0.0/8",)}, {"address": "192.0.2.1"}),
        ({"second_factor": False}, {"second_factor": True}),
        ({"hours": Hours((1,), 600, 660)}, {"at": TUESDAY.replace(hour=11)}),
    ],
    ids=lambda value: "-".join(value),
)
def test_condition_chooses_whom_it_is_about(
    conditions: dict[str, Any], other: dict[str, Any]
) -> None:
    policy = deny(**conditions)
    assert refused(policy, ANN) == "no"
    assert refused(policy, ANN._replace(**other)) == ""


def test_all_conditions_must_match() -> None:
    policy = deny(roles=("member",), addresses=("10.0.0.0/8",))
    assert refused(policy) == "no"
    assert refused(policy, ANN._replace(address="192.0.2.1")) == ""
    assert refused(policy, ANN._replace(role="admin")) == ""


def test_second_factor_may_be_what_makes_it_apply() -> None:
    policy = deny(second_factor=True)
    assert refused(policy) == ""
    assert refused(policy, ANN._replace(second_factor=True)) == "no"


# What it is about --------------------------------------------------------------------------------


def test_denied_reading_denies_what_is_stronger_and_nothing_else() -> None:
    policy = deny(permissions=("event:write",))
    assert refused(policy, permission="event:write") == "no"
    assert refused(policy, permission="event:admin") == "no"
    assert refused(policy, permission="event:read") == ""
    assert refused(policy, permission="project:write") == ""


def test_project_and_environment_narrow_it() -> None:
    policy = deny(project_ids=(3,), environments=("prod",))
    assert refused(policy, project_id=3, environment="prod") == "no"
    assert refused(policy, project_id=3, environment="dev") == ""
    assert refused(policy, project_id=4, environment="prod") == ""
    assert refused(policy, project_id=3) == ""
    assert refused(policy) == ""


def test_taken_is_what_asking_one_by_one_says() -> None:
    policies = [
        deny("a", permissions=("org:write",)),
        deny("b", permissions=("event:write",), project_ids=(3, 4)),
        deny("c", environments=("prod",), project_ids=(3,)),
        deny("d", environments=("qa",)),
    ]
    found = refusals(policies, ANN)
    lost = taken(found)
    for permission in Permission:
        everywhere = decide(found, permission) is not None
        assert (permission in lost.everywhere) == everywhere
        on_3 = decide(found, permission, 3) is not None
        assert (permission in lost.everywhere | lost.on[3]) == on_3
    assert lost.hidden == ((3, "prod"), (None, "qa"))


# Several -----------------------------------------------------------------------------------------


def test_denying_wins_whatever_another_requires() -> None:
    fulfilled = require({}, addresses=("10.0.0.0/8",))
    assert refused([fulfilled]) == ""
    assert refused([fulfilled, deny("no", roles=("member",))]) == "no"


def test_nothing_is_refused_without_policies() -> None:
    assert refused([]) == ""


# What is required --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "having", "words"),
    [
        ({"second_factor": True}, {"second_factor": True}, "a second factor"),
        ({"addresses": ("192.0.2.0/24",)}, {"address": "192.0.2.9"}, "another address"),
        ({"hours": Hours((1,), 660, 720)}, {"at": TUESDAY.replace(hour=11)}, "another time"),
        ({"actor_kinds": ("token",)}, {"actor_kind": "token"}, "a token"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_requirement_refuses_until_it_is_fulfilled(
    needs: dict[str, Any], having: dict[str, Any], words: str
) -> None:
    policy = require({"permissions": ("event:read",)}, **needs)
    [refusal] = refusals([policy], ANN)
    assert refusal.why == f"The policy “must” asks for {words}."
    assert refusals([policy], ANN._replace(**having)) == ()


def test_every_requirement_must_hold() -> None:
    policy = require({}, second_factor=True, addresses=("192.0.2.0/24",))
    assert refused(policy, ANN._replace(second_factor=True)) == "must"
    assert refused(policy, ANN._replace(address="192.0.2.1")) == "must"
    assert refused(policy, ANN._replace(second_factor=True, address="192.0.2.1")) == ""


# Times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-11-24T22:00", True),  # Tuesday night
        ("2026-11-25T05:59", True),  # its morning
        ("2026-11-25T06:00", False),
        ("2026-11-25T22:00", False),  # Wednesday is not listed
        ("2026-11-24T05:00", False),  # Monday's night is not listed
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_begin(moment: str, holds: bool) -> None:
    night = Hours((1,), 22 * 60, 6 * 60)
    assert night.holds(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is holds


def test_hours_are_those_of_their_zone_in_summer_and_winter() -> None:
    office = Hours((0, 1, 2, 3, 4), 9 * 60, 17 * 60, "Europe/Berlin")
    assert office.holds(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    assert not office.holds(datetime(2026, 11, 24, 7, 59, tzinfo=UTC))
    assert office.holds(datetime(2026, 7, 21, 7, 0, tzinfo=UTC))
    assert not office.holds(datetime(2026, 7, 21, 15, 0, tzinfo=UTC))


def test_zone_that_this_machine_does_not_know_is_read_as_utc() -> None:
    assert Hours((1,), 600, 660, "Mars/Olympus").holds(TUESDAY)


# Addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "ranges", "inside"),
    [
        ("192.0.2.7", ("192.0.2.0/24",), True),
        ("192.0.3.7", ("192.0.2.0/24",), False),
        ("192.0.2.7", ("192.0.2.7",), True),
        ("192.0.2.7", ("192.0.2.9/24",), True),
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), True),
        ("192.0.2.7", ("::ffff:192.0.2.0/120",), True),
        ("2001:db8::1", ("2001:db8::/32",), True),
        ("2001:db9::1", ("2001:db8::/32",), False),
        ("192.0.2.7", ("::/0",), False),
        ("2001:db8::1", ("0.0.0.0/0",), False),
        ("192.0.2.7", ("10.0.0.0/8", "192.0.2.7/32"), True),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("", ("0.0.0.0/0", "::/0"), False),
        ("nonsense", ("0.0.0.0/0", "::/0"), False),
        ("192.0.2.7", (), False),
    ],
)
def test_address_is_in_a_range_or_not(address: str, ranges: tuple[str, ...], inside: bool) -> None:
    assert within(address, ranges) is inside


@pytest.mark.parametrize(
    "text", ["", "nonsense", "192.0.2.0/33", "192.0.2.300", "10.0.0.0/8 or so", "2001:db8::/129"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        network(text)


# What makes sense --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "requirements", "effect", "why"),
    [
        ({}, {}, "deny", "lock everyone out"),
        ({"roles": ("viewer",)}, {}, "require", "what the policy requires"),
        ({"roles": ("viewer",)}, {"second_factor": True}, "deny", "no requirements"),
        ({"roles": ("king",)}, {}, "deny", "no role called king"),
        ({"permissions": ("server_admin",)}, {}, "deny", "no permission called server_admin"),
        ({"addresses": ("x",)}, {}, "deny", "no address or range"),
        ({"environments": ("a" * 65,)}, {}, "deny", "1 to 64 characters"),
        ({"environments": ("prod",), "permissions": ("event:write",)}, {}, "deny", "event:read"),
        ({"hours": Hours((), 0, 60)}, {}, "deny", "one day of the week"),
        ({"hours": Hours((9,), 0, 60)}, {}, "deny", "one day of the week"),
        ({"hours": Hours((1,), 60, 60)}, {}, "deny", "same time"),
        ({"hours": Hours((1,), 0, 1500)}, {}, "deny", "00:00 to 24:00"),
        ({"hours": Hours((1,), 0, 60, "Mars/Olympus")}, {}, "deny", "no time zone"),
        ({"hours": Hours((1,), 0, 60, "../etc/passwd")}, {}, "deny", "no time zone"),
        ({"roles": ("viewer",) * 201}, {}, "deny", "at most 200"),
    ],
)
def test_policy_that_makes_no_sense_is_refused_with_the_reason(
    conditions: dict[str, Any], requirements: dict[str, Any], effect: Any, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        check(Conditions(**conditions), Requirements(**requirements), effect)
