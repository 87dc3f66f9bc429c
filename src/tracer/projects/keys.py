"""The DSN cache: every project key and project setting in memory. Look-ups touch no database.

Readers see one finished picture; `refresh` puts a new one in its place.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer import clock
from tracer.projects import actions, queries
from tracer.protocol.filter_rules import ProjectRules

if TYPE_CHECKING:
    from tracer.protocol.filter_rules import FilterRules
    from tracer.protocol.scrub import ScrubRules
    from tracer.storage.meta import Reader, Tx


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """What ingest needs to know of a key."""

    project_id: int
    organization_id: int
    key_id: int
    is_active: bool
    expires_at_ms: int | None
    allowed_domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What digest needs to know of a project."""

    project_id: int
    organization_id: int
    slug: str
    platform: str
    scrub: ScrubRules
    spike_protection: bool
    filters: FilterRules

    @property
    def rules(self) -> ProjectRules:
        """What preparing its frames goes by."""
        return ProjectRules(self.scrub, self.filters)


@dataclass(frozen=True, slots=True)
class _Picture:
    keys: dict[str, ProjectKey]
    projects: dict[int, ProjectSettings]
    rules: dict[int, ScrubRules]


class KeyCache:
    """Every key by its public part, every project by id. Empty until the first `refresh`."""

    def __init__(self) -> None:
        self._picture = _Picture({}, {}, {})
        self._uses: dict[int, int] = {}
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    def find(self, public_key: str) -> ProjectKey | None:
        """The key with this public part. One that has expired comes back as not active."""
        key = self._picture.keys.get(public_key)
        if key is None or key.expires_at_ms is None or key.expires_at_ms > clock.now_ms():
            return key
        return replace(key, is_active=False)

    def project(self, project_id: int) -> ProjectSettings | None:
        """The settings of a project; None when there is no such project (any more)."""
        return self._picture.projects.get(project_id)

    def is_protected(self, project_id: int) -> bool:
        """Whether a project has spike protection."""
        project = self._picture.projects.get(project_id)
        return project is not None and project.spike_protection

    def scrub_rules(self) -> Mapping[int, ScrubRules]:
        """What to scrub, by project. A project that is not in it is gone."""
        return self._picture.rules

    def refresh(self, reader: Reader) -> None:
        """Reads all projects and keys anew. Call after each commit that emitted `KeysChanged`."""
        with self._refreshing:
            self._picture = _read(reader)

    def touch(self, key_id: int) -> None:
        """Remembers that a key was used just now; `flush_touches` stores it."""
        self._uses[key_id] = clock.now_ms()

    def flush_touches(self, tx: Tx) -> None:
        """Stores when keys were last used since the last flush."""
        with self._lock:
            uses, self._uses = self._uses, {}
        actions.note_uses(tx, uses)


def _read(reader: Reader) -> _Picture:
    stored = queries.every_project(reader)
    projects = {
        project.id: ProjectSettings(
            project.id,
            project.organization_id,
            project.slug,
            project.platform,
            project.scrub,
            project.spike_protection,
            project.filters,
        )
        for project in stored
    }
    domains = {project.id: project.allowed_domains for project in stored}
    keys = {
        key.public_key: ProjectKey(
            key.project_id,
            projects[key.project_id].organization_id,
            key.id,
            key.is_active,
            key.expires_at,
            domains[key.project_id],
        )
        for key in queries.every_key(reader)
        if key.project_id in projects
    }
    return _Picture(keys, projects, {id: project.scrub for id, project in projects.items()})
