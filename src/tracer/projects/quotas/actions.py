"""Writes of quotas, each recorded in the audit log, and the bookkeeping of their use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracer.errors import Conflict, NotFound
from tracer.kit import audit
from tracer.projects.model import KeysChanged
from tracer.projects.quotas import queries
from tracer.projects.quotas.model import QUOTAS_MAX, Quota, check, month_began, window_name

if TYPE_CHECKING:
    from tracer.storage.meta import Tx


def set_quota(
    tx: Tx,
    organization_id: int,
    project_id: int | None = None,
    key_id: int | None = None,
    *,
    category: str,
    window_s: int,
    amount: int,
    is_hard: bool,
) -> Quota:
    """Sets the quota of one owner, category, window and kind, in place of the one there was.
    A new one of a month begins with what came this month. Invalid, Conflict (too many)."""
    check(category, window_s, amount, is_hard=is_hard)
    place = {"org": organization_id, "project": project_id, "key": key_id}
    row = tx.row(
        """
        SELECT id
        FROM quotas
        WHERE organization_id = :org AND project_id IS :project AND key_id IS :key
            AND category = :category AND window_s = :window AND is_hard = :hard
        """,
        category=category,
        window=window_s,
        hard=int(is_hard),
        **place,
    )
    if row is not None:
        return change_quota(tx, _load(tx, row[0]), window_s=window_s, amount=amount)
    count = tx.value(
        """
        SELECT count(*)
        FROM quotas
        WHERE organization_id = :org AND project_id IS :project AND key_id IS :key
        """,
        **place,
    )
    if count >= QUOTAS_MAX:
        raise Conflict(f"There are at most {QUOTAS_MAX} quotas in one place.")
    quota_id = tx.insert(
        """
        INSERT INTO quotas
            (organization_id, project_id, key_id, category, window_s, amount, is_hard, created_at)
        VALUES (:org, :project, :key, :category, :window, :amount, :hard, :now)
        """,
        category=category,
        window=window_s,
        amount=amount,
        hard=int(is_hard),
        now=tx.now_ms,
        **place,
    )
    quota = _load(tx, quota_id)
    if quota.is_month:
        used = queries.used_this_month(tx, quota, tx.now_ms)
        save_use(tx, [(quota_id, float(used), month_began(tx.now_ms), None)])
    _record(tx, "create", quota, after=_settings(quota))
    tx.emit(KeysChanged())
    return quota


def change_quota(tx: Tx, quota: Quota, *, window_s: int, amount: int) -> Quota:
    """Another amount, or another short window; what was counted stays counted."""
    check(quota.category, window_s, amount, is_hard=quota.is_hard)
    tx.execute(
        "UPDATE quotas SET amount = :amount, window_s = :window WHERE id = :id",
        amount=amount,
        window=window_s,
        id=quota.id,
    )
    # Whoever raises a quota is told again when the new one is reached.
    tx.execute(
        "UPDATE quota_use SET over_at = NULL, told_at = NULL WHERE quota_id = :id", id=quota.id
    )
    changed = _load(tx, quota.id)
    before, after = audit.differing(_settings(quota), _settings(changed))
    _record(tx, "update", changed, before=before, after=after)
    tx.emit(KeysChanged())
    return changed


def remove_quota(tx: Tx, quota: Quota) -> None:
    """There is no such quota any more."""
    tx.execute("DELETE FROM quotas WHERE id = :id", id=quota.id)
    _record(tx, "remove", quota, before=_settings(quota))
    tx.emit(KeysChanged())


def limit_key(
    tx: Tx, organization_id: int, project_id: int, key_id: int, rate: tuple[int, int] | None
) -> None:
    """The rate limit of a key in errors, as its page and Sentry's API know it: its oldest hard
    quota of a short window. The caller records it and says `KeysChanged`."""
    current = tx.value(
        """
        SELECT min(id)
        FROM quotas
        WHERE key_id = :key AND is_hard AND category = 'error' AND window_s > 0
        """,
        key=key_id,
    )
    if rate is None:
        tx.execute("DELETE FROM quotas WHERE id = :id", id=current)
        return
    amount, window_s = rate
    tx.execute(
        """
        DELETE FROM quotas
        WHERE key_id = :key AND is_hard AND category = 'error' AND window_s = :window
            AND id IS NOT :id
        """,
        key=key_id,
        window=window_s,
        id=current,
    )
    tx.execute(
        """
        INSERT INTO quotas
            (id, organization_id, project_id, key_id, category, window_s, amount, is_hard,
            created_at)
        VALUES (:id, :org, :project, :key, 'error', :window, :amount, 1, :now)
        ON CONFLICT (id) DO UPDATE SET window_s = excluded.window_s, amount = excluded.amount
        """,
        id=current,
        org=organization_id,
        project=project_id,
        key=key_id,
        window=window_s,
        amount=amount,
        now=tx.now_ms,
    )


def save_use(tx: Tx, rows: Sequence[tuple[int, float, int, int | None]]) -> None:
    """Stores how full quotas are: (id, level, at, over_at). One that is gone is left out."""
    tx.many(
        """
        INSERT INTO quota_use (quota_id, level, at, over_at)
        SELECT id, ?2, ?3, ?4
        FROM quotas
        WHERE id = ?1
        ON CONFLICT (quota_id) DO UPDATE
        SET level = excluded.level, at = excluded.at, over_at = excluded.over_at
        """,
        rows,
    )


def mark_told(tx: Tx, quota_id: int) -> None:
    """People were told that a quota is exceeded."""
    tx.execute(
        "UPDATE quota_use SET told_at = :now WHERE quota_id = :id", now=tx.now_ms, id=quota_id
    )


def _settings(quota: Quota) -> dict[str, Any]:
    return {
        "category": quota.category or "all",
        "window": window_name(quota.window_s),
        "amount": quota.amount,
        "kind": "hard" if quota.is_hard else "soft",
        "key_id": quota.key_id,
    }


def _record(tx: Tx, verb: str, quota: Quota, **values: Any) -> None:
    audit.record(
        tx,
        f"quota.{verb}",
        "quota",
        quota.id,
        name=quota.text,
        organization_id=quota.organization_id,
        project_id=quota.project_id,
        **values,
    )


def _load(tx: Tx, quota_id: int) -> Quota:
    found = queries.stored_quota(tx, quota_id)
    if found is None:
        raise NotFound("The quota is gone.")
    return found
