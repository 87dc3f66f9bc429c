"""Trying policies out and explaining them says what the guard would do; and policies as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.accounts.policies.circumstances import Circumstances, telling
from tracer.accounts.policies.dry_run import compare, with_policy
from tracer.accounts.policies.explain import Question, explain
from tracer.accounts.policies.model import Draft, Names, PolicyText, read, write
from tracer.accounts.policies.queries import Group
from tracer.accounts.policies.sentences import sentence
from tracer.errors import Invalid
from tracer.kit.access import judge
from tracer.kit.directory import OrganizationView, ProjectRef
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.policy import Conditions, Hours, Policy, Requirements, decide

TUESDAY = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
NAMES = Names({1: ("core", "Core"), 2: ("ops", "Operations")}, {10: ("shop", "Shop")})

# Anybody, anything -------------------------------------------------------------------------------

ADDRESSES = ("10.1.2.3", "192.0.2.7", "2001:db8::5")
RANGES = st.lists(st.sampled_from(("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")), max_size=2).map(
    tuple
)
KINDS = st.sampled_from(((), ("user",), ("token",)))
TEAMS = st.lists(st.sampled_from((1, 2)), max_size=2, unique=True)
PLACES = st.lists(st.sampled_from((10, 11, 12)), max_size=2, unique=True).map(tuple)
HOURS = st.sampled_from((None, None, Hours((1,), 600, 660), Hours((1,), 0, 60)))
SOME_PERMISSIONS = st.lists(st.sampled_from(sorted(map(str, SCOPES))), max_size=2, unique=True)
ENVIRONMENTS = st.sampled_from(((), (), ("prod",), ("prod", "qa")))


@st.composite
def conditions(draw: Any) -> Conditions:
    environments = draw(ENVIRONMENTS)
    return Conditions(
        actor_kinds=draw(KINDS),
        roles=tuple(draw(st.lists(st.sampled_from(sorted(ROLE_GRANTS)), max_size=3, unique=True))),
        team_ids=tuple(draw(TEAMS)),
        permissions=() if environments else tuple(draw(SOME_PERMISSIONS)),
        project_ids=draw(PLACES),
        environments=environments,
        addresses=draw(RANGES),
        second_factor=draw(st.sampled_from((None, True, False))),
        hours=draw(HOURS),
    )


@st.composite
def drafts(draw: Any) -> Draft:
    if draw(st.booleans()):
        return Draft("no", "deny", draw(conditions()), Requirements())
    needs = Requirements(draw(RANGES), draw(st.booleans()), draw(HOURS), draw(KINDS))
    return Draft("must", "require", draw(conditions()), needs)


@st.composite
def views(draw: Any) -> OrganizationView:
    refs = tuple(ProjectRef(id_, f"p{id_}", f"P{id_}", "") for id_ in (10, 11))
    policies = [draft.as_rule(n) for n, draft in enumerate(draw(st.lists(drafts(), max_size=3)))]
    policies.sort(key=lambda policy: (policy.effect, policy.id))
    return OrganizationView(
        1,
        1,
        refs,
        (10, 11),
        {1: frozenset({10}), 2: frozenset({11})},
        tuple(policies),
        draw(st.booleans()),
        draw(st.sampled_from(("optional", "optional", "admins", "everyone"))),
        draw(RANGES),
        draw(RANGES),
    )


@st.composite
def people(draw: Any) -> Group:
    is_token = draw(st.booleans())
    scopes = (*draw(SOME_PERMISSIONS), "event:admin") if is_token else None
    teams = {team: draw(st.sampled_from(("lead", "contributor"))) for team in draw(TEAMS)}
    role = draw(st.sampled_from(sorted(ROLE_GRANTS)))
    listed = draw(st.sampled_from((None, (10,)))) if is_token else None
    return Group(role, teams, scopes, listed, draw(st.booleans()), 1, "somebody")


def guard_says(
    person: Group,
    view: OrganizationView,
    address: str,
    permission: Permission,
    project_id: int | None,
    environment: str | None,
) -> bool:
    """What a request would meet at the door."""
    found = judge(person, view, address, TUESDAY)
    if project_id is None:
        return found.may(permission)
    if not found.reach.holds(project_id) or not found.may(permission, project_id):
        return False
    if environment is None:
        return True
    if environment in found.reach.hides(project_id):
        return False
    return decide(found.refusals, permission, project_id, environment) is None


@settings(max_examples=300, deadline=None)
@given(
    people(),
    views(),
    st.sampled_from(ADDRESSES),
    st.sampled_from(sorted(SCOPES)),
    st.sampled_from((None, 10, 11, 12)),
    st.sampled_from((None, "prod", "dev")),
)
def test_explanation_is_what_the_guard_does(
    person: Group,
    view: OrganizationView,
    address: str,
    permission: Permission,
    project_id: int | None,
    environment: str | None,
) -> None:
    environment = environment if project_id is not None else None
    question = Question(person, permission, address, TUESDAY, project_id, environment)
    answer = explain(question, view)
    assert answer.allowed == guard_says(
        person, view, address, permission, project_id, environment
    ), answer
    assert answer.text
    assert (answer.rule, answer.text) in [(step.rule, step.text) for step in answer.steps]


@settings(max_examples=300, deadline=None)
@given(people(), views(), drafts(), st.sampled_from(ADDRESSES))
def test_dry_run_is_the_difference_that_the_guard_makes(
    person: Group, view: OrganizationView, draft: Draft, address: str
) -> None:
    after = with_policy(view, None, draft)
    result = compare(view, after, [person], address, TUESDAY)
    was, will = (judge(person, v, address, TUESDAY) for v in (view, after))
    lost, gained = _changed(was, will, None)
    everywhere = [r for r in result.rows if not r.project_ids and r.environment is None]
    told = {name for row in everywhere for name in row.lost}
    assert lost <= told
    assert not gained
    assert not any(row.gained for row in result.rows)
    for project_id in (10, 11):
        lost_there, _ = _changed(was, will, project_id)
        if not was.reach.holds(project_id):
            continue
        there = {
            name
            for row in result.rows
            if project_id in row.project_ids and row.environment is None
            for name in row.lost
        }
        assert lost_there <= there | told, project_id
    hidden = set(will.reach.hidden) - set(was.reach.hidden)
    if hidden and was.may(Permission.EVENT_READ):
        assert {row.environment for row in result.rows} >= {name for _, name in hidden}


def _changed(was: Any, will: Any, project_id: int | None) -> tuple[set[str], set[str]]:
    before = {str(p) for p in SCOPES if was.may(p, project_id)}
    then = {str(p) for p in SCOPES if will.may(p, project_id)}
    return before - then, then - before


def test_project_closed_for_events_is_not_closed_for_anything_else() -> None:
    refs = (ProjectRef(10, "shop", "Shop", ""),)
    rule = Conditions(permissions=("event:read",), project_ids=(10,))
    policy = Policy(5, "no", "deny", rule, Requirements())
    view = OrganizationView(1, 1, refs, (10,), {}, (policy,), True, "optional", (), ())
    for permission, allowed in ((Permission.ALERTS_READ, True), (Permission.EVENT_READ, False)):
        question = Question(Group("member"), permission, "10.0.0.1", TUESDAY, 10, "prod")
        assert explain(question, view).allowed is allowed


def test_removing_a_policy_gives_back_what_it_took() -> None:
    refs = (ProjectRef(10, "shop", "Shop", ""),)
    rule = Policy(
        5, "no", "deny", Conditions(roles=("member",), permissions=("event:write",)), Requirements()
    )
    view = OrganizationView(1, 1, refs, (10,), {}, (rule,), True, "optional", (), ())
    result = compare(view, with_policy(view, 5, None), [Group("member")], "10.0.0.1", TUESDAY)
    [row] = result.rows
    assert row.gained == ("event:admin", "event:write")
    assert row.lost == ()


def test_whoever_loses_the_same_on_several_projects_is_counted_once() -> None:
    refs = (ProjectRef(10, "shop", "Shop", ""), ProjectRef(11, "depot", "Depot", ""))
    teams = {1: frozenset({10})}
    view = OrganizationView(1, 1, refs, (10, 11), teams, (), True, "optional", (), ())
    rule = Conditions(permissions=("event:write",), project_ids=(10, 11))
    after = with_policy(view, None, Draft("no", "deny", rule, Requirements()))
    groups = [
        Group("member", {1: "lead"}, example="a@b.example"),
        Group("member", {1: "contributor"}, count=3, example="c@d.example"),
        Group("viewer", count=5),
    ]
    result = compare(view, after, groups, "10.0.0.1", TUESDAY)
    [row] = result.rows
    assert (row.count, row.example, row.project_ids) == (4, "a@b.example", (10, 11))
    assert (result.members, result.members_changed) == (9, 4)


# As text -----------------------------------------------------------------------------------------


def text(**fields: Any) -> PolicyText:
    return msgspec.convert({"name": "rule", "effect": "deny", **fields}, PolicyText)


def test_text_is_read_and_written_back() -> None:
    given_ = text(
        effect="require",
        conditions={
            "teams": ["core"],
            "projects": ["shop"],
            "hours": {"days": ["sun", "mon"], "start": "9:00", "end": "24:00", "zone": "UTC"},
        },
        requirements={"secondFactor": True},
    )
    draft = read(given_, NAMES)
    assert draft.conditions.team_ids == (1,)
    assert draft.conditions.project_ids == (10,)
    assert draft.conditions.hours == Hours((0, 6), 540, 1440, "UTC")
    again = write(draft, NAMES)
    assert read(again, NAMES) == draft


def test_what_is_gone_since_is_shown_by_its_number_and_cannot_be_saved_again() -> None:
    draft = Draft("rule", "deny", Conditions(team_ids=(1, 99)), Requirements())
    again = write(draft, NAMES)
    assert again.conditions.teams == ["core", "#99"]
    with pytest.raises(Invalid, match="no team called #99"):
        read(again, NAMES)
    assert "Core or (deleted team)" in sentence(draft, NAMES)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"conditions": {"roles": ["viewer"]}},
            "People and tokens with the role viewer may not do anything.",
        ),
        (
            {"conditions": {"actorKinds": ["token"], "permissions": ["event:admin", "org:read"]}},
            "Tokens may not use event:admin or org:read.",
        ),
        (
            {"conditions": {"environments": ["prod"], "projects": ["shop"], "teams": ["ops"]}},
            "People and tokens of team Operations may not see events of environment prod "
            "in project Shop.",
        ),
        (
            {
                "effect": "require",
                "conditions": {"actorKinds": ["user"], "roles": ["owner", "manager"]},
                "requirements": {"secondFactor": True, "addresses": ["10.0.0.0/8"]},
            },
            "People with the role owner or manager need a second factor and an address in "
            "10.0.0.0/8 to do anything.",
        ),
        (
            {
                "conditions": {
                    "secondFactor": False,
                    "permissions": ["org:write"],
                    "addresses": ["::/0"],
                    "hours": {"days": ["sat", "sun"], "start": "20:00", "end": "06:00"},
                }
            },
            "People and tokens without a second factor may not use org:write from ::/0 "
            "on Sat, Sun from 20:00 to 06:00 of the next day (UTC).",
        ),
    ],
)
def test_policy_is_said_in_a_sentence(fields: dict[str, Any], said: str) -> None:
    assert sentence(read(text(**fields), NAMES), NAMES) == said


# Where and when it is tried out ------------------------------------------------------------------


def circumstances(
    conditions: Conditions, needs: Requirements | None = None, allowed: tuple[str, ...] = ()
) -> Circumstances:
    draft = Draft("rule", "require" if needs else "deny", conditions, needs or Requirements())
    return telling(draft, Circumstances("10.1.2.3", TUESDAY), allowed)


def test_policy_without_address_or_time_is_tried_here_and_now() -> None:
    assert circumstances(Conditions(roles=("viewer",))) == ("10.1.2.3", TUESDAY)


def test_policy_about_another_address_is_tried_from_there() -> None:
    assert circumstances(Conditions(addresses=("192.0.2.0/24",))).address == "192.0.2.1"
    assert circumstances(Conditions(addresses=("2001:db8::7",))).address == "2001:db8::7"
    assert circumstances(Conditions(addresses=("10.0.0.0/8",))).address == "10.1.2.3"


def test_policy_that_requires_this_address_is_tried_from_elsewhere() -> None:
    needs = Requirements(addresses=("10.0.0.0/8", "192.0.2.0/24"))
    assert circumstances(Conditions(), needs).address == "198.51.100.1"
    assert circumstances(Conditions(), needs, ("10.0.0.0/8", "172.16.0.0/12")).address == (
        "172.16.0.1"
    )


def test_policy_about_another_time_is_tried_then() -> None:
    night = Hours((1, 2, 3), 22 * 60, 6 * 60)
    assert circumstances(Conditions(hours=night)).at == TUESDAY.replace(hour=22, minute=0)
    office = Requirements(hours=Hours((0, 1, 2, 3, 4), 9 * 60, 17 * 60))
    assert circumstances(Conditions(), office).at == TUESDAY.replace(hour=17, minute=0)


def test_short_hours_in_another_zone_are_found() -> None:
    lunch = Hours((2,), 12 * 60 + 10, 12 * 60 + 25, "Asia/Kolkata")
    found = circumstances(Conditions(hours=lunch)).at
    assert found == datetime(2026, 11, 25, 6, 40, tzinfo=UTC)
