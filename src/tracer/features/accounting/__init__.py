"""The accounts: what was accepted, and what became of it."""

from __future__ import annotations

from tracer.features.accounting import api, pages
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="accounting",
    routes=(pages.routes, api.routes),
    settings=(
        SettingsLink(
            *("Accounting", pages.PATH, "layers", "organization"),
            order=60,
            can=Permission.PROJECT_READ,
        ),
    ),
)
