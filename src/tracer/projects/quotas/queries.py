"""Reads of quotas and their use. Never writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.projects.quotas.model import Quota, Use, month_began

if TYPE_CHECKING:
    from tracer.kit.context import Reach
    from tracer.storage.meta import Reader

_QUOTA = """
    SELECT q.id, q.organization_id, q.project_id, q.key_id, q.category, q.window_s, q.amount,
        q.is_hard, q.created_at
    FROM quotas q"""
_WITH_USE = """
    SELECT q.id, q.organization_id, q.project_id, q.key_id, q.category, q.window_s, q.amount,
        q.is_hard, q.created_at, u.level, u.at, u.over_at, u.told_at
    FROM quotas q
    LEFT JOIN quota_use u ON u.quota_id = q.id"""
#: What reached this server and was not refused for a limit: what a quota of a month counts.
_ACCEPTED = """
    outcome NOT IN ('rate_limited', 'refused', 'client_discard') AND category <> 'internal'"""


def every_quota(reader: Reader) -> list[tuple[Quota, Use]]:
    """All quotas of all organizations with what is used of them."""
    return [_with_use(row) for row in reader.rows(f"{_WITH_USE} ORDER BY q.id")]


def every_key_place(reader: Reader) -> list[tuple[int, int, int]]:
    """(key, project, organization) of all keys."""
    return [
        (row[0], row[1], row[2])
        for row in reader.rows(
            """
            SELECT k.id, k.project_id, p.organization_id
            FROM project_keys k
            JOIN projects p ON p.id = k.project_id
            """
        )
    ]


def quotas(reader: Reader, reach: Reach) -> list[tuple[Quota, Use]]:
    """The quotas of the organization in reach, its projects in reach and their keys."""
    rows = reader.rows(
        f"""
        {_WITH_USE}
        WHERE q.organization_id = :org
        ORDER BY q.project_id, q.key_id, q.category, q.window_s, q.is_hard
        """,
        org=reach.organization_id,
    )
    found = [_with_use(row) for row in rows]
    return [one for one in found if one[0].project_id is None or reach.holds(one[0].project_id)]


def quotas_of(reader: Reader, organization_id: int) -> list[tuple[Quota, Use]]:
    """All quotas of one organization, whoever asks: for commands and background work."""
    rows = reader.rows(
        f"{_WITH_USE} WHERE q.organization_id = :org ORDER BY q.id", org=organization_id
    )
    return [_with_use(row) for row in rows]


def quota(reader: Reader, reach: Reach, quota_id: int) -> Quota | None:
    """One quota in reach."""
    found = stored_quota(reader, quota_id)
    if found is None or found.organization_id != reach.organization_id:
        return None
    return found if found.project_id is None or reach.holds(found.project_id) else None


def stored_quota(reader: Reader, quota_id: int) -> Quota | None:
    """One quota, whoever asks."""
    row = reader.row(f"{_QUOTA} WHERE q.id = :id", id=quota_id)
    return _quota(row) if row else None


def used_this_month(reader: Reader, quota: Quota, now_ms: int) -> int:
    """Items of a quota's categories that came this month by the counts of outcomes. A key's are
    not known apart: 0."""
    if quota.key_id is not None:
        return 0
    owner = "project_id = :owner" if quota.project_id else _OF_ORGANIZATION
    found: int | None = reader.value(
        f"""
        SELECT sum(quantity)
        FROM outcomes
        WHERE {owner} AND hour_at >= :since AND {_ACCEPTED}
            AND (:all OR category IN (SELECT value FROM json_each(:categories)))
        """,  # noqa: S608
        owner=quota.project_id or quota.organization_id,
        since=month_began(now_ms),
        all=not quota.categories,
        categories=_json(quota.categories),
    )
    return found or 0


_OF_ORGANIZATION = "project_id IN (SELECT id FROM projects WHERE organization_id = :owner)"


def _json(names: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"


def _quota(row: tuple[Any, ...]) -> Quota:
    id_, organization_id, project_id, key_id, category, window_s, amount = row[:7]
    is_hard, created_at = bool(row[7]), row[8]
    return Quota(
        id_, organization_id, project_id, key_id, category, window_s, amount, is_hard, created_at
    )


def _with_use(row: tuple[Any, ...]) -> tuple[Quota, Use]:
    use = Use() if row[9] is None else Use(*row[9:13])
    return _quota(row), use
