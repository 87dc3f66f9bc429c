"""What a package hands to the application: plain frozen data, listed in `manifest.FEATURES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.permissions import Permission
    from tracer.kit.routes import Routes
    from tracer.kit.tasks import Every


@dataclass(frozen=True, slots=True)
class Nav:
    """An entry of the main navigation; shown to those who hold `can`."""

    title: str
    path: str
    icon: str
    order: int = 50
    can: Permission | None = None


@dataclass(frozen=True, slots=True)
class SettingsLink:
    """An entry of a settings navigation: `group` is "organization", "server", "account" or
    "project", where `{slug}` in the path stands for the project's."""

    title: str
    path: str
    icon: str
    group: str
    order: int = 50
    can: Permission | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a page of another package: the page loads `path` into it when it comes into view.

    `path` may hold placeholders that the page fills: `/feedback/of-issue/{issue_id}`.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A vertical package as a value.

    tasks: name -> function(tracer, **arguments), run by the worker.
    every: what the worker runs on a schedule.
    items: ingest item type -> its handler (see `tracer.ingest.items`).
    after: fact type -> function(tracer, fact), called once the fact's transaction is committed.
    """

    name: str
    routes: tuple[Routes, ...] = ()
    tasks: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    every: tuple[Every, ...] = ()
    items: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[tuple[type, Callable[[Tracer, Any], None]], ...] = ()
    nav: Nav | None = None
    settings: tuple[SettingsLink, ...] = ()
    slots: tuple[Slot, ...] = ()
