"""What must be right before the application may start: a wrong declaration stops it at once."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from tracer.kit.feature import Feature
from tracer.kit.permissions import Permission
from tracer.kit.routes import Table


def check(features: Sequence[Feature], table: Table) -> None:
    """ValueError names the declaration that is wrong."""
    _unique("feature", [feature.name for feature in features])
    _unique("task", [name for feature in features for name in feature.tasks])
    _unique("item type", [name for feature in features for name in feature.items])
    for feature in features:
        if feature.nav is not None and not table.serves(urlsplit(feature.nav.path).path):
            raise ValueError(f"{feature.name}: no route serves its entry {feature.nav.path}")
    for route in table.routes:
        if route.can is Permission.PROJECT_KEY:
            raise ValueError(f"{route.path}: only raw routes know project keys")
        if route.doc is not None and not route.is_api:
            raise ValueError(f"{route.path}: only routes of /api/0/ are documented as API")


def _unique(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two features declare the {kind} {name!r}")
