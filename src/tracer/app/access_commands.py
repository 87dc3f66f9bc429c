"""Address lists and policies from the command line: the way back in when they shut people out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.policies import actions, asking, queries
from tracer.accounts.policies.circumstances import Circumstances
from tracer.accounts.policies.sentences import sentence
from tracer.errors import NotFound
from tracer.kit import directory

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader

#: From where somebody comes unless an address is named: the server itself.
HERE = "127.0.0.1"


def commands(meta: Meta) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {
        "access_show": partial(show, meta),
        "access_unlock": partial(unlock, meta),
        "access_explain": partial(explain, meta),
    }


def show(meta: Meta, *, org: str = "") -> dict[str, Any]:
    """The rules of one organization, or of all, that can keep people out."""
    reader = meta.read()
    return {
        "organizations": [_rules(reader, id_, slug) for id_, slug in _organizations(reader, org)]
    }


def unlock(
    meta: Meta, *, org: str = "", addresses: bool = True, policies: bool = True
) -> dict[str, Any]:
    """Empties address lists and switches policies off, in one organization or in all. Gives how
    many of each there were, by organization."""
    with meta.write() as tx:
        return {
            "organizations": {
                slug: actions.unlock(tx, id_, addresses=addresses, policies=policies)
                for id_, slug in _organizations(tx, org)
            }
        }


def explain(
    meta: Meta,
    *,
    org: str = "",
    actor: str,
    permission: str,
    project: str = "",
    environment: str = "",
    address: str = "",
    at: str = "",
    second_factor: str = "",
) -> dict[str, Any]:
    """Whether somebody may do something, and every rule that was asked."""
    reader = meta.read()
    found = _organizations(reader, org)
    if len(found) > 1:
        raise NotFound("Name the organization: --org.")
    organization_id = found[0][0]
    asked = asking.Asked(actor, permission, project, environment, address, at, second_factor)
    here = Circumstances(HERE, clock.now())
    names = queries.names(reader, organization_id)
    who, told = asking.answer(reader, organization_id, names, asked, here)
    return {
        "actor": who,
        "allowed": told.allowed,
        "rule": told.rule,
        "text": told.text,
        "steps": [step._asdict() for step in told.steps],
    }


def _rules(reader: Reader, organization_id: int, slug: str) -> dict[str, Any]:
    view = directory.read(reader, organization_id)
    names = queries.names(reader, organization_id)
    return {
        "slug": slug,
        "ip_ranges": list(view.ip_ranges),
        "admin_ip_ranges": list(view.admin_ip_ranges),
        "second_factor": view.second_factor,
        "policies": [
            {
                "id": policy.id,
                "name": policy.name,
                "effect": policy.effect,
                "is_active": policy.is_active,
                "sentence": sentence(policy.draft, names),
            }
            for policy in queries.policies(reader, organization_id)
        ],
    }


def _organizations(reader: Reader, slug: str) -> list[tuple[int, str]]:
    """(id, slug) of the one that is named, or of all. NotFound when there is none."""
    found = [
        (id_, known)
        for id_, known in reader.rows("SELECT id, slug FROM organizations ORDER BY id")
        if slug in ("", known)
    ]
    if not found:
        raise NotFound(f"There is no organization called {slug}." if slug else "There is none.")
    return found
