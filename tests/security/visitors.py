"""Everybody who may come to the door of the organization "acme", and what they should see there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from security.world import DAY_MS, Visitor
from tracer import clock
from tracer.kit.access import SEE_ALL
from tracer.kit.permissions import SCOPES

if TYPE_CHECKING:
    from security.world import Things, World

ROLES = ("owner", "manager", "admin", "member", "viewer")


def arrive(world: World) -> dict[str, Visitor]:
    """The visitors by name."""
    acme, globex = world.acme, world.globex
    mine, everything = acme.project.id, frozenset({acme.project.id, world.depot.id})
    visit, visit_key = world.visit()
    found = [Visitor("nobody", (("cookie", visit),), csrf=visit_key, is_known=False)]
    for role in ROLES:
        is_owner = role == "owner"
        user_id = (
            acme.user_id
            if is_owner
            else world.person(
                f"{role}@acme.example", acme, role, teams={acme.team_id: "contributor"}
            )
        )
        sees = everything if role in SEE_ALL else frozenset({mine})
        found.append(login(world, role, user_id, acme, role, sees=sees))
    lead = world.person("lead@acme.example", acme, "member", teams={acme.team_id: "lead"})
    found.append(
        login(
            world, "team lead", lead, acme, "member",
            sees=frozenset({mine}), leads=frozenset({mine}),
        )
    )  # fmt: skip
    other = world.person(
        "other@acme.example", acme, "member", teams={world.other_team: "contributor"}
    )
    found.append(
        login(world, "other team", other, acme, "member", sees=frozenset({world.depot.id}))
    )
    elsewhere = world.person("led@acme.example", acme, "member", teams={world.other_team: "lead"})
    found.append(
        login(
            world, "lead elsewhere", elsewhere, acme, "member",
            sees=frozenset({world.depot.id}), leads=frozenset({world.depot.id}),
        )
    )  # fmt: skip
    found.append(login(world, "outsider", globex.user_id, globex, "owner"))
    keeper = world.person(
        "keeper@acme.example", acme, "viewer", teams={acme.team_id: "contributor"},
        is_server_admin=True,
    )  # fmt: skip
    found.append(
        login(
            world, "server administrator", keeper, acme, "viewer",
            sees=frozenset({mine}), is_server_admin=True,
        )
    )  # fmt: skip
    found += _tokens(world, found, everything)
    found += _not_let_in(world, acme)
    return {visitor.name: visitor for visitor in found}


def login(
    world: World, name: str, user_id: int, things: Things, role: str, **facts: Any
) -> Visitor:
    """Somebody at a browser."""
    cookie, key = world.login(user_id, things.organization_id)
    return Visitor(
        name,
        (("cookie", cookie),),
        csrf=key,
        organization=things.organization,
        role=role,
        user_id=user_id,
        **facts,
    )


def _tokens(world: World, logins: list[Visitor], everything: frozenset[int]) -> list[Visitor]:
    """Tokens of the organization and of its people: good ones and those that are over."""
    acme, globex, depot = world.acme, world.globex, world.depot
    known = {login.name: login for login in logins}
    everybody = tuple(sorted(SCOPES))

    def of(name: str, who: str, *scopes: str, sees: frozenset[int] | None = None) -> Visitor:
        person = known[who]
        only = None if sees is None else tuple(sees)
        home = globex if person.organization == "globex" else acme
        made = world.token(person.user_id, home.organization_id, *scopes, project_ids=only)
        return replace(
            person,
            name=name,
            headers=(("authorization", f"Bearer {made.text}"),),
            csrf=b"",
            scopes=scopes or everybody,
            sees=person.sees if sees is None else person.sees & sees,
            is_server_admin=False,
        )

    reading = [str(scope) for scope in SCOPES if scope.endswith(":read")]
    found = [
        of("owner's token", "owner"),
        of("reading token", "owner", *reading),
        of("token of other scopes", "owner", "alerts:write", "org:ci"),
        of("token of another project", "owner", sees=frozenset({depot.id})),
        of("member's token", "member"),
        of("lead's token", "team lead"),
        of("lead's reading token", "team lead", *reading),
        of("token of another team", "other team"),
        of("outsider's token", "outsider"),
        of("server administrator's token", "server administrator"),
    ]
    organization = world.token(None, acme.organization_id)
    found.append(
        Visitor(
            "organization's token",
            (("authorization", f"Bearer {organization.text}"),),
            organization="acme",
            role="organization",
            scopes=everybody,
            sees=everything,
        )
    )
    return found + [
        Visitor(name, (("authorization", f"Bearer {text}"),), is_refused=True)
        for name, text in _tokens_that_are_over(world, acme).items()
    ]


def _tokens_that_are_over(world: World, acme: Things) -> dict[str, str]:
    owner, home = acme.user_id, acme.organization_id
    removed = world.person("gone@acme.example")
    revoked, rotated = world.token(owner, home), world.token(owner, home)
    world.execute(
        "UPDATE tokens SET revoked_at = :now WHERE id = :id",
        now=clock.now_ms(),
        id=revoked.token.id,
    )
    world.execute(
        "UPDATE tokens SET ends_at = :now WHERE id = :id",
        now=clock.now_ms() - 1,
        id=rotated.token.id,
    )
    whole = world.token(owner, home).text
    return {
        "expired token": world.token(owner, home, lives_ms=1).text,
        "revoked token": revoked.text,
        "rotated token": rotated.text,
        "removed member's token": world.token(removed, home).text,
        "token with another signature": whole[:-8] + "AAAAAAAA",
        "token without a signature": whole.rpartition(".")[0] + ".",
        "no token": "nonsense",
    }


def _not_let_in(world: World, acme: Things) -> list[Visitor]:
    """Logins that ended, and people who are no members (yet)."""
    now = clock.now_ms()
    pending = world.person("invited@acme.example")
    world.insert(
        "invitations",
        organization_id=acme.organization_id,
        email="invited@acme.example",
        role="owner",
        token_hash="0" * 64,
        created_at=now,
        expires_at=now + DAY_MS,
    )
    removed = world.person("removed@acme.example")
    old = {"expires_at": now - 1}
    idle = {"seen_at": now - 400 * DAY_MS}
    logins = {
        "pending invitee": world.login(pending, acme.organization_id),
        "removed member": world.login(removed, acme.organization_id),
        "expired login": world.login(acme.user_id, acme.organization_id, **old),
        "idle login": world.login(acme.user_id, acme.organization_id, **idle),
    }
    visit, key = world.visit()
    return [
        Visitor(name, (("cookie", f"{cookie}; {visit}"),), csrf=key, is_known=False)
        for name, (cookie, _) in logins.items()
    ]
