"""Writes of policies and address lists: checked, recorded, and refused when they lock out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.accounts.policies import dry_run, lockout, queries
from tracer.accounts.policies.model import POLICIES_MAX, Draft, StoredPolicy
from tracer.accounts.queries import organization_settings
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import audit, directory
from tracer.kit.live import AccessChanged
from tracer.kit.policy import network, within

if TYPE_CHECKING:
    from tracer.accounts.policies.lockout import Editor
    from tracer.storage.meta import Tx

RANGES_MAX = 200


def create(tx: Tx, organization_id: int, draft: Draft, *, by: Editor) -> StoredPolicy:
    """Stores a policy, which holds from now on. Conflict when it would lock people out."""
    known = queries.policies(tx, organization_id)
    if len(known) >= POLICIES_MAX:
        raise Conflict(f"There are {POLICIES_MAX} policies already.")
    _check(tx, organization_id, None, draft, by)
    policy_id = tx.insert(
        """
        INSERT INTO policies (organization_id, name, effect, conditions, requirements, is_active,
            created_at, changed_at)
        VALUES (:org, :name, :effect, :conditions, :requirements, :is_active, :now, :now)
        """,
        org=organization_id,
        **_columns(draft),
        now=tx.now_ms,
    )
    policy = StoredPolicy(
        policy_id,
        organization_id,
        draft.name,
        draft.effect,
        draft.conditions,
        draft.requirements,
        draft.is_active,
        tx.now_ms,
        tx.now_ms,
    )
    _record(tx, "policy.create", policy, after=_shown(draft))
    return policy


def update(tx: Tx, policy: StoredPolicy, draft: Draft, *, by: Editor) -> StoredPolicy:
    """Replaces a policy, switching it on or off too. Conflict when it would lock people out."""
    before = _current(tx, policy).draft
    if before == draft:
        return policy
    _check(tx, policy.organization_id, policy.id, draft, by)
    tx.execute(
        """
        UPDATE policies
        SET name = :name, effect = :effect, conditions = :conditions,
            requirements = :requirements, is_active = :is_active, changed_at = :now
        WHERE id = :id
        """,
        id=policy.id,
        **_columns(draft),
        now=tx.now_ms,
    )
    old, new = audit.differing(_shown(before), _shown(draft))
    changed = replace(
        policy,
        name=draft.name,
        effect=draft.effect,
        conditions=draft.conditions,
        requirements=draft.requirements,
        is_active=draft.is_active,
        changed_at=tx.now_ms,
    )
    _record(tx, "policy.update", changed, before=old, after=new)
    return changed


def set_active(tx: Tx, policy: StoredPolicy, *, active: bool, by: Editor) -> StoredPolicy:
    """Switches a policy on or off."""
    current = _current(tx, policy)
    return update(tx, current, replace(current.draft, is_active=active), by=by)


def delete(tx: Tx, policy: StoredPolicy) -> None:
    """Removes a policy: what it took away is given again."""
    current = _current(tx, policy)
    tx.execute("DELETE FROM policies WHERE id = :id", id=policy.id)
    _record(tx, "policy.delete", current, before=_shown(current.draft))


def set_addresses(
    tx: Tx,
    organization_id: int,
    *,
    everyone: Sequence[str],
    administration: Sequence[str],
    by: Editor,
) -> None:
    """Sets from where the organization may be used, and from where it may be administered. Empty:
    from everywhere. Conflict when the editor's own address would be shut out."""
    lists = {"ip_ranges": clean(everyone), "admin_ip_ranges": clean(administration)}
    for ranges in lists.values():
        if not lets_in(ranges, by.address):
            raise Conflict(
                f"Your own address, {by.address}, is not in this list: it would lock you out."
            )
    view = directory.read(tx, organization_id)
    before = {name: list(getattr(view, name)) for name in lists}
    after = {name: list(ranges) for name, ranges in lists.items()}
    old, new = audit.differing(before, after)
    if not new:
        return
    tx.execute(
        """
        UPDATE organizations
        SET ip_ranges = :ip_ranges, admin_ip_ranges = :admin_ip_ranges
        WHERE id = :id
        """,
        id=organization_id,
        ip_ranges=_json(lists["ip_ranges"]),
        admin_ip_ranges=_json(lists["admin_ip_ranges"]),
    )
    _record_addresses(tx, organization_id, old, new)


def unlock(tx: Tx, organization_id: int, *, addresses: bool, policies: bool) -> dict[str, int]:
    """The way back in from the server's own command line: empties the address lists and switches
    policies off. Gives how many of each there were."""
    view = directory.read(tx, organization_id)
    done = {"addresses": 0, "policies": 0}
    if addresses and (view.ip_ranges or view.admin_ip_ranges):
        done["addresses"] = len(view.ip_ranges) + len(view.admin_ip_ranges)
        tx.execute(
            "UPDATE organizations SET ip_ranges = '[]', admin_ip_ranges = '[]' WHERE id = :id",
            id=organization_id,
        )
        before = {
            "ip_ranges": list(view.ip_ranges),
            "admin_ip_ranges": list(view.admin_ip_ranges),
        }
        _record_addresses(tx, organization_id, before, {"ip_ranges": [], "admin_ip_ranges": []})
    for policy in queries.policies(tx, organization_id) if policies else ():
        if not policy.is_active:
            continue
        tx.execute(
            "UPDATE policies SET is_active = 0, changed_at = :now WHERE id = :id",
            id=policy.id,
            now=tx.now_ms,
        )
        done["policies"] += 1
        off = {"is_active": False}
        _record(tx, "policy.update", policy, before={"is_active": True}, after=off)
    return done


def lets_in(ranges: Sequence[str], address: str) -> bool:
    """Whether a list, of which an empty one lets everybody in, lets this address in."""
    return not ranges or within(address, ranges)


def clean(ranges: Sequence[str]) -> tuple[str, ...]:
    """Addresses and ranges as they are stored, without repeats. Raises Invalid."""
    found = tuple(dict.fromkeys(_written(text) for text in ranges if text.strip()))
    if len(found) > RANGES_MAX:
        raise Invalid(f"Name at most {RANGES_MAX} addresses and ranges.")
    return found


def _written(text: str) -> str:
    """A range as everyone writes it: host bits cleared, a single address without its length."""
    found = network(text)
    return str(found.network_address) if found.num_addresses == 1 else str(found)


def _check(tx: Tx, organization_id: int, policy_id: int | None, draft: Draft, by: Editor) -> None:
    taken = tx.value(
        """
        SELECT 1
        FROM policies
        WHERE organization_id = :org AND name = :name COLLATE NOCASE AND id IS NOT :id
        """,
        org=organization_id,
        name=draft.name,
        id=policy_id,
    )
    if taken:
        raise Conflict(f"There is a policy called {draft.name} already.")
    if draft.is_active:
        view = directory.read(tx, organization_id)
        lockout.check(tx, dry_run.with_policy(view, policy_id, draft), by)


def _current(tx: Tx, policy: StoredPolicy) -> StoredPolicy:
    found = [p for p in queries.policies(tx, policy.organization_id) if p.id == policy.id]
    if not found:
        raise NotFound("The policy is not there any more.")
    return found[0]


def _columns(draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "effect": draft.effect,
        "conditions": _json(draft.conditions),
        "requirements": _json(draft.requirements),
        "is_active": int(draft.is_active),
    }


def _shown(draft: Draft) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(
        {
            "name": draft.name,
            "effect": draft.effect,
            "conditions": draft.conditions,
            "requirements": draft.requirements,
            "is_active": draft.is_active,
        }
    )
    return shown


def _record(tx: Tx, action: str, policy: StoredPolicy, **values: Any) -> None:
    audit.record(
        tx,
        action,
        "policy",
        policy.id,
        name=policy.name,
        organization_id=policy.organization_id,
        **values,
    )
    tx.emit(AccessChanged())


def _record_addresses(
    tx: Tx, organization_id: int, before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = organization_settings(tx, organization_id)
    audit.record(
        tx,
        "organization.addresses",
        "organization",
        organization_id,
        name=found.slug if found else "",
        organization_id=organization_id,
        before=before,
        after=after,
    )
    tx.emit(AccessChanged())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
