"""Inbound filters for programs, as Sentry shapes them; lists are filters of their own here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from tracer.errors import Invalid
from tracer.features.filters import queries
from tracer.features.filters.model import LISTS, TITLES, TOGGLES
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes
from tracer.projects import actions
from tracer.projects.filters import check_filters
from tracer.projects.model import Project
from tracer.projects.queries import project_of
from tracer.protocol.filter_rules import DISCARDED, LEGACY, LEGACY_BROWSERS, FilterRules

if TYPE_CHECKING:
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

routes = Routes()

_FILTERS = "/api/0/projects/{organization_slug}/{project_slug}/filters/"
_NAMES = {title.id: name for name, title in TITLES.items() if name != DISCARDED}


class FilterInfo(msgspec.Struct):
    """A filter. `active` is a list of browsers for legacy-browsers, and of patterns for lists."""

    id: str
    name: str
    description: str
    active: bool | list[str]
    hello: str


class FilterUpdate(msgspec.Struct):
    """`active` switches a filter, `subfilters` are browsers, `patterns` what a list holds."""

    active: bool | UnsetType = UNSET
    subfilters: list[str] | UnsetType = UNSET
    patterns: list[str] | UnsetType = UNSET


class FilterTrial(msgspec.Struct, rename="camel"):
    """Of `looked` stored events `filtered` would have been filtered, by filter."""

    looked: int
    filtered: int
    filters: dict[str, int]
    event_ids: list[str]


def filter_of(
    reader: Reader, reach: Reach, organization_slug: str, project_slug: str, filter_id: str
) -> tuple[Project, str] | None:
    """A project in reach and one of its filters."""
    project = project_of(reader, reach, organization_slug, project_slug)
    name = _NAMES.get(filter_id)
    return (project, name) if project is not None and name is not None else None


@routes.get(
    _FILTERS,
    can=Permission.PROJECT_READ,
    load=project_of,
    doc=Operation(
        "List a project's inbound filters",
        returns=list[FilterInfo],
        errors=(401, 403, 404),
        tag="Filters",
    ),
)
def list_filters(req: Req, project: Project) -> Response:  # noqa: ARG001
    return json([_info(project.filters, id_, name) for id_, name in _NAMES.items()])


@routes.put(
    _FILTERS + "{filter_id}/",
    can=Permission.PROJECT_WRITE,
    load=filter_of,
    doc=Operation(
        "Change an inbound filter",
        body=FilterUpdate,
        status=204,
        errors=(400, 401, 403, 404),
        tag="Filters",
    ),
)
def update(req: Req, found: tuple[Project, str]) -> Response:
    project, name = found
    rules = _changed(project.filters, name, req.decode(FilterUpdate))
    with req.meta.write() as tx:
        actions.set_filters(tx, project, rules)
    return empty(204)


@routes.get(
    _FILTERS + "{filter_id}/dry-run/",
    can=Permission.PROJECT_WRITE,
    load=filter_of,
    doc=Operation(
        "Try an inbound filter on stored events",
        description="With `pattern` a list filter is tried with these instead of its own.",
        returns=FilterTrial,
        errors=(400, 401, 403, 404),
        tag="Filters",
    ),
)
def dry_run(req: Req, found: tuple[Project, str]) -> Response:
    project, name = found
    given = tuple(req.query.all("pattern"))
    if name in LISTS:
        tried: Any = given or getattr(project.filters, name)
    else:
        tried = tuple(LEGACY) if name == LEGACY_BROWSERS else True
    rules = FilterRules(**{name: tried})
    check_filters(rules)
    trial = queries.dry_run(req, project, rules)
    ids = [example.event_id for example in trial.examples]
    counts = {TITLES[filter_].id: count for filter_, count in trial.counts.items()}
    return json(FilterTrial(trial.looked, trial.filtered, counts, ids))


def _info(rules: FilterRules, id_: str, name: str) -> FilterInfo:
    title, value = TITLES[name], getattr(rules, name)
    active = value if name in TOGGLES else list(value)
    return FilterInfo(id_, title.title, title.help, active, f"{id_} - {title.title}")


def _changed(rules: FilterRules, name: str, wanted: FilterUpdate) -> FilterRules:
    value: Any = wanted.active
    if name == LEGACY_BROWSERS and wanted.subfilters is not UNSET:
        value = tuple(dict.fromkeys(wanted.subfilters))
    elif name == LEGACY_BROWSERS and wanted.active is not UNSET:
        value = tuple(LEGACY) if wanted.active else ()
    elif name in LISTS:
        value = UNSET if wanted.patterns is UNSET else tuple(dict.fromkeys(wanted.patterns))
    if value is UNSET:
        field = {True: "patterns", False: "active"}[name in LISTS]
        raise Invalid(f"Say what to change with `{field}`.")
    return replace(rules, **{name: value})
