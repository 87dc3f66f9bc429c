"""Writes of projects and keys, each recorded in the audit log. Each says so with `KeysChanged`,
which refreshes the DSN cache.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.accounts.actions import delete_emptied
from tracer.accounts.model import check_slug, slug_from
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import audit
from tracer.projects import queries
from tracer.projects.filters import check_filters
from tracer.projects.model import (
    KEYS_MAX,
    RESERVED_SLUGS,
    Key,
    KeysChanged,
    Project,
    check_domains,
    check_label,
    check_name,
    check_platform,
    check_rate,
)
from tracer.projects.quotas import actions as quotas
from tracer.protocol.filter_rules import OF_NEW_PROJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.protocol.filter_rules import FilterRules
    from tracer.storage.meta import Tx

ERASE_TASK = "erase_project"
BLOBS_TASK = "erase_blobs"


def create_project(
    tx: Tx, organization_id: int, slug: str | None, name: str, platform: str = "other"
) -> Project:
    """A new project with its first key. Without a slug one is made from the name.
    Conflict when the slug is taken, Invalid when it or the name or platform is not allowed."""
    name = check_name(name)
    if slug is None:
        slug = free_slug(tx, organization_id, name)
    _check_free(tx, organization_id, slug)
    project_id = tx.insert(
        """
        INSERT INTO projects (organization_id, slug, name, platform, filters, created_at)
        VALUES (:organization_id, :slug, :name, :platform, :filters, :now)
        """,
        organization_id=organization_id,
        slug=slug,
        name=name,
        platform=check_platform(platform),
        filters=msgspec.json.encode(OF_NEW_PROJECTS).decode(),
        now=tx.now_ms,
    )
    project = _load(tx, project_id)
    _record(tx, "project.create", project, after=_settings(project))
    create_key(tx, project_id)
    return project


def update_project(tx: Tx, project: Project, changes: Project) -> Project:
    """Stores the settings of `changes` (same id). Conflict when its slug is taken."""
    if changes.slug != project.slug:
        _check_free(tx, project.organization_id, changes.slug)
    tx.execute(
        """
        UPDATE projects
        SET slug = :slug, name = :name, platform = :platform, scrub_ip = :scrub_ip,
            scrub_defaults = :scrub_defaults, sensitive_names = :sensitive_names,
            safe_names = :safe_names, allowed_domains = :allowed_domains,
            spike_protection = :spike_protection
        WHERE id = :id
        """,
        slug=changes.slug,
        name=check_name(changes.name),
        platform=check_platform(changes.platform),
        scrub_ip=int(changes.scrub_ip),
        scrub_defaults=int(changes.scrub_defaults),
        sensitive_names=json.dumps(changes.sensitive_names),
        safe_names=json.dumps(changes.safe_names),
        allowed_domains=json.dumps(check_domains(changes.allowed_domains)),
        spike_protection=int(changes.spike_protection),
        id=project.id,
    )
    tx.emit(KeysChanged())
    changed = _load(tx, project.id)
    before, after = audit.differing(_settings(project), _settings(changed))
    _record(tx, "project.update", changed, before=before, after=after)
    return changed


def set_filters(tx: Tx, project: Project, rules: FilterRules) -> Project:
    """Stores what is filtered out of what comes in. Invalid when a rule cannot be one."""
    check_filters(rules)
    tx.execute(
        "UPDATE projects SET filters = :filters WHERE id = :id",
        filters=msgspec.json.encode(rules).decode(),
        id=project.id,
    )
    tx.emit(KeysChanged())
    before, after = audit.differing(asdict(project.filters), asdict(rules))
    _record(tx, "project.filter", project, before=before, after=after)
    return replace(project, filters=rules)


def note_sample(tx: Tx, project: Project, platform: str) -> None:
    """Records that somebody had a sample event sent; it goes the way of all events."""
    _record(tx, "project.send_sample", project, after={"platform": platform})


def delete_project(tx: Tx, project: Project) -> None:
    """Takes the project out of every reach, frees its slug and refuses its keys, at once.
    The task `erase_project` then removes what it held."""
    tx.execute(
        "UPDATE projects SET deleted_at = :now, slug = '~' || id WHERE id = :id",
        now=tx.now_ms,
        id=project.id,
    )
    tx.execute("DELETE FROM project_keys WHERE project_id = :id", id=project.id)
    tx.enqueue(ERASE_TASK, project_id=project.id)
    tx.emit(KeysChanged())
    _record(tx, "project.delete", project, before=_settings(project))


def erase_issues(tx: Tx, project_id: int, *, limit: int) -> int:
    """Erases some of a deleted project's issues with all that hangs on them. Gives how many."""
    rows = tx.rows(
        "SELECT id FROM issues WHERE project_id = :id LIMIT :limit", id=project_id, limit=limit
    )
    ids = json.dumps([row[0] for row in rows])
    for sql in (
        "DELETE FROM issue_text WHERE rowid IN (SELECT value FROM json_each(:ids))",
        "DELETE FROM issues WHERE id IN (SELECT value FROM json_each(:ids))",
    ):
        tx.execute(sql, ids=ids)
    return len(rows)


def erase_project(tx: Tx, project_id: int) -> None:
    """Erases what is left of a deleted project: every row, of whatever package, that names it.
    Only the audit log keeps what was done to it."""
    organization_id = tx.value("SELECT organization_id FROM projects WHERE id = :id", id=project_id)
    blobs = tx.rows("SELECT DISTINCT blob FROM attachments WHERE project_id = :id", id=project_id)
    tables = tx.rows(
        """
        SELECT t.name
        FROM sqlite_schema t
        JOIN pragma_table_info(t.name) c ON c.name = 'project_id'
        WHERE t.type = 'table' AND t.name <> 'audit'
        """
    )
    for (table,) in tables:
        tx.execute(f'DELETE FROM "{table}" WHERE project_id = :id', id=project_id)  # noqa: S608
    tx.execute("DELETE FROM projects WHERE id = :id AND deleted_at IS NOT NULL", id=project_id)
    delete_emptied(tx, organization_id)
    if blobs:
        tx.enqueue(BLOBS_TASK, digests=[row[0] for row in blobs])
    audit.record(
        tx,
        "project.erase",
        "project",
        project_id,
        organization_id=organization_id,
        project_id=project_id,
    )


def blob_is_used(tx: Tx, digest: str) -> bool:
    """Whether any attachment refers to a file."""
    return bool(tx.value("SELECT 1 FROM attachments WHERE blob = :digest LIMIT 1", digest=digest))


def create_key(tx: Tx, project_id: int, label: str = "") -> Key:
    """A new key that works at once."""
    count = tx.value("SELECT count(*) FROM project_keys WHERE project_id = :id", id=project_id)
    if count >= KEYS_MAX:
        raise Conflict(f"A project has at most {KEYS_MAX} keys. Delete one that is not used.")
    key_id = tx.insert(
        """
        INSERT INTO project_keys (project_id, public_key, label, created_at)
        VALUES (:project_id, :public_key, :label, :now)
        """,
        project_id=project_id,
        public_key=clock.new_id(),
        label=check_label(label),
        now=tx.now_ms,
    )
    tx.emit(KeysChanged())
    key = _load_key(tx, project_id, key_id)
    _record_key(tx, "create", key, after=_key_settings(key))
    return key


def update_key(tx: Tx, key: Key, *, label: str | None = None, is_active: bool | None = None) -> Key:
    """Changes what is given. Enabling a key again also takes its expiry away."""
    active = key.is_active if is_active is None else is_active
    tx.execute(
        """
        UPDATE project_keys
        SET label = :label, is_active = :active, expires_at = :expires_at
        WHERE id = :id
        """,
        label=key.label if label is None else check_label(label),
        active=int(active),
        expires_at=None if is_active else key.expires_at,
        id=key.id,
    )
    tx.emit(KeysChanged())
    changed = _load_key(tx, key.project_id, key.id)
    before, after = audit.differing(_key_settings(key), _key_settings(changed))
    _record_key(tx, "update", changed, before=before, after=after)
    return changed


def limit_key(tx: Tx, key: Key, rate: tuple[int, int] | None) -> Key:
    """Takes at most so many events in so many seconds from now on; None takes them all."""
    organization_id = _load(tx, key.project_id).organization_id
    quotas.limit_key(tx, organization_id, key.project_id, key.id, rate and check_rate(*rate))
    tx.emit(KeysChanged())
    changed = _load_key(tx, key.project_id, key.id)
    before, after = audit.differing(_key_settings(key), _key_settings(changed))
    _record_key(tx, "limit", changed, before=before, after=after)
    return changed


def edit_key(tx: Tx, key: Key, label: str, rate: tuple[int, int] | None) -> Key:
    """Gives a key another label and rate limit; nothing is recorded of what stays as it is."""
    if label != key.label:
        key = update_key(tx, key, label=label)
    return key if rate == key.rate else limit_key(tx, key, rate)


def disable_key(tx: Tx, key: Key) -> Key:
    """Refuses whatever comes under the key from now on."""
    return update_key(tx, key, is_active=False)


def enable_key(tx: Tx, key: Key) -> Key:
    """Accepts the key again, without an expiry."""
    return update_key(tx, key, is_active=True)


def rotate_key(tx: Tx, key: Key, overlap_s: int) -> Key:
    """A new key in place of an old one, which goes on working for `overlap_s` seconds."""
    if not key.works(tx.now_ms):
        raise Invalid("Only a key that works can be rotated.")
    new = create_key(tx, key.project_id, key.label)
    if key.rate is not None:
        new = limit_key(tx, new, key.rate)
    until = tx.now_ms + max(0, overlap_s) * 1000
    tx.execute(
        "UPDATE project_keys SET expires_at = :until WHERE id = :id",
        until=until if key.expires_at is None else min(key.expires_at, until),
        id=key.id,
    )
    _record_key(tx, "rotate", key, after={"new_id": new.id, "overlap_s": max(0, overlap_s)})
    return new


def delete_key(tx: Tx, key: Key) -> None:
    """Removes a key for good."""
    tx.execute("DELETE FROM project_keys WHERE id = :id", id=key.id)
    tx.emit(KeysChanged())
    _record_key(tx, "delete", key, before=_key_settings(key))


def note_uses(tx: Tx, uses: Mapping[int, int]) -> None:
    """Stores when keys (by id) were last used, unix milliseconds."""
    if uses:
        tx.many(
            "UPDATE project_keys SET used_at = max(coalesce(used_at, 0), :at) WHERE id = :id",
            [{"id": key_id, "at": at} for key_id, at in uses.items()],
        )


def free_slug(tx: Tx, organization_id: int, name: str) -> str:
    """A slug made from the name that no project has: shop, shop-2, shop-3, …"""
    wanted = slug_from(name, "project")
    taken = {
        row[0]
        for row in tx.rows(
            "SELECT slug FROM projects WHERE organization_id = :o", o=organization_id
        )
    } | RESERVED_SLUGS
    number = 2
    slug = wanted
    while slug in taken:
        slug = f"{wanted[:45].rstrip('-')}-{number}"
        number += 1
    return slug


def _settings(project: Project) -> dict[str, Any]:
    return {
        "slug": project.slug,
        "name": project.name,
        "platform": project.platform,
        "scrub_ip": project.scrub_ip,
        "scrub_defaults": project.scrub_defaults,
        "sensitive_names": project.sensitive_names,
        "safe_names": project.safe_names,
        "allowed_domains": project.allowed_domains,
        "spike_protection": project.spike_protection,
    }


def _key_settings(key: Key) -> dict[str, Any]:
    return {
        "label": key.label,
        "is_active": key.is_active,
        "expires_at": key.expires_at,
        "rate_limit": key.rate_limit,
        "rate_window_s": key.rate_window_s,
    }


def _record(tx: Tx, action: str, project: Project, **values: Any) -> None:
    audit.record(
        tx, action, "project", project.id, name=project.slug, project_id=project.id, **values
    )


def _record_key(tx: Tx, verb: str, key: Key, **values: Any) -> None:
    audit.record(
        tx,
        f"project_key.{verb}",
        "project_key",
        key.id,
        name=key.label,
        project_id=key.project_id,
        **values,
    )


def _check_free(tx: Tx, organization_id: int, slug: str) -> None:
    check_slug(slug)
    if slug in RESERVED_SLUGS:
        raise Invalid(f"{slug} cannot be a slug.")
    if tx.value(
        "SELECT 1 FROM projects WHERE organization_id = :organization_id AND slug = :slug",
        organization_id=organization_id,
        slug=slug,
    ):
        raise Conflict(f"There is a project called {slug} already.")


def _load(tx: Tx, project_id: int) -> Project:
    found = queries.stored_project(tx, project_id)
    if found is None:
        raise NotFound("The project is gone.")
    return found


def _load_key(tx: Tx, project_id: int, key_id: int) -> Key:
    found = queries.key(tx, project_id, key_id)
    if found is None:
        raise NotFound("The key is gone.")
    return found
