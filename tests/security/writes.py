"""How each route that writes is asked so that it does: a table, and what must be there before.

What is not in WRITES is asked with an empty form, or an empty JSON object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from harness import PASSWORD
from letter_steps import bury
from security.world import World
from tracer import clock
from tracer.accounts.actions import (
    create_join_link,
    create_password_link,
    create_setup_link,
    invite,
)
from tracer.accounts.queries import organization_settings, user
from tracer.features.filters.model import digest
from tracer.features.operations import tasks as operations
from tracer.protocol.filter_rules import FilterRules
from tracer.storage.timing import SlowQuery

DAY_MS = 86_400_000
NEW_PASSWORD = "a quiet harbour at dusk 42"
MAIL_PASSWORD = "the-postman-always-knocks"
POLICY = {"name": "Nights", "effect": "deny", "role": "viewer", "permission": "event:write"}
POLICY_JSON = {
    "name": "Nights",
    "effect": "deny",
    "conditions": {"roles": ["viewer"], "permissions": ["event:write"]},
}

QUOTA = {"category": "error", "per": "day", "amount": "70", "kind": "hard"}

Body = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One request that writes. `values` are places of the path, `by` whose doing it is (the part
    of the address before acme.example), `hidden` what no entry may hold. `fails`: what comes after
    the entry does not work here."""

    body: Body
    query: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    who: str = "owner"
    by: str = "owner"
    hidden: tuple[str, ...] = ()
    fails: bool = False


def form(**fields: Any) -> Body:
    return {"form": fields}


def json(**fields: Any) -> Body:
    return {"json": fields}


MAIL = form(
    host="127.0.0.1",
    port="1",
    security="tls",
    sender="tracer@acme.example",
    username="tracer",
    password=MAIL_PASSWORD,
)


def issues(world: World) -> Ask:
    """All issues, by id."""
    return Ask(json(status="resolved"), query=f"id={world.acme.values['issue_id']}")


def to_login(world: World) -> Ask:
    return Ask(form(email="clerk@acme.example", password=PASSWORD), by="clerk")


def to_confirm(world: World) -> Ask:
    world.execute("DELETE FROM second_factors")
    return Ask(form(password=PASSWORD))


def to_reset(world: World) -> Ask:
    with world.tracer.meta.write() as tx:
        known = user(tx, world.acme.values["member_id"])
        assert known is not None
        secret = create_password_link(tx, known, age_ms=DAY_MS)
    fields = form(password=NEW_PASSWORD)
    return Ask(fields, values={"secret": secret}, by="clerk", hidden=(secret,))


def to_set_up(world: World) -> Ask:
    with world.tracer.meta.write() as tx:
        secret = create_setup_link(tx)
    fields = form(email="first@acme.example", organization="Acme", password=NEW_PASSWORD)
    return Ask(fields, values={"token": secret}, by="first", hidden=(secret,))


def to_accept(world: World) -> Ask:
    """An invitation of somebody who has no account yet."""
    home = world.acme.organization_id
    with world.tracer.meta.write() as tx:
        secret = invite(tx, home, "new@acme.example", "member", by="owner", invited_by=None)[1]
    fields = form(name="New", password=NEW_PASSWORD)
    return Ask(fields, values={"secret": secret}, who="nobody", by="new", hidden=(secret,))


def to_join(world: World) -> Ask:
    """A link to join by the domain of one's e-mail address."""
    world.execute("""UPDATE organizations SET join_domains = '["acme.example"]'""")
    with world.tracer.meta.write() as tx:
        home = organization_settings(tx, world.acme.organization_id)
        assert home is not None
        secret = create_join_link(tx, home, "new@acme.example")
    fields = form(name="New", password=NEW_PASSWORD)
    return Ask(fields, values={"secret": secret}, who="nobody", by="new", hidden=(secret,))


def to_ask_to_join(world: World) -> Ask:
    world.execute("""UPDATE organizations SET join_domains = '["acme.example"]'""")
    mail_server(world)
    return Ask(form(email="new@acme.example"), who="nobody", by="")


def mail_server(world: World) -> Ask:
    """A mail server is set up (and does not answer)."""
    answer = world.ask("owner", "POST", "/settings/mail/", **MAIL)
    assert answer.status == 303, answer.text
    return Ask(form())


def to_mail(world: World) -> Ask:
    return Ask(MAIL)


def to_test_mail(world: World) -> Ask:
    """Nobody listens there."""
    return replace(mail_server(world), fails=True)


def failed_task(world: World) -> Ask:
    """A task that was given up."""
    now = clock.now_ms()
    task = {"name": "no.such.task", "arguments": "{}", "status": "failed"}
    return Ask({}, values={"task_id": world.insert("tasks", **task, due_at=now, created_at=now)})


def own_error(world: World) -> Ask:
    """The server has an error of its own."""
    world.tracer.own_errors.note_query(SlowQuery("meta", "SELECT 1", 9.0))
    event_id = world.tracer.own_errors.waiting[-1]["event_id"]
    operations.deliver(world.tracer)
    world.app.digest()
    return Ask({}, values={"event_id": event_id})


def to_forget(world: World) -> Ask:
    mail_server(world)
    return Ask(form(email="clerk@acme.example"))


def factor_of_clerk(world: World) -> Ask:
    """There is something to take away."""
    world.insert(
        "second_factors",
        user_id=world.acme.values["member_id"],
        kind="passkey",
        credential_id=b"of the clerk",
        public_key=b"key",
        created_at=clock.now_ms(),
    )
    return Ask({})


def to_leave_team(world: World) -> Ask:
    world.insert(
        "team_members",
        team_id=world.acme.team_id,
        user_id=world.acme.user_id,
        role="lead",
        created_at=clock.now_ms(),
    )
    return Ask({})


def to_create_policy(world: World) -> Ask:
    return Ask(tried(world, "/settings/policies/"))


def to_change_policy(world: World) -> Ask:
    ask = stored_policy(world)
    return replace(ask, body=tried(world, f"/settings/policies/{ask.values['policy_id']}/"))


def tried(world: World, path: str) -> Body:
    """The form of a policy whose dry run was shown, as saving asks for."""
    page = world.ask("owner", "POST", path, **form(**POLICY)).text
    found = re.search(r'name="tried" value="([^"]+)"', page)
    assert found, page
    return form(**POLICY, tried=found[1])


def to_other_project(world: World) -> Ask:
    """A project that the team does not have yet."""
    return Ask({}, values={"project_slug": world.depot.slug})


def to_end_token(world: World) -> Ask:
    return Ask(json(tokenId=world.acme.values["token_id"]))


def to_many_issues(world: World) -> Ask:
    return Ask(form(id=world.acme.values["issue_id"], action="resolve"))


def to_choose_platform(world: World) -> Ask:
    """Only a project without one gets it there."""
    world.execute("UPDATE projects SET platform = 'other'")
    return Ask(form(platform="go"))


def to_assign(world: World) -> Ask:
    return Ask(form(user=world.acme.user_id))


def other_member(world: World) -> Ask:
    """Somebody who is in no team yet."""
    found = world.person("porter@acme.example", world.acme)
    return Ask(json(teamRole="lead"), values={"member_id": found})


def to_leave(world: World) -> Ask:
    """Not the last owner."""
    world.person("second@acme.example", world.acme, "owner")
    return Ask(form())


def to_switch(world: World) -> Ask:
    world.member(world.globex.organization_id, world.acme.user_id, "member")
    return Ask(form(), values={"organization_id": world.globex.organization_id})


def to_letters(world: World) -> Ask:
    """There is one, whatever was done to others before."""
    bury(world.app, project=world.acme.project)
    return Ask(form(reason="Invalid"))


def to_letter(world: World) -> Ask:
    return Ask(form(), values={"letter_id": bury(world.app, project=world.acme.project)})


def stored_policy(world: World) -> Ask:
    now = clock.now_ms()
    policy_id = world.insert(
        "policies",
        organization_id=world.acme.organization_id,
        name="Evenings",
        effect="deny",
        conditions='{"roles": ["viewer"]}',
        is_active=0,
        created_at=now,
        changed_at=now,
    )
    return Ask({}, values={"policy_id": policy_id})


def with_policy(body: Body, **columns: Any) -> Callable[[World], Ask]:
    def make(world: World) -> Ask:
        ask = stored_policy(world)
        for name, value in columns.items():
            world.execute(f"UPDATE policies SET {name} = :value", value=value)
        return replace(ask, body=body)

    return make


def before(sql: str) -> Callable[[World], Ask]:
    """Something else holds before."""

    def make(world: World) -> Ask:
        world.execute(sql)
        return Ask(form())

    return make


_ORG = "/api/0/organizations/{organization_slug}/"
_PROJECT = "/api/0/projects/{organization_slug}/{project_slug}/"
_RESOLVED = "UPDATE issues SET status = 1"

#: method and path -> what is sent, or how to find out
WRITES: dict[str, Body | Callable[[World], Ask]] = {
    # Coming in
    "POST /login": to_login,
    "POST /forgot": to_forget,
    "POST /reset/{secret}": to_reset,
    "POST /setup/{token}": to_set_up,
    "POST /invitations/{secret}": to_accept,
    "POST /joining/{secret}": to_join,
    "POST /join/{slug}": to_ask_to_join,
    # One's own account
    "POST /account/": form(name="Someone else"),
    "POST /account/theme": form(theme="dark"),
    "POST /account/password": form(current_password=PASSWORD, new_password=NEW_PASSWORD),
    "POST /account/confirm/": to_confirm,
    "POST /account/security/factors/{factor_id:int}/rename": form(name="Other"),
    "POST /account/tokens/": form(name="mine", scope="event:read", lifetime="30d"),
    "POST /account/tokens/{token_id:int}/rotate": form(overlap="1h"),
    "POST /api/0/api-tokens/": json(name="mine", scopes=["event:read"]),
    "DELETE /api/0/api-tokens/": to_end_token,
    # The organization
    "POST /settings/": form(
        name="Acme two", slug="acme", is_open="1", second_factor="optional", join_role="member"
    ),
    "POST /settings/delete": form(confirm="acme"),
    "POST /organizations/": form(name="Third"),
    "POST /organizations/{organization_id:int}/switch": to_switch,
    "POST /organizations/{organization_id:int}/leave": to_leave,
    "POST /settings/tokens/": form(name="ci", scope="org:ci", lifetime="30d"),
    "POST /settings/tokens/{token_id:int}/rotate": form(overlap="1h"),
    "POST /settings/addresses/": form(everyone="127.0.0.0/8", administration=""),
    "POST /settings/audit/export": form(format="csv"),
    "POST /settings/audit/retention": form(days="90"),
    f"PUT {_ORG}": json(name="Acme two"),
    f"PUT {_ORG}addresses/": json(everyone=["127.0.0.0/8"], administration=[]),
    f"PUT {_ORG}audit-logs/retention/": json(auditDays=90),
    f"POST {_ORG}org-auth-tokens/": json(name="ci", scopes=["org:ci"]),
    f"PUT {_ORG}org-auth-tokens/{{token_id:int}}/": json(name="ci two"),
    # Members and teams
    "POST /members/{user_id:int}/role": form(role="admin"),
    "POST /members/{user_id:int}/reset-second-factor": factor_of_clerk,
    "POST /settings/accounts/{user_id:int}/reset-second-factor": factor_of_clerk,
    "POST /members/invitations": form(email="new@acme.example", role="member"),
    f"POST {_ORG}members/": json(email="new@acme.example", orgRole="member"),
    f"PUT {_ORG}members/{{member_id}}/": json(orgRole="admin"),
    f"POST {_ORG}members/{{member_id}}/teams/{{team_slug}}/": other_member,
    "POST /teams/": form(name="Third"),
    "POST /teams/{slug}/": form(name="Core two", slug="core"),
    "POST /teams/{slug}/leave": to_leave_team,
    "POST /teams/{slug}/members": form(email="owner@acme.example", role="lead"),
    "POST /teams/{slug}/members/{user_id:int}": form(role="lead"),
    "POST /teams/{slug}/projects": form(project="depot"),
    f"POST {_ORG}teams/": json(name="Third"),
    "PUT /api/0/teams/{organization_slug}/{team_slug}/": json(name="Core two"),
    f"POST {_PROJECT}teams/{{team_slug}}/": to_other_project,
    "POST /api/0/teams/{organization_slug}/{team_slug}/projects/": json(name="Third"),
    # Policies
    "POST /settings/policies/": to_create_policy,
    "POST /settings/policies/dry-run": form(**POLICY),
    "POST /settings/policies/{policy_id:int}/": to_change_policy,
    "POST /settings/policies/{policy_id:int}/enable": with_policy(form()),
    "POST /settings/policies/{policy_id:int}/disable": with_policy(form(), is_active=1),
    "POST /settings/policies/{policy_id:int}/delete": with_policy(form()),
    f"POST {_ORG}policies/": {"json": POLICY_JSON},
    f"PUT {_ORG}policies/{{policy_id:int}}/": with_policy({"json": POLICY_JSON}),
    f"DELETE {_ORG}policies/{{policy_id:int}}/": with_policy({}),
    f"POST {_ORG}policies/dry-run/": json(policy=POLICY_JSON),
    # Dead letters
    **{
        f"POST /settings/{place}dead-letters/{rest}": make
        for place in ("", "server/")
        for rest, make in (
            ("replay", to_letters),
            ("discard", to_letters),
            ("export", to_letters),
            ("{letter_id:int}/replay", to_letter),
            ("{letter_id:int}/discard", to_letter),
        )
    },
    # The server
    "POST /settings/mail/": to_mail,
    "POST /settings/server/tasks/{task_id:int}/retry": failed_task,
    "POST /settings/server/errors/{event_id}": own_error,
    "POST /settings/mail/remove": mail_server,
    "POST /settings/mail/test": to_test_mail,
    # Projects and keys
    "POST /projects/new": form(name="Third", platform="python"),
    "POST /projects/{slug}/": form(name="Shop two", slug="shop", platform="python"),
    "POST /projects/{slug}/teams": form(team="stock"),
    "POST /projects/{slug}/delete": form(confirm="shop"),
    "POST /projects/{slug}/keys/": form(label="second"),
    "POST /projects/{slug}/keys/{key_id:int}/edit": form(label="renamed", count="10", window="60"),
    "POST /projects/{slug}/keys/{key_id:int}/rotate": form(overlap="1h"),
    "POST /projects/{slug}/keys/{key_id:int}/enable": before(
        "UPDATE project_keys SET is_active = 0"
    ),
    "POST /projects/{slug}/keys/{key_id:int}/delete": before(
        "UPDATE project_keys SET is_active = 0"
    ),
    "POST /projects/{slug}/filters/": form(tried=digest(FilterRules())),
    f"PUT {_PROJECT}filters/{{filter_id}}/": json(active=True),
    "POST /projects/{slug}/start/": to_choose_platform,
    f"POST {_ORG}projects/": json(name="Third"),
    f"PUT {_PROJECT}": json(name="Shop two"),
    f"POST {_PROJECT}keys/": json(name="second"),
    f"PUT {_PROJECT}keys/{{key_id}}/": json(name="renamed"),
    # Quotas
    "POST /settings/quotas/": form(**QUOTA, tried="error|86400|70|1|0"),
    "POST /projects/{slug}/quotas/": form(**QUOTA, tried="error|86400|70|1|0"),
    "POST /projects/{slug}/quotas/protection": form(spike_protection=""),
    f"POST {_ORG}quotas/": json(category="error", window="day", amount=70),
    f"POST {_PROJECT}quotas/": json(category="error", window="day", amount=70),
    f"POST {_ORG}quotas/dry-run/": json(category="error", window="day", amount=70),
    f"POST {_PROJECT}quotas/dry-run/": json(category="error", window="day", amount=70),
    # Issues and feedback
    "POST /issues/bulk": to_many_issues,
    "POST /issues/{issue_id:int}/unresolve": before(_RESOLVED),
    "POST /issues/{issue_id:int}/assign": to_assign,
    "POST /issues/{issue_id:int}/comment": form(text="Seen"),
    f"PUT {_PROJECT}issues/": issues,
    f"PUT {_ORG}issues/": issues,
    f"DELETE {_PROJECT}issues/": issues,
    f"DELETE {_ORG}issues/": issues,
    "PUT /api/0/issues/{issue_id}/": json(status="resolved"),
    f"PUT {_ORG}issues/{{issue_id}}/": json(status="resolved"),
    "POST /api/0/issues/{issue_id}/comments/": json(text="Seen"),
    f"POST {_ORG}issues/{{issue_id}}/comments/": json(text="Seen"),
    "PUT /api/0/issues/{issue_id}/comments/{comment_id:int}/": json(text="Changed"),
    f"PUT {_ORG}issues/{{issue_id}}/comments/{{comment_id:int}}/": json(text="Changed"),
    "POST /feedback/{feedback_id:int}/status": form(status="done"),
}
